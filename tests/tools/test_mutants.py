"""tools/mutations: what is changed, the sample, the copy that is tested, and the verdict's way into the result."""

import ast
import os
import time
from dataclasses import replace

import pytest

from tests.system.gauntlet import BUILDS
from tools.mutations import report as reports
from tools.mutations.mutants import ROOT, Mutant, all_mutants, hardware_files, sample
from tools.mutations.operators import changes, processes, syntax_tree
from tools.mutations.report import report
from tools.mutations.verdicts import CAUGHT, SAME, SURVIVED, Original, Record, Verdict, judge
from tools.mutations.workshop import Fault, Workshop, run_apart

SOURCE = """
WIDTH_BITS = 4
MOST = 7

@block
def unit(clk, aresetn, a, b, c):
    LAST = MOST - 1
    busy = flag()

    @always_comb
    def decide():
        c.next = a and not b

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if a:
            busy.next = b + 1
        elif b == LAST:
            busy.next = 0

    return decide, count
"""


def changed(kind: str) -> set[str]:
    """The lines that a kind of change makes of SOURCE."""
    mutants = [Mutant("unit.py", SOURCE, change) for change in changes(SOURCE) if change.kind == kind]
    return {mutant.diff.partition("\n+")[2].strip() for mutant in mutants}


def test_every_kind_of_change():
    assert {change.kind for change in changes(SOURCE)} == set(WANTED)
    for kind, lines in WANTED.items():
        assert changed(kind) == lines, kind


WANTED = {
    "arithmetic": {"busy.next = (b - 1)"},
    "logic": {"c.next = (a or not b)"},
    "negation": {"c.next = a and (b)"},
    "comparison": {"elif b != LAST:"},
    "off by one": {"elif b == (LAST + 1):"},
    "condition negated": {"if not (a):", "elif not (b == LAST):"},
    "condition true": {"if True:"},
    "enable dropped": {"elif True:"},
    "condition false": {"if False:", "elif False:"},
    "assignment removed": {"pass"},
    "a cycle late": {'@__import__("myhdl").always(clk.posedge)'},
    "reset left out": {"@always_seq(clk.posedge, reset=None)"},
    "reset value": {'busy = __import__("myhdl").Signal(bool(1))'},
    "constant": {
        *("WIDTH_BITS = (4) - 1", "MOST = (7) + 1", "MOST = (7) - 1", "LAST = (MOST - 1) + 1", "LAST = (MOST - 1) - 1"),
        *("busy.next = b + 2", "busy.next = b + 0", "busy.next = 1"),
    },
}


@pytest.fixture(scope="module")
def mutants() -> list[Mutant]:
    return all_mutants(hardware_files())


def test_the_sample_has_all_files_and_kinds(mutants):
    chosen = sample(mutants, 245, 1)
    assert len(chosen) >= 220 and len({mutant.id for mutant in mutants}) == len(mutants)
    assert chosen == sample(mutants, 245, 1) != sample(mutants, 245, 2)
    assert {mutant.file for mutant in chosen} == {mutant.file for mutant in mutants}
    assert {mutant.change.kind for mutant in chosen} == {mutant.change.kind for mutant in mutants}
    paths = (ROOT / "accel").rglob("*.py")
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    assert {name for name, text in texts.items() if processes(syntax_tree(text))} == set(hardware_files())


def test_every_mutant_is_python_and_differs(mutants):
    for mutant in sample(mutants, 150, 3):
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(mutant.source)), mutant.diff


def test_an_id_outlives_lines_above_it(mutants):
    mutant = mutants[-1]
    moved = "# moved\n" + mutant.source
    again = [Mutant(mutant.file, moved, change, mutant.turn) for change in changes(moved)]
    assert mutant.id in {each.id for each in again}


# -- the copy --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop() -> Workshop:
    folder = ROOT / "build" / "mutations"
    return Workshop(folder / "test", folder / "cache")


@pytest.fixture(scope="module")
def original(shop) -> Original:
    return Original.of(shop, ["4x8"])


@pytest.mark.needs("verilator")
def test_verdicts(shop, original, mutants):
    """One that hangs, one that cannot be converted, one that changes nothing; and the copy is whole again."""
    counter = next(m for m in mutants if m.change.scope == "tile_counter.count_k" and m.change.new == "(k_left + 1)")
    assert judge(counter, original, shop).stage == "gauntlet"
    named = replace(counter, change=replace(counter.change, new="no_such_signal"))
    assert judge(named, original, shop).stage == "conversion"
    same = replace(counter, change=replace(counter.change, new="((k_left) - 1)"))
    assert judge(same, original, shop).state == SAME
    shop.hold(None)
    assert (shop.tree / counter.file).read_text() == (ROOT / counter.file).read_text() == counter.source


def test_the_quick_conversion_writes_what_the_usual_one_does(shop, original):
    """In a process of the same hash seed, on which the order of resets depends."""
    program = f"""
from pathlib import Path
from radit.accel.config import BuildConfig
from radit.accel.export.convert import convert
convert({BUILDS["4x8"]!r}, "verilog", Path("usual"))"""
    shop.run_python("-c", program)
    assert (shop.tree / "usual" / "radit_top.v").read_text() == original.verilog["4x8"]


def test_a_crash_and_a_hang_are_faults():
    run_apart(lambda: "", 60, "nothing")
    with pytest.raises(Fault, match="a crash: the simulation broke off"):
        run_apart(lambda: os._exit(3), 60, "a crash")
    with pytest.raises(Fault, match="a hang: not over after 1 seconds"):
        run_apart(lambda: time.sleep(60), 1, "a hang")
    with pytest.raises(Fault, match="a word: expected 1"):
        run_apart(lambda: "expected 1", 60, "a word")


# -- the result ------------------------------------------------------------------------------------------------------


@pytest.fixture
def explained(tmp_path, monkeypatch):
    """``explained(text)``: what equivalent.toml says."""

    def write(text: str) -> None:
        (tmp_path / "equivalent.toml").write_text(text)
        monkeypatch.setattr(reports, "EXPLAINED", tmp_path / "equivalent.toml")

    return write


def verdicts(mutants: list[Mutant], *states: str) -> dict[str, Verdict]:
    return {mutant.id: Verdict(mutant.id, state, "gauntlet") for mutant, state in zip(mutants, states, strict=True)}


def test_the_score_counts_what_changes_the_behaviour(mutants, explained, capsys):
    some, states = mutants[:40], [SAME] * 2 + [CAUGHT] * 36 + [SURVIVED] * 2
    explained("")
    assert report(some, verdicts(some, *states), is_whole=True) == 1
    said = capsys.readouterr().out
    assert "38 change the behaviour, 36 of them are caught" in said and "score 94.7%" in said
    assert all(mutant.diff in said for mutant in some[-2:])
    explained(f'[[equivalent]]\nid = "{some[-1].id}"\nreason = "It only saves energy."\n')
    assert report(some, verdicts(some, *states), is_whole=True) == 0
    said = capsys.readouterr().out
    assert "37 change the behaviour, 36 of them are caught" in said and "It only saves energy." in said


def test_an_explanation_that_explains_nothing_fails(mutants, explained, capsys):
    explained(f'[[equivalent]]\nid = "{mutants[0].id}"\nreason = "It only saves energy."\n')
    assert report(mutants[:1], verdicts(mutants[:1], CAUGHT), is_whole=True) == 1
    assert "explains no survivor" in capsys.readouterr().out
    assert report(mutants[:1], verdicts(mutants[:1], CAUGHT), is_whole=False) == 0


def test_verdicts_are_kept_and_survivors_judged_again_with_other_tests(tmp_path, monkeypatch):
    record = Record(tmp_path, Original({}, {}))
    kept = [Verdict("one", CAUGHT, "gauntlet", "cycles", 1.5), Verdict("two", SURVIVED)]
    for verdict in kept:
        record.add(verdict)
    with record.path.open("a") as file:
        file.write('{"id": "cut')
    assert record.read() == {verdict.id: verdict for verdict in kept}
    monkeypatch.setattr("tools.mutations.verdicts.tests_digest", lambda: "other")
    assert Record(tmp_path, Original({}, {})).read() == {"one": kept[0]}


def test_every_explanation_has_a_reason():
    for explanation in reports.explanations():
        assert len(explanation.reason) > 20
