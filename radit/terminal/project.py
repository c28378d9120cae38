"""A projection on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from radit.reports.project.projection import Projected, Projection
from radit.terminal.tables import show_table, table_of


def projection_table(result: Projection) -> Table:
    """What an image or a clip takes, dense and skipping."""
    runs = [result.dense, *([result.skipping] if result.skipping else [])]
    table = table_of(f"modelled, per {result.noun}", ("dense", "skipping", "dense / skipping")[: 2 * len(runs) - 1])
    for name, texts, values in _projection_rows(runs):
        ratio = [f"{values[0] / values[1]:.3f}" if values[1] else ""] if len(values) == 2 else []
        table.add_row(name, *texts, *(ratio or [""] * (len(runs) - 1)))
    return table


def _projection_rows(runs: list[Projected]) -> Iterator[tuple[str, list[str], list[float]]]:
    """Name, texts, and the values whose ratio means something."""

    def row(name: str, pattern: str, values: list[float], compared: bool = False) -> tuple[str, list[str], list[float]]:
        return name, [pattern.format(value) for value in values], values if compared else []

    yield row("million cycles", "{:,.3f}", [run.cycles / 1e6 for run in runs], compared=True)
    yield row("milliseconds", "{:,.3f}", [run.milliseconds for run in runs])
    yield row("GMAC", "{:,.3f}", [run.macs / 1e9 for run in runs], compared=True)
    yield row("MACs skipped", "{:.1%}", [run.mac_skip_rate for run in runs])
    yield row("MAC utilization", "{:.1%}", [run.mac_utilization for run in runs])
    for phase in runs[0].phases:
        yield row(f"  cycles in {phase}", "{:.1%}", [run.phases[phase] for run in runs])
    yield row("external MB", "{:,.3f}", [sum(run.external_bytes.values()) / 1e6 for run in runs], compared=True)
    for cause in runs[0].external_bytes:
        yield row(f"  {cause.replace('_', ' ')}", "{:,.3f}", [run.external_bytes[cause] / 1e6 for run in runs])
    yield row("MACs per byte of memory", "{:,.1f}", [run.roofline.macs_per_byte for run in runs])
    yield row("memory-bound below, B/cycle", "{:.2f}", [run.roofline.bytes_per_peak_cycle for run in runs])
    yield row("energy, mJ", "{:,.2f}", [run.energy_uj.nominal / 1e3 for run in runs], compared=True)
    yield row("  low", "{:,.2f}", [run.energy_uj.low / 1e3 for run in runs])
    yield row("  high", "{:,.2f}", [run.energy_uj.high / 1e3 for run in runs])


def show(result: Projection, console: Console) -> None:
    """The projection on the terminal."""
    memory, array = result.memory, result.array
    limit = "unlimited bandwidth" if memory.bandwidth is None else f"{memory.bandwidth:g} bytes per cycle"
    console.print(
        f"{result.model}, {result.tokens} tokens, {result.contexts} contexts, {result.steps} timesteps, on a "
        f"{array.shape} array at {result.clock_mhz:g} MHz; memory: latency {memory.latency} cycles, {limit}"
        + (f", pauses {memory.stall:g}" if memory.stall else "")
        + (f", behind AXI of {result.axi} bits" if result.axi else ""),
        highlight=False,
    )
    if result.decisions:
        console.print(f"skipping: {result.decisions}", highlight=False)
    show_table(console, projection_table(result))
    console.print(f"per {result.noun}; everything is modelled, energy by table {result.energy_table}", highlight=False)
