"""`radit bench` on a small array: all simulators play the same vectors, all outputs are compared, the JSON is whole."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from radit import cli
from radit.accel.dims import check_fit
from radit.cosim.speed import cocotb_sim, icarus, measure
from radit.cosim.speed.measure import Task
from radit.cosim.speed.work import build_for_all, make_work, record
from radit.cosim.support.sizes import dims_of
from radit.model.dit.checkpoint import load_config, save_checkpoint
from radit.model.dit.config import DiTConfig
from radit.model.dit.seeded import seeded_dit
from radit.reports.bench.schema import FILE, METHODS, UNITS, BenchResult

TINY = DiTConfig(input_size=4, hidden_size=8, depth=2, num_heads=2, mlp_ratio=2, num_classes=3)
SHORT = ["--array", "4x4", "--seconds", "0.3"]
REPLAYING = ("myhdl", "icarus", "cocotb")
needs_tools = pytest.mark.needs("verilator", "iverilog")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A checkpoint so small that the whole work fits into the vectors."""
    return saved(tmp_path_factory.mktemp("models") / "tiny.safetensors", TINY)


def saved(path: Path, config: DiTConfig) -> str:
    save_checkpoint(path, seeded_dit(config))
    return str(path)


@pytest.fixture(scope="module")
def task(model, tmp_path_factory) -> Task:
    """What the command measures on."""
    work = make_work(model, build_for_all([model], 4, 4), seed=0)
    return Task(work, record(work, "verilator")[0], limit=0.3, folder=tmp_path_factory.mktemp("bench"))


def run(out, *arguments: str) -> tuple[int, BenchResult]:
    status = cli.main(["bench", *SHORT, *arguments, "--out", str(out)])
    return status, BenchResult.model_validate(json.loads((out / FILE).read_text()))


@needs_tools
def test_every_engine_is_measured_on_the_same_work(tmp_path, model, capsys):
    status, result = run(tmp_path, "--model", model)
    assert status == 0 and result.passed
    assert list(result.engines) == list(cli.SIMULATORS)
    block = result.block
    assert (block.tokens, block.hidden, block.mlp, block.contexts) == (16, 8, 16, 2)
    assert block.macs == 2 * 16 * 8 * (4 * 8 + 2 * 16 + 2 * 16) and block.cycles > block.macs / 16
    fastest = result.engines["verilator"].cycles_per_second
    for name, engine in result.engines.items():
        assert (engine.status, engine.note, engine.mismatched) == ("measured", "", 0)
        assert engine.compared > 200 and engine.cycles > 0 and engine.build_seconds > 0 and engine.version
        assert engine.cycles_per_second == pytest.approx(engine.cycles / engine.seconds)
        assert engine.gmac_per_second == pytest.approx(engine.macs / engine.seconds / 1e9, rel=0.01)
        assert engine.slower_than_verilator == pytest.approx(fastest / engine.cycles_per_second)
        assert engine.threads == (2 if name == "verilator-2" else 1)
    assert all(reference.gmac_per_second > 0 for reference in result.references.values())
    assert len(result.sizes) == 1 and result.spread == 1
    said = capsys.readouterr().out
    assert all(name in said for name in result.engines) and "GMAC/s" in said


@needs_tools
def test_every_number_has_a_unit_and_is_measured(tmp_path, model):
    other = saved(tmp_path / "other.safetensors", TINY.model_copy(update={"hidden_size": 4, "num_heads": 1}))
    _, result = run(tmp_path, "--model", f"{model},{other}", "--engines", "icarus,verilator")
    written = json.loads((tmp_path / FILE).read_text())
    assert set(numbers(written)) - {"seed", "schema_version", "products"} == UNITS.keys()
    assert written["units"] == UNITS and written["basis"] == "measured"
    assert result.provenance.machine.cores >= 1 and result.provenance.versions["verilator"]
    assert [size.block.model for size in result.sizes] == [model, other]
    times = [size.nanoseconds_per_mac for size in result.sizes]
    assert result.spread == pytest.approx(max(times) / min(times)) and result.spread > 1


def numbers(part) -> Iterator[str]:
    """The names of all fields that hold a number."""
    members = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in members:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name
        yield from numbers(value)


def test_the_methods_are_those_of_the_command():
    assert METHODS.keys() == measure.MEASURES.keys() and list(METHODS) == list(cli.SIMULATORS)


def test_missing_tools_are_named_and_the_rest_runs(tmp_path, model, monkeypatch, capsys):
    """Without a compiler MyHDL records the vectors."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    which = shutil.which
    monkeypatch.setattr(icarus.shutil, "which", lambda name: None if name == "vvp" else which(name))
    status, result = run(tmp_path, "--model", model)
    assert status == 0 and result.passed
    assert [name for name, engine in result.engines.items() if engine.status == "measured"] == ["myhdl"]
    assert result.engines["myhdl"].compared > 200 and result.engines["myhdl"].cycles > 0
    assert "apt-get install iverilog" in result.engines["icarus"].note
    assert all("install g++" in result.engines[name].note for name in ("verilator", "verilator-2", "cocotb"))
    assert result.sizes == [] and result.spread is None and "iverilog" in capsys.readouterr().out


def test_a_missing_cocotb_is_named(monkeypatch):
    monkeypatch.setattr(cocotb_sim, "find_spec", lambda name: None)
    found = measure.measure("cocotb", Task(None, None, 1.0, None), print)
    assert "cocotb" in found.missing


@needs_tools
@pytest.mark.parametrize("engine", REPLAYING)
def test_a_difference_is_found(engine, task, tmp_path):
    """One wrong bit in one payload of the recording."""
    columns = {name: list(column) for name, column in task.vectors.columns.items()}
    cycle = columns["trace_drain_valid"].index(1)
    columns["trace_drain_data"][cycle] ^= 1
    vectors = replace(task.vectors, columns=columns)
    found = measure.measure(engine, replace(task, vectors=vectors, folder=tmp_path), lambda cycle: None)
    assert found.different == 1 and f"cycle {cycle}: trace_drain_data" in found.failed


@needs_tools
def test_a_wrong_x_is_found(task):
    expected = task.work.expected.copy()
    expected[0, 0, 0] += 1
    work = replace(task.work)
    vars(work)["expected"] = expected
    found = measure.measure("verilator", replace(task, work=work), lambda cycle: None)
    assert found.different == found.runs and "values of x differ" in found.failed


def test_the_build_holds_every_model():
    models = ["digits", "dit-s-2"]
    build = build_for_all(models, 8, 4)
    assert (build.rows, build.cols) == (8, 4)
    for model in models:
        check_fit(dims_of(load_config(model), contexts=2), build)
