"""The account of ``radit synth`` on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.synth.schema import Synthesis
from radit.reports.synth.table import build_rows, columns, part_columns, part_rows, sentences
from radit.terminal.tables import show_table, table_of


def show_synthesis(result: Synthesis, console: Console) -> None:
    """Resources of every build, of its parts, and the longest path in source terms."""
    for one in result.builds:
        table = table_of(f"{one.target}, {one.array.shape}", tuple(part_columns(one)))
        for texts in part_rows(one):
            table.add_row(*texts)
        show_table(console, table)
        console.print(*sentences(one), sep="\n", highlight=False, markup=False)
    first, *others = columns(result)
    table = table_of(first, tuple(others))
    for texts in build_rows(result):
        table.add_row(*texts)
    show_table(console, table)
