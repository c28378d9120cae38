"""The account of ``radit synth`` on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.synth.schema import Synthesis
from radit.reports.synth.table import COLUMNS, build_rows, part_rows, path_sentence
from radit.terminal.tables import show_table, table_of


def show_synthesis(result: Synthesis, console: Console) -> None:
    """Resources of every build, of its parts, and the longest path in source terms."""
    for one in result.builds:
        table = table_of(f"{one.target}, {one.array.shape}", list(one.totals))
        for texts in part_rows(one):
            table.add_row(*texts)
        show_table(console, table)
        if said := path_sentence(one):
            console.print(said, highlight=False, markup=False)
    table = table_of(COLUMNS[0], COLUMNS[1:])
    for texts in build_rows(result):
        table.add_row(*texts)
    show_table(console, table)
