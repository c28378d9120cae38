"""The README's result table, generated from summary.json between two comment markers.

``python -m reports.readme_table [SUMMARY]`` keeps a copy of a run's summary.json in docs/results and writes the table
from it; without an argument, from the copy there is. ``stale`` is what the test asks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from model.errors import UserError
from reports.files import atomic_write
from reports.schema import Comparison
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
        "| | dense | RADiT | dense / RADiT | |",
        "|---|---:|---:|---:|---|",
        *_cost_rows(s),
        *_quality_rows(s),
        "",
        _check_line(s),
    ]
    return "\n".join(lines)


def _memory(s: Comparison) -> str:
    limit = f"of {s.memory.bandwidth:g} bytes per cycle" if s.memory.bandwidth else "without limit"
    return f"memory {limit} at a latency of {s.memory.latency} cycles"


def _cost_rows(s: Comparison) -> list[str]:
    dense, radit = s.dense, s.radit
    energies = [f"{e.nominal:,.0f} ({e.low:,.0f} - {e.high:,.0f})" for e in (dense.energy_uj, radit.energy_uj)]
    shares = [100 * dense.mac_utilization, 100 * radit.mac_utilization]
    return [
        f"| cycles, million | {dense.cycles / 1e6:,.3f} | {radit.cycles / 1e6:,.3f} | {s.ratios.cycles:.2f} "
        "| measured |",
        f"| MACs, million | {dense.macs / 1e6:,.0f} | {radit.macs / 1e6:,.0f} | {s.ratios.macs:.2f} | measured |",
        f"| MAC utilization | {shares[0]:.1f} % | {shares[1]:.1f} % | | measured |",
        f"| energy, uJ: nominal (low - high) | {energies[0]} | {energies[1]} | {s.ratios.energy_nominal:.2f} "
        f"| modelled, table {s.provenance.energy_table} |",
    ]


def _quality_rows(s: Comparison) -> list[str]:
    q = s.quality
    if q is None:
        return []
    return [
        f"| Frechet distance, {q.samples:,} samples (float {q.fd_float:.3g}; re-seeding +-{q.fd_noise:.2g}) "
        f"| {q.fd_int8:.3g} | {q.fd_radit:.3g} | | measured |",
        f"| label accuracy (float {q.accuracy_float:.1%}) | {q.accuracy_int8:.1%} | {q.accuracy_radit:.1%} | "
        "| measured |",
        f"| mean squared error to dense (fewer steps, same MACs: {q.mse_fewer_steps_same_macs:.2g}) "
        f"| 0 | {q.mse_radit_to_dense:.2g} | | measured |",
    ]


def _check_line(s: Comparison) -> str:
    c = s.check
    return (
        f"RTL against the integer reference: {c.words_compared:,} words compared, {c.words_mismatched:,} mismatched; "
        f"{c.decisions_compared:,} decisions compared, {c.decisions_mismatched:,} mismatched; images "
        f"{'identical' if c.images_identical else 'DIFFERENT'}; counters "
        f"{'equal to' if c.counters_equal else 'DIFFERENT from'} the independent count."
    )


def _split(text: str) -> tuple[str, str, str]:
    """Text before, between and after the markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise UserError(f"README lacks one pair of the markers {BEGIN} and {END}; put them around the result table.")
    head, rest = text.split(BEGIN)
    table, tail = rest.split(END)
    return head, table, tail


def updated(readme: str, summary: Comparison) -> str:
    """The README's text with the table of this summary.

    Raises:
        UserError: the markers are missing.
    """
    head, _, tail = _split(readme)
    return f"{head}{BEGIN}\n{results_table(summary)}\n{END}{tail}"


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
