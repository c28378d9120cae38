"""What differences would save, on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.differences.schema import DifferenceReport
from radit.reports.differences.table import BASES, SHARE_HEADS, share_rows, short_machine_rows
from radit.terminal.tables import show_table, table_of


def show_differences(result: DifferenceReport, console: Console) -> None:
    """Shares of narrow words on the first array, and factors over the same machine without differences."""
    shares = table_of("measured, words of", SHARE_HEADS[1:])
    for row in share_rows(result):
        shares.add_row(*row)
    show_table(console, shares)
    machines = table_of("modelled, cycles", BASES)
    for row in short_machine_rows(result):
        machines.add_row(*row)
    show_table(console, machines)
    console.print(
        "cycles without differences over cycles with them, in brackets the same over the gates; everything in both "
        "runs but the products with weights is alike",
        highlight=False,
    )
