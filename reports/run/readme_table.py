"""The README's result tables, of images and of clips, generated from summary.json between comment markers.

``python -m reports.run.readme_table [SUMMARY]`` keeps a copy of a run's summary.json in docs/results and writes its
table from it; without an argument, the tables of the copies there are. ``stale`` is what the test asks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from model.errors import UserError
from model.files import write_file
from reports.common.generated_section import put_between
from reports.run.schema import POLICY_LABELS, Comparison, PolicyResult, Quality
from reports.run.summary import load_summary

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
STORED_SUMMARY = ROOT / "docs" / "results" / "summary.json"
STORED_CLIPS = ROOT / "docs" / "results" / "clips.json"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
CLIPS_BEGIN, CLIPS_END = "<!-- clips:begin -->", "<!-- clips:end -->"


def results_table(summary: Comparison) -> str:
    """The table in Markdown, with what was run above it."""
    s = summary
    lines = [
        f"{s.sampler.images} {s.sampler.noun}s x {s.sampler.steps} DDIM steps, guidance {s.sampler.cfg:g}, "
        f"model `{s.model}`, {s.array.rows}x{s.array.cols} array, {_memory(s)}, engine {s.engine}, "
        f"seed {s.sampler.seed}. "
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

    def row(name: str, pattern: str, values: Mapping[str, float | str | None]) -> str:
        found = [values.get(policy) for policy in s.results]
        cells = ["" if value is None else pattern.format(value) for value in found]
        return _row(name, cells, [""] * len(s.dense_over), "measured")

    bars = f"fewer steps, same MACs: {q.error_text('fewer_steps')}"
    bars += f"; 30 of 50 steps: {q.error_text('30_of_50')}" if q.mse_30_of_50 is not None else ""
    spread = "" if q.mse_spread is None else " +- standard error"
    own = q.clips["data"] if q.clips else None
    distance = f"Frechet distance, {q.samples:,} samples (float {q.fd_float:.3g}; re-seeding +-{q.fd_noise:.2g}"
    distance += f"; as many of the data {own.fd:.3g})" if own else ")"
    accuracies = {"dense": q.accuracy_int8, "radit": q.accuracy_radit, "forecast": q.accuracy_forecast}
    errors = {"dense": "0"} | {name: q.error_text(name) for name in q.paired_errors}
    return [
        row(distance, "{:.3g}", {"dense": q.fd_int8, "radit": q.fd_radit, "forecast": q.fd_forecast}),
        row(f"label accuracy (float {q.accuracy_float:.1%})", "{:.1%}", accuracies),
        row(f"mean squared error to dense{spread} ({bars})", "{}", errors),
        *(row(*each) for each in _clip_measures(q)),
    ]


def _clip_measures(q: Quality) -> list[tuple[str, str, dict[str, float]]]:
    """Name, pattern and values by policy of what only clips have."""
    if q.clips is None:
        return []
    rows = []
    for field, name, pattern in (
        ("accuracy_frames", "frames with the label's class", "{:.1%}"),
        ("straight", "clips within half a pixel of a bouncing path", "{:.1%}"),
        ("departure", "departure from such a path, pixels", "{:.2f}"),
    ):
        found = {policy: getattr(measures, field) for policy, measures in q.clips.items()}
        rows.append((f"{name} (the data {pattern.format(found['data'])})", pattern, found))
    return rows


def _check_line(s: Comparison) -> str:
    c = s.check
    return (
        f"RTL against the integer reference: {c.words_compared:,} words compared, {c.words_mismatched:,} mismatched; "
        f"{c.decisions_compared:,} decisions compared, {c.decisions_mismatched:,} mismatched; {s.sampler.noun}s "
        f"{'identical' if c.images_identical else 'DIFFERENT'}; counters "
        f"{'equal to' if c.counters_equal else 'DIFFERENT from'} the independent count."
    )


def updated(readme: str, summary: Comparison) -> str:
    """The README's text with the table of this summary.

    Raises:
        UserError: the markers are missing.
    """
    markers = (BEGIN, END) if summary.sampler.frames == 1 else (CLIPS_BEGIN, CLIPS_END)
    return put_between(readme, markers, results_table(summary), "README")


def stale(readme: Path, summary: Path) -> bool:
    """True where the README's table is not the one of the summary."""
    text = readme.read_text()
    return text != updated(text, load_summary(summary).comparison())


def main(summary: Path | None = None, readme: Path = README, stored: Path | None = None) -> None:
    """Store the summary where one is given, and write its table into the README; each whole or not at all.

    Args:
        stored: where; None: in docs/results, by what it is of.

    Raises:
        UserError: the summary does not fit its schema, or the README has no place for the table.
    """
    kept = [stored] if stored else [path for path in (STORED_SUMMARY, STORED_CLIPS) if path.is_file()]
    text = readme.read_text()
    for source in [summary] if summary else kept:
        found = load_summary(source).comparison()
        text = updated(text, found)
        target = stored or (STORED_SUMMARY if found.sampler.frames == 1 else STORED_CLIPS)
        if source != target:
            write_file(target, source.read_bytes())
    write_file(readme, text)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m reports.run.readme_table [SUMMARY]")
    try:
        main(*(Path(argument) for argument in sys.argv[1:]))
    except UserError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
