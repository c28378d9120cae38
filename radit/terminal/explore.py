"""A design space on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.explore.schema import BestTable, Exploration
from radit.terminal.tables import show_table, table_of

MOST_CELLS = 2000  # of a table that is shown


def show_exploration(result: Exploration, console: Console) -> None:
    """The question, its tables, how many points nothing beats, and what the RTL says."""
    speed = result.speed
    console.print(result.question, highlight=False)
    for table in result.tables:
        if len(table.rows) * len(table.columns) <= MOST_CELLS:
            console.print(f"{table.title}:", highlight=False)
            _show(table, console)
    fronts = {
        "time and energy": sum(one.front for one in result.points),
        "gates and on-chip memory as well": sum(one.area_front for one in result.points),
        "time, energy and error": sum(one.error_front for one in result.points),
    }
    said = "; ".join(f"{count:,} in {what}" for what, count in fronts.items() if count)
    console.print(f"{speed.points:,} points, modelled; nothing beats {said}", highlight=False)
    if speed.evaluated:
        console.print(
            f"{speed.evaluated:,} evaluated in {speed.seconds:.1f} s with {speed.jobs} processes, {speed.kept:,} kept "
            f"from before: {speed.per_minute:,.0f} points a minute, {speed.per_core_minute:,.0f} per minute of a core",
            highlight=False,
        )
    for one in result.checks:
        verdict = "equal" if one.predicted == one.measured else f"{one.predicted / one.measured - 1:+.3%}"
        console.print(
            f"RTL {one.measured:,} cycles, model {one.predicted:,} ({verdict}, tolerance {one.tolerance:.0%}), "
            f"counters {'equal' if one.counters_equal else 'DIFFER'}: {one.command}",
            highlight=False,
        )


def _show(table: BestTable, console: Console) -> None:
    shown = table_of("", tuple(table.columns))
    for row, cells in zip(table.rows, table.cells, strict=True):
        shown.add_row(row, *("" if cell is None else f"{cell:,.4g}" for cell in cells))
    show_table(console, shown)
