"""What a run tells on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from radit.accel.control.registers import CAUSES
from radit.reports.run.schema import PolicyResult, Summary, booked
from radit.terminal.console import console
from radit.terminal.tables import show_table, table_of


def stall_table(result: PolicyResult) -> Table:
    """Shares of a policy's cycles by phase and cause."""
    table = table_of("phase", (*CAUSES, "cycles"))
    total = max(1, result.cycles)
    for phase, causes in result.stalls.items():
        table.add_row(phase, *(f"{causes[cause] / total:.1%}" for cause in CAUSES), f"{sum(causes.values()):,}")
    sums = [sum(causes[cause] for causes in result.stalls.values()) for cause in CAUSES]
    table.add_row("all", *(f"{part / total:.1%}" for part in sums), f"{booked(result.stalls):,}")
    return table


def verdict(summary: Summary, equal: bool) -> str:
    """What is not equal; or that all is, and how much was clamped, which the reference does alike."""
    if not equal:
        return f"NOT EQUAL: {', '.join(summary.failed)}"
    words = sum(sum(result.saturated_words.values()) for result in summary.results.values())
    values = sum(result.host_saturations for result in summary.results.values())
    clamped = [f"{words:,} words in the RTL"] * bool(words) + [f"{values:,} values at the host"] * bool(values)
    return f"all equal, but saturated: {' and '.join(clamped)}" if clamped else "all equal"


def show_run(summary: Summary, equal: bool, out: Path, seconds: float) -> None:
    """The result in a few lines; of a single policy, which has no report, also where its cycles go."""
    terminal = console()
    if len(summary.results) == 1:
        for name, result in summary.results.items():
            terminal.print(f"{name}: cycles by phase and what the array waits for")
            show_table(terminal, stall_table(result))
    for name, result in summary.results.items():
        terminal.print(
            f"{name:8} {result.cycles:,} cycles, {result.macs:,} MACs, utilization {result.mac_utilization:.1%}, "
            f"{result.energy_uj.nominal:,.0f} uJ ({result.energy_uj.low:,.0f} to {result.energy_uj.high:,.0f}), "
            f"{result.gmac_per_second:.3g} GMAC/s"
        )
    for name, r in summary.ratios.items():
        terminal.print(f"dense / {name}: cycles {r.cycles:.2f}, MACs {r.macs:.2f}, energy {r.energy_nominal:.2f}")
    for name, model in summary.cycle_models.items():
        terminal.print(f"{name:8} cycle model: {model.predicted:,} cycles predicted, {model.found}")
    for sentence in summary.imprecise:
        terminal.print(sentence)
    check = summary.check
    terminal.print(
        f"check: {check.words_compared:,} words compared, {check.words_mismatched:,} differ; "
        f"{check.decisions_compared:,} decisions compared, {check.decisions_mismatched:,} differ; "
        f"{summary.sampler.noun}s {'identical' if check.images_identical else 'DIFFER'}, "
        f"counters {'equal' if check.counters_equal else 'DIFFER'}"
    )
    for name, result in summary.results.items():
        if result.saturated:
            terminal.print(f"{name:8} saturated 16 bit: {result.saturated}")
    if summary.other_ranges:
        terminal.print(f"{summary.other_ranges}.")
    if summary.quality:
        terminal.print(f"quality: {summary.quality.origin}")
    terminal.print(f"{verdict(summary, equal)}; results in {out} ({seconds:.0f} s)")
