"""What the commands show where there is no terminal: lines in the place of bars."""

import torch
from rich.text import Text

from radit.model.policy.skip_policy import forecast
from radit.model.tuning.search import Point
from radit.terminal.calibration import told_trials
from radit.terminal.messages import asked_for, complain
from radit.terminal.progress import MacBar


def test_trials_are_lines_without_a_terminal(capsys):
    point = Point(forecast(0.1), torch.full((2,), 0.25), torch.full((2,), 1e-3), torch.zeros(3, 2))
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
