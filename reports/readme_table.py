"""The README's result table, generated from summary.json between two comment markers.

``python -m reports.readme_table [SUMMARY]`` keeps a copy of a run's summary.json in docs/results and writes the table
from it; without an argument, from the copy there is. ``stale`` is what the test asks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from model.errors import UserError
from reports.files import atomic_write, put_between
from reports.schema import POLICY_LABELS, Comparison, PolicyResult
from reports.summary import load_summary

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
STORED_SUMMARY = ROOT / "docs" / "results" / "summary.json"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def results_table(summary: Comparison) -> str:
    """The table in Markdown, with what was run above it."""
    s = summary
    lines = [
        f"{s.sampler.images} images x {s.sampler.steps} DDIM steps, guidance {s.sampler.cfg:g}, model `{s.model}`, "
        f"{s.array.rows}x{s.array.cols} array, {_memory(s)}, engine {s.engine}, seed {s.sampler.seed}. "
        "Totals of the run.",
        "",
        _row("", [POLICY_LABELS[name] for name in s.results], [f"dense / {POLICY_LABELS[n]}" for n in s.dense_over]),
        f"|---|{'---:|' * (len(s.results) + len(s.dense_over))}---|",
        *_cost_rows(s),
        *_quality_rows(s),
        "",
        _check_line(s),
    ]
    return "\n".join(lines)


def _memory(s: Comparison) -> str:
    limit = f"of {s.memory.bandwidth:g} bytes per cycle" if s.memory.bandwidth else "without limit"
    return f"memory {limit} at a latency of {s.memory.latency} cycles"


def _row(name: str, values: list[str], ratios: list[str], basis: str = "") -> str:
    """A line of the table: a value per policy, then dense over every skipping policy."""
    return f"| {' | '.join([name, *values, *ratios, basis])} |".replace("|  |", "| |").replace("|  |", "| |")


def _cost_rows(s: Comparison) -> list[str]:
    def row(name: str, text: Callable[[PolicyResult], str], ratio: str = "", basis: str = "measured") -> str:
        ratios = [f"{getattr(each, ratio):.2f}" if ratio else "" for each in s.dense_over.values()]
        return _row(name, [text(result) for result in s.results.values()], ratios, basis)

    def energy(result: PolicyResult) -> str:
        bounds = result.energy_uj
        return f"{bounds.nominal:,.0f} ({bounds.low:,.0f} - {bounds.high:,.0f})"

    table = f"modelled, table {s.provenance.energy_table}"
    return [
        row("cycles, million", lambda result: f"{result.cycles / 1e6:,.3f}", "cycles"),
        row("MACs, million", lambda result: f"{result.macs / 1e6:,.0f}", "macs"),
        row("MAC utilization", lambda result: f"{100 * result.mac_utilization:.1f} %"),
        row("energy, uJ: nominal (low - high)", energy, "energy_nominal", table),
    ]


def _quality_rows(s: Comparison) -> list[str]:
    q = s.quality
    if q is None:
        return []

    def row(name: str, pattern: str, values: Mapping[str, float | None]) -> str:
        found = [values[policy] for policy in s.results]
        cells = ["" if value is None else pattern.format(value) for value in found]
        return _row(name, cells, [""] * len(s.dense_over), "measured")

    bars = f"fewer steps, same MACs: {q.mse_fewer_steps_same_macs:.2g}"
    bars += f"; 30 of 50 steps: {q.mse_30_of_50:.2g}" if q.mse_30_of_50 is not None else ""
    distance = f"Frechet distance, {q.samples:,} samples (float {q.fd_float:.3g}; re-seeding +-{q.fd_noise:.2g})"
    accuracies = {"dense": q.accuracy_int8, "radit": q.accuracy_radit, "forecast": q.accuracy_forecast}
    errors = {"dense": 0.0, "radit": q.mse_radit_to_dense, "forecast": q.mse_forecast_to_dense}
    return [
        row(distance, "{:.3g}", {"dense": q.fd_int8, "radit": q.fd_radit, "forecast": q.fd_forecast}),
        row(f"label accuracy (float {q.accuracy_float:.1%})", "{:.1%}", accuracies),
        row(f"mean squared error to dense ({bars})", "{:.2g}", errors),
    ]


def _check_line(s: Comparison) -> str:
    c = s.check
    return (
        f"RTL against the integer reference: {c.words_compared:,} words compared, {c.words_mismatched:,} mismatched; "
        f"{c.decisions_compared:,} decisions compared, {c.decisions_mismatched:,} mismatched; images "
        f"{'identical' if c.images_identical else 'DIFFERENT'}; counters "
        f"{'equal to' if c.counters_equal else 'DIFFERENT from'} the independent count."
    )


def updated(readme: str, summary: Comparison) -> str:
    """The README's text with the table of this summary.

    Raises:
        UserError: the markers are missing.
    """
    return put_between(readme, BEGIN, END, results_table(summary))


def stale(readme: Path, summary: Path) -> bool:
    """True where the README's table is not the one of the summary."""
    text = readme.read_text()
    return text != updated(text, load_summary(summary).comparison())


def main(summary: Path | None = None, readme: Path = README, stored: Path = STORED_SUMMARY) -> None:
    """Store the summary where one is given, and write its table into the README; each whole or not at all.

    Raises:
        UserError: the summary does not fit its schema, or the README has no place for the table.
    """
    source = summary or stored
    text = updated(readme.read_text(), load_summary(source).comparison())
    if source != stored:
        atomic_write(stored, source.read_bytes())
    atomic_write(readme, text)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m reports.readme_table [SUMMARY]")
    try:
        main(*(Path(argument) for argument in sys.argv[1:]))
    except UserError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
