"""The frontier on the terminal."""

from __future__ import annotations

from rich.console import Console

from radit.reports.frontier.candidates import FEWER
from radit.reports.frontier.schema import OURS, Frontier
from radit.terminal.tables import show_table, table_of


def show_frontier(result: Frontier, console: Console) -> None:
    """The winner at each cycle budget, and where our policy is not it."""
    table = table_of("cycles", ("winner", "mse", OURS, f"{FEWER} / {OURS}"))
    for one in result.winners:
        ours = "not reached" if one.forecast_mse is None else f"{one.forecast_mse:.6f}"
        ratio = one.fewer_steps_over_forecast
        table.add_row(f"{one.budget:g}x", one.policy, f"{one.mse:.6f}", ours, "" if ratio is None else f"{ratio:.2f}")
    show_table(console, table)
    lost = [f"{one.budget:g}x ({one.policy})" for one in result.winners if one.policy != OURS]
    console.print(f"{OURS} loses at: {', '.join(lost) or 'no budget'}", highlight=False)
