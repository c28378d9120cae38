"""`radit explore`: points are what `radit project` says, are kept and resumed, and bad spaces are refused."""

import csv
import json
import shlex
import sys
from dataclasses import asdict

import numpy as np
import pytest

from radit import cli
from radit.model.system.workers import local_workers
from radit.reports.explore import explore as exploring
from radit.reports.explore.best import check_table
from radit.reports.explore.explore import run_explore
from radit.reports.explore.fronts import unbeaten
from radit.reports.explore.kept import load_points
from radit.reports.explore.schema import Exploration
from radit.reports.explore.space import load_space, named_spaces
from radit.reports.project.project import sized
from radit.reports.project.projection import Projection
from radit.reports.run.arrays import write_arrays
from tests.reports import made_up

SPACE = """
question = "Which?"
models = ["digits"]
steps = [2, 3]
[[machines]]
base = "edge"
array = ["8x8", "16x16"]
bandwidth = [0.7, inf]
clock_mhz = [250.5, 500]
reuse_sram_kib = [0, 512]
[policies]
skip_rates = [0.1, 0.5]
forecast = [false, true]
[[tables]]
rows = "array"
columns = "bandwidth"
value = "milliseconds"
where = { policy = "dense" }
"""


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Without the plots, which take most of the time, but where the page is looked at."""
    if "page" not in request.node.name:
        monkeypatch.setattr(exploring, "plot", lambda result, kind: kind.encode())


@pytest.fixture
def space(tmp_path):
    """The path of a small space."""
    path = tmp_path / "small.toml"
    path.write_text(SPACE)
    return path


def explored(path, out, **changes) -> Exploration:
    """A space's result, in this process."""
    settings = {"workers": local_workers(1), "check": 0, "seed": 0} | changes
    return run_explore(load_space(str(path)), out=out, **settings)


def comparable(result: Exploration) -> dict:
    return result.model_dump(exclude={"speed", "created", "command"})


def projected(command: str, folder) -> Projection:
    program, *arguments = shlex.split(command)
    assert program == "radit" and cli.main([*arguments, "--out", str(folder)]) == 0
    return Projection.model_validate(json.loads((folder / "project.json").read_text()))


def is_of(one, found: Projection) -> bool:
    """Whether a point has the numbers of a projection, digit by digit."""
    costs = found.skipping or found.dense
    names = ("cycles", "milliseconds", "macs", "mac_utilization", "mac_skip_rate", "energy_uj")
    same = all(getattr(one, name) == getattr(costs, name) for name in names)
    return same and one.external_bytes == sum(costs.external_bytes.values()) and one.machine == found.machine


def test_a_point_is_what_its_command_says(space, tmp_path, rng):
    result = explored(space, tmp_path / "out")
    assert len(result.points) == 2 * 16 * 5 and len({one.command for one in result.points}) == len(result.points)
    chosen = rng.choice(len(result.points), 12, replace=False)
    policies = {result.points[index].policy for index in chosen}
    assert len(policies) > 2
    for index in chosen:
        one = result.points[index]
        found = projected(one.command, tmp_path)
        assert is_of(one, found), one.command
        if found.ratios:
            assert one.cycles_gain == pytest.approx(found.ratios.cycles)
            assert one.energy_gain == pytest.approx(found.ratios.energy_nominal)


def test_cells_of_two_products_are_points_too(tmp_path):
    path = tmp_path / "pairs.toml"
    path.write_text(
        'question = "?"\nmodels = ["digits"]\nsteps = [2]\n[[machines]]\nbase = "edge"\narray = ["8x8", "8x8x2"]\n'
        "[policies]\nskip_rates = [0.5]\n"
    )
    points = explored(path, tmp_path / "out").points
    assert all(is_of(one, projected(one.command, tmp_path)) for one in points)
    one, two = (one for one in points if one.policy == "dense")
    assert (one.array, two.array) == ("8x8", "8x8x2") and two.cycles < one.cycles < 2 * two.cycles


def test_recorded_decisions_are_points_too(tmp_path, rng):
    write_arrays(tmp_path / "arrays.npz", made_up.arrays_of({"radit": made_up.decisions(rng)}))
    path = tmp_path / "traced.toml"
    text = f'question = "?"\nmodels = ["digits"]\n[[machines]]\nbase = "edge"\n[policies]\ntraces = ["{tmp_path}"]\n'
    path.write_text(text)
    dense, traced = explored(path, tmp_path / "out").points
    assert is_of(traced, projected(traced.command, tmp_path)) and dense.cycles > traced.cycles
    path.write_text(text.replace("[[mach", "steps = [49]\n[[mach"))
    assert cli.main(["explore", str(path), "--jobs", "1", "--out", str(tmp_path / "out")]) == 2


def test_finished_points_are_kept(space, tmp_path, monkeypatch):
    """Also when a space grows, and when the work is interrupted or files are damaged."""
    whole = explored(space, tmp_path / "whole")
    assert whole.speed.evaluated == len(whole.points) and whole.speed.kept == 0  # leakage depends on the clock
    calls = []
    really = exploring.evaluated

    def dying(group, wanted):
        calls.append(group)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return really(group, wanted)

    monkeypatch.setattr(exploring, "evaluated", dying)
    with pytest.raises(KeyboardInterrupt):
        explored(space, tmp_path / "out")
    monkeypatch.undo()
    assert not (tmp_path / "out" / "explore.json").exists()
    rest = explored(space, tmp_path / "out")
    assert rest.speed.kept > 0 and rest.speed.evaluated + rest.speed.kept == whole.speed.evaluated
    assert comparable(rest) == comparable(whole)
    assert explored(space, tmp_path / "out").speed.evaluated == 0
    space.write_text(SPACE.replace("[0.1, 0.5]", "[0.1, 0.5, 0.9]"))
    assert explored(space, tmp_path / "out").speed.kept == whole.speed.evaluated


@pytest.mark.parametrize("damage", ["cut", "digit", "empty", "binary", "deep"])
def test_damaged_points_are_evaluated_again(damage, space, tmp_path, caplog):
    whole = explored(space, tmp_path / "out")
    path = sorted((tmp_path / "out" / "points").iterdir())[0]
    text = path.read_text()
    damaged = {"cut": text[:-20], "digit": text.replace("1", "2", 1), "empty": "", "binary": "\0\x01" * 9,
               "deep": "[" * 100_000}[damage]  # fmt: skip
    path.write_text(damaged)
    with caplog.at_level("INFO", logger="radit"):
        again = explored(space, tmp_path / "out")
    assert 0 < again.speed.evaluated < whole.speed.evaluated and comparable(again) == comparable(whole)
    assert damage == "empty" or "evaluated again" in caplog.text
    assert sorted(path.read_text().splitlines()) == sorted(text.splitlines()) and load_points(path)


def test_parquet_has_the_rows_of_the_csv(space, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    explored(space, tmp_path)
    rows = parquet.read_table(tmp_path / "explore.parquet").to_pylist()
    kept = list(csv.DictReader((tmp_path / "explore.csv").read_text().splitlines()))
    assert rows and [{name: "" if each is None else str(each) for name, each in row.items()} for row in rows] == kept
    assert isinstance(rows[0]["cycles"], int) and isinstance(rows[0]["energy_uj_nominal"], float)


def test_parquet_is_optional(space, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    explored(space, tmp_path)
    assert (tmp_path / "explore.csv").exists() and not (tmp_path / "explore.parquet").exists()


def test_processes_make_no_difference(space, tmp_path):
    one, two = explored(space, tmp_path / "one"), explored(space, tmp_path / "two", workers=local_workers(2))
    assert comparable(one) == comparable(two) and two.speed.cpu_seconds > 0


def test_the_page_and_the_table_hold_every_point_of_a_front(space, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["explore", str(space), "--jobs", "1", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "Which?" in shown and "points, modelled" in shown and "per minute of a core" in shown
    found = Exploration.model_validate(json.loads((out / "explore.json").read_text()))
    page = (out / "explore.html").read_text()
    front = [one for one in found.points if one.front]
    assert front and all(one.command in page for one in front) and "http://" not in page
    assert len((out / "explore.csv").read_text().splitlines()) == 1 + len(found.points)
    table = found.tables[0]
    assert (table.rows, table.columns) == (["8x8", "16x16"], ["0.7", "inf"])
    dense = [one for one in found.points if one.policy == "dense"]
    best = min(one.milliseconds for one in dense if one.array == "8x8" and one.bandwidth is None)
    assert table.cells[0][1] == best


def test_errors_and_areas_are_those_of_the_results(tmp_path):
    path = tmp_path / "judged.toml"
    path.write_text(
        'question = "?"\nmodels = ["digits"]\nsteps = [8, 12]\nsamplers = ["unipc, quadratic", "ddim, uniform"]\n'
        '[[machines]]\nbase = "edge"\narray = ["8x8", "16x16"]\n[policies]\n'
    )
    result = explored(path, tmp_path / "out")
    known = json.loads((exploring.ERRORS).read_text())["points"]
    errors = {
        (f"{one['solver']}, {one['spacing']}", one["steps"]): one["error"]["mean"]
        for one in known
        if one["policy"] == "dense" and one["arithmetic"] == "int8"
    }
    assert all(one.error == errors.get((one.sampler, one.evaluations)) for one in result.points)
    assert any(one.error is not None for one in result.points) and any(one.error_front for one in result.points)
    assert {one.array for one in result.points if one.gates is not None} == {"16x16"}
    assert {one.array for one in result.points if one.area_front} == {"16x16"}


def test_what_nothing_beats(rng):
    values = rng.integers(0, 6, (200, 3)).astype(float)
    worse = (values[None] <= values[:, None]).all(2) & (values[None] < values[:, None]).any(2)
    assert (unbeaten(values) == ~worse.any(1)).all()


@pytest.mark.parametrize("name", named_spaces())
def test_named_spaces_hold(name):
    """Machines are there, tables have fields, models fit."""
    space = load_space(name)
    space.check()
    designs = list(space.designs())
    assert len(designs) == space.size
    for wanted in space.space.tables:
        check_table(wanted)
    pairs = {(one.model, one.cfg, one.machine.described.array): one for one in designs}
    for one in pairs.values():
        sized(one.model, one.cfg, one.machine.described)


def test_a_wide_space_is_there():
    assert load_space("wide").size >= 10_000


def test_another_model_and_machine_take_the_places_of_those_of_a_space(tmp_path):
    space = load_space("machines").of_model("digits", "edge")
    assert {(one.model, one.machine.described.title) for one in space.designs()} == {("digits", "edge")}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('question = "Which?"', "", ["field question is missing: add it"]),
        ("steps = [2, 3]", "steps = [0]", ["field steps.0 is 0", "from 1 to 1000"]),
        ("steps = [2, 3]", "colour = 1", ["field colour is unknown: remove it"]),
        ("steps = [2, 3]", "steps = []", ["field steps", "at least 1"]),
        ("steps = [2, 3]", 'samplers = ["best"]', ["field samplers.0 is 'best'", "unipc"]),
        ('"digits"', '"cats"', ["cats"]),
        ('"edge"', '"huge"', ["machines.base is 'huge'", "edge, large, paper"]),
        ('"8x8"', '"8x9"', ["field machines.0.array.0 is '8x9'", "power of two"]),
        ("[0.7, inf]", "[-1]", ["field machines.0.bandwidth.0 is -1", "or inf"]),
        ("[250.5, 500]", "[0]", ["field machines.0.clock_mhz.0 is 0"]),
        ("skip_rates = [0.1, 0.5]", "skip_rates = [1.5]", ["field policies.skip_rates.0 is 1.5"]),
        ("skip_rates = [0.1, 0.5]", "dense = false", ["field policies names nothing"]),
        ("skip_rates = [0.1, 0.5]", 'traces = ["nowhere"]', ["nowhere", "cannot be read"]),
        ('value = "milliseconds"', 'value = "colour"', ["tables.value is 'colour'", "milliseconds"]),
        ("where = { policy", "where = { colour", ["tables.where is 'colour'"]),
        ("steps = [2, 3]", 'area = "none.json"', ["none.json", "cannot be read"]),
        ("[[machines]]", "[[machines", ["is not valid TOML"]),
        (
            "[2, 3]",
            str(list(range(1, 1001))) + "\ncfg = " + str([1 + i / 10 for i in range(90)]),
            ["points, more than"],
        ),
    ],
)
def test_a_bad_space_is_one_sentence(old, new, words, space, tmp_path, capsys):
    assert old in SPACE
    space.write_text(SPACE.replace(old, new, 1))
    assert cli.main(["explore", str(space), "--jobs", "1", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("radit: ") and said.count("\n") == 1 and len(said) < 500, said
    assert all(word in said for word in words) and not (tmp_path / "out").exists(), said


def test_an_unknown_space_is_refused(tmp_path, capsys):
    assert cli.main(["explore", "none", "--out", str(tmp_path / "out")]) == 2
    assert "SPACE is 'none': give array-and-bandwidth, " in capsys.readouterr().err


def test_large_points_cannot_be_checked(tmp_path, capsys):
    path = tmp_path / "large.toml"
    path.write_text('question = "?"\nmodels = ["dit-s-2"]\nsteps = [1]\n[[machines]]\nbase = "paper"\n[policies]\n')
    assert cli.main(["explore", str(path), "--jobs", "1", "--check", "1", "--out", str(tmp_path / "out")]) == 2
    assert "no point is small enough to be simulated" in capsys.readouterr().err


@pytest.mark.needs("verilator")
def test_points_are_checked_against_the_rtl(tmp_path, capsys):
    """With a word per cycle and port the cycles are equal, for dense points and for what the hardware decides."""
    path = tmp_path / "checked.toml"
    path.write_text(
        'question = "?"\nmodels = ["digits"]\nsteps = [2]\n[[machines]]\nbase = "edge"\narray = ["8x8"]\n'
        "bandwidth = [inf]\nlatency = [3, 100]\n[policies]\nskip_rates = [0.5]\nforecast = [false, true]\n"
    )
    out = tmp_path / "out"
    assert cli.main(["explore", str(path), "--jobs", "1", "--check", "1000", "--out", str(out)]) == 0
    found = Exploration.model_validate(json.loads((out / "explore.json").read_text()))
    assert len(found.checks) == 6 and {one.policy.partition(":")[0] for one in found.checks} == {
        "dense",
        "radit",
        "forecast",
    }
    assert all(one.measured == one.predicted > 0 and one.tolerance == 0 and one.passed for one in found.checks)
    assert capsys.readouterr().out.count("(equal, tolerance 0%), counters equal") == 6
    wrong = found.checks[0].model_copy(update={"predicted": found.checks[0].measured + 1})
    assert not wrong.passed and not found.model_copy(update={"checks": [wrong]}).passed


def test_costs_are_written_as_they_are(space, tmp_path):
    """Every line of a file is a point that comes back digit by digit."""
    explored(space, tmp_path / "out")
    for path in (tmp_path / "out" / "points").iterdir():
        for line in path.read_text().splitlines():
            content = json.loads(line)
            costs = load_points(path)[content["key"]]
            assert asdict(costs) == {name: value for name, value in content.items() if name not in ("key", "seal")}
            assert np.isfinite(list(asdict(costs).values())).all()
