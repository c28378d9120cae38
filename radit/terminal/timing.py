"""The account of ``radit timing`` on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.timing.schema import Timing
from radit.reports.timing.table import (
    COLUMNS,
    POWER_COLUMNS,
    part_rows,
    path_sentences,
    power_rows,
    power_sentence,
    summary_sentences,
)
from radit.terminal.tables import show_table, table_of


def show_timing(result: Timing, console: Console) -> None:
    """Longest paths of every part, the clock that they mean, the paths in source terms, and power where it is there."""
    for one in result.arrays:
        table = table_of(f"synthesized, {one.array.shape}", COLUMNS)
        for texts in part_rows(one):
            table.add_row(*texts)
        show_table(console, table)
        console.print(*summary_sentences(result, one), *path_sentences(one), sep="\n", highlight=False, markup=False)
        if one.power:
            table = table_of(f"power, {one.array.shape}", POWER_COLUMNS)
            for texts in power_rows(one.power):
                table.add_row(*texts)
            show_table(console, table)
            console.print(power_sentence(one.power), highlight=False)
