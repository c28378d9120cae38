"""The frontier on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.common.markdown import power_text
from radit.reports.frontier.candidates import OURS
from radit.reports.frontier.schema import Frontier
from radit.terminal.tables import show_table, table_of


def show_frontier(result: Frontier, console: Console) -> None:
    """The least errors at each number of dense evaluations, and where ours are not they."""
    table = table_of("evaluations", ("error", "dense", "by", *OURS, "winner"))
    for one in result.budgets:
        ours = [power_text(one.by_policy[name]) if name in one.by_policy else "not reached" for name in OURS]
        by = one.dense_sampler
        table.add_row(f"{one.evaluations:g}", one.statistic, power_text(one.dense), by, *ours, one.winner)
    show_table(console, table)
    lost = [f"{one.evaluations:g} ({one.statistic}: {one.winner})" for one in result.budgets if one.winner not in OURS]
    console.print(f"ours lose at: {', '.join(lost) or 'no number of evaluations'}", highlight=False)
    if result.caution:
        console.print(result.caution, highlight=False)
