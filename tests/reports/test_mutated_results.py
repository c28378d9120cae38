"""Files of results gone wrong: whatever they hold, they are shown, or refused in one sentence that names the file."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from radit import cli
from radit.model.errors import UserError
from radit.model.files import write_arrays
from radit.model.policy.skip_policy import radit
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import DEFAULT_TABLE, LEAST, MOST, load_table
from radit.reports.energy.memory_plan import plan_memory
from radit.reports.results.page import BEFORE, DOCS, SECTIONS, STORED, keep
from radit.reports.results.run_tables import run_tables
from radit.reports.run import arrays as run_arrays
from radit.reports.run.arrays import load_arrays, load_decisions
from radit.reports.run.consistency import check_arrays
from radit.reports.run.readme_table import MARKERS, results_table
from radit.reports.run.render import render
from radit.reports.run.schema import Bounds, Summary
from radit.reports.run.summary import load_summary, write_summary
from tests.mutants import examples, flipped, mutated, mutated_arrays, toml
from tests.reports import made_up

RENDERED = 1  # of the mutants that are accepted: a page takes a second
LARGE = 1 << 17  # characters of a result: of larger ones fewer mutants are tried


@pytest.fixture(autouse=True)
def strict():
    """Overflows and invalid numbers are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def refused(path: Path, read: Callable[[], Any]) -> Any:
    """What is read, or None where it is refused as it should be."""
    try:
        return read()
    except UserError as error:
        sentence = str(error)
        assert path.name in sentence and sentence.isprintable() and len(sentence) < 1500
        return None


@pytest.mark.parametrize("clips", [False, True])
def test_summaries(tmp_path, rng, clips):
    path, accepted = tmp_path / "summary.json", []
    write_summary(path, made_up.clip_summary(rng) if clips else made_up.summary(rng, forecast=True))
    good, tried = json.loads(path.read_text()), examples(150)
    for _ in range(tried):
        wrong = mutated(good, rng)
        path.write_text(json.dumps(wrong))
        found = refused(path, lambda: load_summary(path))
        if found is not None and found.ratios:
            run_tables(found)
            results_table(found)
            accepted += [found] if wrong != good else []
    assert tried // 100 < len(accepted) < tried / 2
    for one in accepted[: examples(RENDERED)]:
        assert "</html>" in render(one, None)


def test_flipped_summaries(tmp_path, rng):
    path = tmp_path / "summary.json"
    write_summary(path, made_up.summary(rng))
    good = path.read_bytes()
    for _ in range(examples(150)):
        path.write_bytes(flipped(good, rng))
        if (found := refused(path, lambda: load_summary(path))) is not None and found.ratios:
            run_tables(found)


def read_arrays(path: Path, summary: Summary) -> run_arrays.RunArrays:
    found = load_arrays(path)
    check_arrays(summary, found, path)
    return found


@pytest.mark.parametrize("clips", [False, True])
def test_arrays(tmp_path, rng, clips):
    path, accepted = tmp_path / "arrays.npz", []
    summary = made_up.clip_summary(rng) if clips else made_up.summary(rng, forecast=True)
    run_arrays.write_arrays(path, made_up.clip_arrays(rng) if clips else made_up.arrays(rng, forecast=True))
    whole = path.read_bytes()
    with np.load(path) as file:
        good = dict(file)
    for number in range(examples(160)):
        if number % 2:
            write_arrays(path, mutated_arrays(good, rng), compressed=False)
        else:
            path.write_bytes(flipped(whole, rng))
        found = refused(path, lambda: read_arrays(path, summary))
        refused(path, lambda: load_decisions(path))
        accepted += [] if found is None else [found]
    assert accepted
    for one in accepted[: examples(RENDERED)]:
        assert "</html>" in render(summary, one)


@pytest.mark.parametrize("section", SECTIONS[2:], ids=lambda section: section.file)
def test_stored_results(tmp_path, rng, section):
    text, path, shown = (DOCS / STORED / section.file).read_text(), tmp_path / section.file, 0
    shutil.copy(DOCS / STORED / BEFORE, tmp_path)
    good, count = json.loads(text), examples(300 if len(text) < LARGE else 60)
    for number in range(count):
        data = json.dumps(mutated(good, rng)).encode()
        path.write_bytes(flipped(data, rng) if number % 4 == 0 else data)
        shown += refused(path, lambda: section.shown(path)) is not None
    assert 0 < shown < count / 2


@cache
def counters() -> dict[str, int]:
    """Of a made-up run."""
    return made_up.run(radit(), made_up.decisions(np.random.default_rng(0))).counters


def bill(path: Path) -> Bounds:
    """What that run takes under a table."""
    table = load_table(path)
    plan = plan_memory(made_up.DIMS, made_up.BUILD, table.reuse_sram.capacity)
    table.sources()
    return Bounds(**energy(counters(), made_up.BUILD, table, plan).summary()["energy_uj"])


def test_tables(tmp_path, rng):
    path, accepted, whole = tmp_path / "mine.toml", 0, DEFAULT_TABLE.read_bytes()
    good = tomllib.loads(whole.decode())
    path.write_text(toml(good))
    assert bill(path) == bill(DEFAULT_TABLE)
    for number in range(examples(400)):
        wrong = mutated(good, rng)
        if number % 4 == 0:
            path.write_bytes(flipped(whole, rng))
        elif isinstance(wrong, dict):
            path.write_text(toml(wrong))
        accepted += refused(path, lambda: bill(path)) is not None
    assert 0 < accepted < examples(400) / 2


value = st.floats(LEAST, MOST)


@settings(max_examples=examples(60), deadline=None, phases=[Phase.generate])
@given(
    values=st.tuples(value, value, value),
    factor=value,
    terms=st.dictionaries(st.sampled_from(["mac_int8", "add_bit", "external_bit"]), value, min_size=1),
    capacity=st.just(0.0) | value,
    exponent=st.floats(0, 1),
)
def test_any_table_within_its_ranges_has_a_bill(tmp_path_factory, values, factor, terms, capacity, exponent):
    content = tomllib.loads(DEFAULT_TABLE.read_text())
    low, nominal, high = sorted(values)
    content["primitive"]["external_bit"] |= {"low": low, "nominal": nominal, "high": high}
    content["ratio"]["sram_write"] |= {"low": low, "nominal": nominal, "high": high}
    content["scaling"]["45"]["factor"], content["action"]["host_mac"]["terms"] = factor, terms
    content["primitive"]["external_bit"]["node_nm"] = 45
    content["reuse_sram"]["capacity"], content["sram"]["width_exponent"] = capacity, exponent
    path = tmp_path_factory.getbasetemp() / "ranges.toml"
    path.write_text(toml(content))
    found = bill(path)
    assert 0 < found.low <= found.nominal * (1 + 1e-9) and found.nominal <= found.high * (1 + 1e-9)


def place(path: Path, kind: str) -> None:
    """Put something that is no such file in the place of one."""
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "endless":
        with open(path, "wb") as file:
            file.truncate(1 << 42)
    else:
        path.write_bytes({"empty": b"", "binary": b"\x80\x04\x95\xff", "deep": b"[" * 100_000, "list": b"[]"}[kind])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with a file of each kind."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("results")
    write_summary(folder / "summary.json", made_up.summary(rng))
    run_arrays.write_arrays(folder / "arrays.npz", made_up.arrays(rng))
    (folder / "mine.toml").write_bytes(DEFAULT_TABLE.read_bytes())
    (folder / "README.md").write_text("\n".join(MARKERS))
    (folder / "frontier.json").write_bytes((DOCS / STORED / "frontier.json").read_bytes())
    return folder


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "endless", "empty", "binary", "deep", "list"])
@pytest.mark.parametrize("name", ["summary.json", "arrays.npz", "mine.toml", "README.md", "frontier.json"])
def test_commands_say_what_is_no_file(results, tmp_path, capsys, name, kind):
    """Exit status 2 and one line, at once, and nothing is written."""
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    place(tmp_path / name, kind)
    before = sorted(os.listdir(tmp_path))
    if name == "frontier.json":
        with pytest.raises(UserError) as caught:
            keep(tmp_path / name, tmp_path / "stored")
        told = f"{caught.value}\n"
    else:
        options = ["--table", str(tmp_path / "mine.toml"), "--readme", str(tmp_path / "README.md")]
        assert cli.main(["report", str(tmp_path), *options]) == 2
        told = capsys.readouterr().err
    assert told.count("\n") == 1 and name in told
    assert sorted(os.listdir(tmp_path)) == before
    if (name, kind) == ("arrays.npz", "pipe"):
        assert cli.main(["project", "--model", "digits", "--trace", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
        assert name in capsys.readouterr().err
