"""What a run tells on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from accel.registers import CAUSES
from reports.projection import Projected, Projection
from reports.schema import PolicyResult, Summary, booked


def table_of(first: str, names: tuple[str, ...]) -> Table:
    """An empty table: a column of words, then columns of numbers."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def stall_table(result: PolicyResult) -> Table:
    """Shares of a policy's cycles by phase and cause."""
    table = table_of("phase", (*CAUSES, "cycles"))
    total = max(1, result.cycles)
    for phase, causes in result.stalls.items():
        table.add_row(phase, *(f"{causes[cause] / total:.1%}" for cause in CAUSES), f"{sum(causes.values()):,}")
    sums = [sum(causes[cause] for causes in result.stalls.values()) for cause in CAUSES]
    table.add_row("all", *(f"{part / total:.1%}" for part in sums), f"{booked(result.stalls):,}")
    return table


def tell(summary: Summary, equal: bool, out: Path, seconds: float) -> None:
    """The result in a few lines; of a single policy, which has no report, also where its cycles go."""
    console = Console(soft_wrap=True)
    if len(summary.results) == 1:
        for name, result in summary.results.items():
            console.print(f"{name}: cycles by phase and what the array waits for", highlight=False)
            console.print(stall_table(result))
    for name, result in summary.results.items():
        console.print(
            f"{name:8} {result.cycles:,} cycles, {result.macs:,} MACs, utilization {result.mac_utilization:.1%}, "
            f"{result.energy_uj.nominal:,.0f} uJ ({result.energy_uj.low:,.0f} to {result.energy_uj.high:,.0f}), "
            f"{result.gmac_per_second:.3g} GMAC/s",
            highlight=False,
        )
    for name, r in summary.dense_over.items():
        console.print(
            f"dense / {name}: cycles {r.cycles:.2f}, MACs {r.macs:.2f}, energy {r.energy_nominal:.2f}", highlight=False
        )
    for name, model in summary.cycle_models.items():
        console.print(f"{name:8} cycle model: {model.predicted:,} cycles predicted, {model.found}", highlight=False)
    check = summary.check
    console.print(
        f"check: {check.words_compared:,} words compared, {check.words_mismatched:,} differ; "
        f"{check.decisions_compared:,} decisions compared, {check.decisions_mismatched:,} differ; "
        f"{summary.sampler.noun}s {'identical' if check.images_identical else 'DIFFER'}, "
        f"counters {'equal' if check.counters_equal else 'DIFFER'}",
        highlight=False,
    )
    if summary.quality:
        console.print(f"quality: {summary.quality.origin}", highlight=False)
    console.print(f"{'all equal' if equal else 'NOT EQUAL'}; results in {out} ({seconds:.0f} s)", highlight=False)


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
