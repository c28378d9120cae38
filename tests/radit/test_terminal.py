"""What the commands show where there is no terminal: lines in the place of bars."""

import torch
from rich.text import Text

from radit.model.policy.skip_policy import forecast
from radit.model.tuning.search import Point
from radit.terminal.calibration import told_trials
from radit.terminal.messages import asked_for, complain
from radit.terminal.progress import MacBar
from radit.terminal.run import show_run
from tests.reports import made_up


def test_trials_are_lines_without_a_terminal(capsys):
    point = Point(forecast(0.1), torch.full((2,), 0.25), torch.full((2,), 1e-3))
    with told_trials() as tell:
        assert capsys.readouterr().out == ""  # nothing before the work begins
        tell(None, 10)
        tell(point, 10)
    lines = capsys.readouterr().out.splitlines()
    assert f"{point.policy.text}: MAC reduction 4.00, mse 1.00e-03" in lines


def test_a_bar_that_nothing_started_shows_nothing(capsys):
    with told_trials(), MacBar("verilator"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_bar_counts_gmacs(capsys, monkeypatch):
    """On a terminal; results stay apart from it."""
    with MacBar("verilator") as bar:
        bar(0, 4_000_000_000)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if on a terminal
    monkeypatch.setenv("COLUMNS", "120")
    with MacBar("verilator") as bar:
        bar(0, 4_000_000_000)
        bar(3_000_000_000, 3_000_000_000)
    found = capsys.readouterr()
    assert found.out == "" and "verilator" in found.err and "3.0/3.0 GMAC" in Text.from_ansi(found.err).plain


def test_complaints_name_the_program(capsys):
    complain("one thing.", "another.")
    assert capsys.readouterr().err == "radit: one thing.\nradit: another.\n"
    assert asked_for(["cosim", "--steps", "3"]) == "radit cosim --steps 3"
    assert asked_for(["cosim", "--out", "a b", "\x1b[31m\n"]) == "radit cosim --out 'a b' '\\x1b[31m\\n'"


def test_what_saturates_and_other_ranges_are_told_beside_the_verdict(tmp_path, capsys, rng):
    summary = made_up.summary(rng)
    show_run(summary, True, tmp_path, 1.0)
    told = capsys.readouterr().out
    assert "saturated" not in told and "int8 ranges" not in told and "all equal" in told
    summary.results["radit"].counters["score_saturations"] = 645
    summary.results["radit"].host_saturations = 281
    summary.ranges_cfg, summary.sampler.cfg = 1.5, 4.0
    show_run(summary, True, tmp_path, 1.0)
    *_, saturated, ranges, _, verdict = capsys.readouterr().out.splitlines()
    assert saturated == "radit    saturated 16 bit: 645 words in the RTL (score 645), 281 values at the host"
    assert ranges == "int8 ranges are those of guidance 1.5, this run's guidance is 4."
    where = "645 words in the RTL and 281 values at the host"
    assert verdict.startswith(f"all equal, but saturated: {where}; results in")
