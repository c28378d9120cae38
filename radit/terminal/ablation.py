"""An ablation on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.ablation.schema import Ablations
from radit.terminal.tables import show_table, table_of


def show_ablations(result: Ablations, console: Console) -> None:
    """The ratio to ours of every variant at every reduction."""
    reductions = sorted({point.wanted for point in result.points})
    table = table_of("variant", tuple(f"{reduction:g}x" for reduction in reductions))
    for label, group in dict.fromkeys((point.label, point.group) for point in result.points):
        cells = [_cell(result, label, group, reduction) for reduction in reductions]
        table.add_row(f"{group}: {label}", *cells)
    show_table(console, table)


def _cell(result: Ablations, label: str, group: str, reduction: float) -> str:
    point = next(p for p in result.points if (p.label, p.group, p.wanted) == (label, group, reduction))
    return f"{point.ratio:.2f} +-{point.ratio_spread:.2f}"
