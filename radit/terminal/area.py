"""The account of ``radit area`` on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from radit.reports.area.schema import Area, ArrayArea
from radit.reports.area.table import COLUMNS, COST_COLUMNS, cost_rows, part_rows, sentences
from radit.terminal.tables import show_table, table_of


def show_area(result: Area, console: Console) -> None:
    """Parts of every array, what deciding costs, and what both rest on."""
    for one in result.arrays:
        show_table(console, part_table(one))
    show_table(console, cost_table(result))
    console.print(*sentences(result), sep="\n", highlight=False)


def part_table(one: ArrayArea) -> Table:
    """Parts of an array on the terminal."""
    table = table_of(f"synthesized, {one.array.shape}", COLUMNS)
    for title, texts in part_rows(one):
        table.add_row(title, *texts)
    return table


def cost_table(area: Area) -> Table:
    """Costs on the terminal."""
    table = table_of("modelled, per image", COST_COLUMNS)
    for texts in cost_rows(area):
        table.add_row(*texts)
    return table
