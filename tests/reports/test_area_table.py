"""The account's tables, in Markdown and on the terminal."""

from rich.console import Console

from radit.reports.area.parts import BUILT, PARTS
from radit.reports.area.table import area_tables
from radit.terminal.area import cost_table, part_table
from tests.reports import made_up


def test_what_the_tables_say():
    account = made_up.area()
    text = area_tables(account)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {6}
    assert len(lines) == len(account.arrays) * (len(PARTS) - len(BUILT) + 5) + 2 + len(account.costs)
    assert "| 8x8, synthesized | cells | share of cells | share of gates | memory bits |" in text
    assert "| CCU | 10 | 0.85% | 0.85% | |" in text
    assert "| what decides | 30 | 2.54% | 2.54% | 4,096 |" in text
    assert "| all that only skipping needs | 50 | 4.24% | 4.24% | 4,096 |" in text
    assert "| machine, without what only observes | 1,180 | 100.00% | 100.00% | 4,096 |" in text
    assert "| digits, 4x4, radit | 50.0% | 2.00 | 5.00% | 1.25% |" in text
    assert "the sum of its pieces is +1.0% and -0.5% off" in text


def test_terminal_tables():
    console, account = Console(width=120), made_up.area()
    with console.capture() as shown:
        console.print(part_table(account.arrays[1]), cost_table(account))
    assert "synthesized, 8x8" in shown.get() and "memory bits" in shown.get()
    assert "digits, 4x4, forecast" in shown.get()
