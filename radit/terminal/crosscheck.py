"""A cross-check on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.crosscheck.schema import CrossCheck
from radit.reports.crosscheck.table import CYCLE_HEADS, ENERGY_HEADS, SOURCES, WHY, cycle_rows, energy_row
from radit.terminal.tables import show_table, table_of


def show_crosscheck(result: CrossCheck, console: Console) -> None:
    """Cycles by model and array, energies by entry, and what the columns mean."""
    for title, rows in cycle_rows(result):
        console.print(f"{title}, {result.simulator}:", highlight=False)
        _show(CYCLE_HEADS, rows, console)
    console.print(WHY, highlight=False)
    console.print(f"energy table {result.energy_table}:", highlight=False, markup=False)
    _show(ENERGY_HEADS, [energy_row(one) for one in result.energies], console)
    console.print(SOURCES, highlight=False)


def _show(heads: tuple[str, ...], rows: list[list[str]], console: Console) -> None:
    shown = table_of(heads[0], heads[1:])
    for row in rows:
        shown.add_row(*row)
    show_table(console, shown)
