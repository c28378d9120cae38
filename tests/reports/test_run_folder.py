"""The files of a run belong together: written at once, checked when read, priced by the table that is asked for."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from radit import cli
from radit.model.errors import UserError
from radit.reports.project.decisions import recorded
from radit.reports.results.page import DOCS, STORED
from radit.reports.run import render, run_folder
from radit.reports.run.readme_table import MARKERS
from radit.reports.run.run_folder import load_run
from radit.reports.run.runs import Outcome, rerun_report, write_run
from radit.reports.run.schema import Summary
from tests.hostile_paths import everything
from tests.reports import made_up

RTL = "rtl/radit_top.v"
OWN_TABLE = Path(__file__).parents[2] / "examples" / "own_energy_table.toml"


@pytest.fixture(autouse=True)
def short_pages(monkeypatch):
    """Drawing takes seconds, and is tested elsewhere."""
    monkeypatch.setattr(render, "render", lambda summary, arrays: summary.model_dump_json())


@pytest.fixture
def run(tmp_path, rng):
    """A finished run in a folder that also holds something of the user's."""
    return written(tmp_path / "run", rng, forecast=True)


@cache
def made(forecast: bool) -> Summary:
    return made_up.summary(np.random.default_rng(0), forecast)


def written(folder: Path, rng, forecast=False, images=3, **more) -> Path:
    summary, arrays = made(forecast).model_copy(deep=True), made_up.arrays(rng, images, forecast)
    summary.sampler.images = images
    folder.mkdir(exist_ok=True)
    (folder / "notes.txt").write_text("mine")
    write_run(folder, Outcome([], summary, arrays, []), **more)
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_run_writes_all_its_files_and_removes_the_earlier_ones(tmp_path, rng):
    verilog, waves = tmp_path / "radit_top.v", tmp_path / "w.vcd"
    verilog.write_text("module")
    waves.write_text("$end")
    run = written(tmp_path / "run", rng, forecast=True, hdl=[verilog], waves=waves)
    always = {"summary.json", "arrays.npz", "report.html", "notes.txt"}
    three = {f"images/{name}_{number:02d}.png" for name in ("dense", "radit", "forecast") for number in range(3)}
    assert names(run) == always | three | {RTL, "waves.vcd"} and verilog.exists() and not waves.exists()
    (run / "images" / "holiday_01.png").write_text("mine")
    written(run, rng, images=2)
    two = {f"images/{name}_{number:02d}.png" for name in ("dense", "radit") for number in range(2)}
    assert names(run) == always | two | {"images/holiday_01.png"}
    assert len(load_run(run)[1].images["radit"]) == 2


def test_a_stopped_run_leaves_nothing_of_the_earlier_one(run, rng):
    summary = made(False).model_copy(deep=True)
    summary.ratios, summary.check.words_mismatched = {}, 3
    write_run(run, Outcome([], summary, None, []))
    assert names(run) == {"summary.json", "notes.txt"}
    with pytest.raises(UserError, match="a report compares finished runs"):
        rerun_report(run=run, table="default", readme=None)
    with pytest.raises(UserError, match="arrays.npz cannot be read"):
        recorded(run, made_up.DIMS, made_up.STEPS)


@pytest.mark.parametrize("failing", ["write_arrays", "write_summary", "write_pictures", "write_report"])
def test_a_run_that_cannot_be_written_leaves_the_earlier_one(run, rng, monkeypatch, failing):
    before = everything(run)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"radit.reports.run.runs.{failing}", fail)
    with pytest.raises(UserError, match="No space left on device"):
        written(run, rng)
    assert everything(run) == before


@pytest.mark.parametrize("mixed", ["summary.json", "arrays.npz"])
def test_files_of_two_runs_are_refused(run, tmp_path, rng, mixed, capsys):
    other = written(tmp_path / "other", rng, forecast=True)
    shutil.copyfile(other / mixed, run / mixed)
    before = everything(run)
    trace = ["project", "--model", "digits", "--trace", str(run), "--out", str(tmp_path / "project")]
    for command in (["report", str(run)], trace):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert f"folder '{run}' holds summary.json of one run and arrays.npz of another" in said
        assert said.count("\n") == 1
    assert everything(run) == before and not (tmp_path / "project").exists()


def test_an_earlier_versions_summary_is_held_against_its_images(run, rng, tmp_path):
    content = json.loads((run / "summary.json").read_text())
    del content["arrays_digest"]
    (run / "summary.json").write_text(json.dumps(content))
    assert load_run(run)[0].arrays_digest is None
    shutil.copyfile(written(tmp_path / "other", rng, forecast=True, images=2) / "arrays.npz", run / "arrays.npz")
    with pytest.raises(UserError, match="the summary beside them"):
        load_run(run)


def test_a_report_changes_the_readme_and_nothing_else(run, tmp_path):
    """Least of all the results that this product keeps of itself."""
    readme, begin, end = tmp_path / "X.md", *MARKERS
    readme.write_bytes(f"# Mine\r\n{begin}\nold\n{end}\r\nrest".encode())
    kept, before = everything(DOCS / STORED), everything(run)
    rerun_report(run=run, table="default", readme=readme)
    assert everything(DOCS / STORED) == kept and everything(run) == before
    text = readme.read_bytes()
    assert text.startswith(b"# Mine\r\n") and text.endswith(b"\r\nrest") and b"old" not in text and b"| energy" in text
    assert {path.name for path in tmp_path.iterdir()} == {"run", "X.md"}


@pytest.mark.parametrize("content", [None, b"", b"# no markers", b"\xff\xfe", b"<!-- results:begin -->"])
def test_a_readme_without_a_place_is_refused_before_anything_is_written(run, tmp_path, content, capsys):
    readme = tmp_path / "X.md"
    if content is not None:
        readme.write_bytes(content)
    (run / "report.html").write_text("earlier")
    before = everything(tmp_path)
    assert cli.main(["report", str(run), "--readme", str(readme), "--table", str(OWN_TABLE)]) == 2
    said = capsys.readouterr().err
    assert "--readme" in said and str(readme) in said and said.count("\n") == 1
    assert everything(tmp_path) == before


def energies(run: Path) -> dict:
    summary = load_run(run)[0]
    return {name: result.energy_uj.nominal for name, result in summary.results.items()} | {
        "ratios": summary.ratios["radit"].energy_nominal
    }


def test_the_default_table_prices_again(run):
    found = []
    for table in (str(OWN_TABLE), "default") * 2:
        rerun_report(run=run, table=table, readme=None)
        found.append((energies(run), (run / "report.html").read_text()))
        name = load_run(run)[0].provenance.energy_table
        assert (name == "stacked-memory") is (table != "default") and name in found[-1][1]
    assert found[0][0] == found[2][0] != found[1][0] == found[3][0]


def changed(run: Path, **fields) -> None:
    content = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(content | fields))


def leakage(run: Path) -> float:
    return load_run(run)[0].results["dense"].energy_breakdown_uj["leakage"].nominal


def test_a_run_is_priced_again_at_its_own_clock(run):
    rerun_report(run=run, table=str(OWN_TABLE), readme=None)
    usual = leakage(run)
    changed(run, clock_mhz=125.0)
    rerun_report(run=run, table="default", readme=None)
    rerun_report(run=run, table=str(OWN_TABLE), readme=None)
    assert leakage(run) == pytest.approx(4 * usual)


def test_without_a_table_a_run_keeps_its_own(run):
    changed(run, reuse_sram_kib=7)
    rerun_report(run=run, table=str(OWN_TABLE), readme=None)
    own = energies(run)
    assert cli.main(["report", str(run)]) == 0
    summary = load_run(run)[0]
    assert energies(run) == own and summary.provenance.energy_table == "stacked-memory"
    assert {result.memory_plan.sram_kib for result in summary.results.values()} == {7}  # the machine's, of any table
    assert cli.main(["report", str(run), "--table", "default"]) == 0
    default = energies(run)
    changed(run, provenance=json.loads((run / "summary.json").read_text())["provenance"] | {"energy_sources": []})
    assert cli.main(["report", str(run)]) == 0 and energies(run) == default != own
    assert load_run(run)[0].provenance.energy_sources  # priced again, as the table is another one now


def test_names_of_a_run_are_known():
    assert {"summary.json", "arrays.npz", "report.html", RTL} <= set(run_folder.RUN_FILES)


@pytest.mark.parametrize("capacity", [0, 1, 100, 1e6])
def test_every_policys_record_follows_the_room_of_the_table(run, tmp_path, capacity):
    """Where its cache and its history live, in what is written."""
    own = tmp_path / "own.toml"
    own.write_text(f'base = "default"\n[reuse_sram]\ncapacity = {capacity}\nsource = "[U] a test"\n')
    rerun_report(run=run, table=str(own), readme=None)
    for result in load_run(run)[0].results.values():
        plan = result.memory_plan
        assert plan.sram_kib == capacity and f"with {capacity:g} KiB of SRAM" in plan.describe()
        assert plan.history.on_chip == (plan.history.bytes <= capacity * 1024)
        left = capacity * 1024 - plan.history.bytes * plan.history.on_chip
        assert plan.cache.on_chip == (plan.cache.bytes <= left)
