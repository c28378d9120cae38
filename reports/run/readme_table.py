"""The README's result table: five rows from a run's summary.json, between two comment markers.

``radit report --readme FILE`` writes it into any file with the markers; ``python -m radit.reports.results.page`` into
the README, from the summary kept in docs/results.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from radit.model.files import write_file
from radit.model.plain_text import quoted
from radit.model.policy.skip_policy import kind_of
from radit.model.reading import read_text
from radit.reports.common.generated_section import put_between
from radit.reports.common.markdown import code, paragraph, power_text, table
from radit.reports.run.schema import PolicyResult, Summary
from radit.reports.run.summary import load_summary

MARKERS = ("<!-- results:begin -->", "<!-- results:end -->")


def setting(s: Summary) -> str:
    """What was run, in a sentence."""
    limit = f"{s.memory.bandwidth:g} bytes per cycle" if s.memory.bandwidth else "no limit"
    return (
        f"{s.sampler.images} {s.sampler.noun}s x {s.sampler.way}, guidance {s.sampler.cfg:g}, "
        f"model {code(s.model)}, {s.array.shape} array, memory of {limit} at a latency of "
        f"{s.memory.latency} cycles."
    )


def results_table(s: Summary) -> str:
    """The table in Markdown: what was run, costs and quality of each policy, what was compared."""
    labels = [kind_of(name).label for name in s.results]
    heads = ["", *labels, *(f"dense / {kind_of(name).label}" for name in s.ratios), ""]
    check = s.check
    compared = (
        f"RTL against the integer model: {check.words_compared:,} words compared, {check.words_mismatched:,} "
        f"mismatched; {check.decisions_compared:,} decisions compared, {check.decisions_mismatched:,} mismatched."
    )
    return "\n\n".join([paragraph(setting(s)), table(heads, _rows(s)), paragraph(compared)])


def _rows(s: Summary) -> list[list[str]]:
    def costs(name: str, text: Callable[[PolicyResult], str], ratio: str, basis: str) -> list[str]:
        ratios = [f"{getattr(each, ratio):.2f}" for each in s.ratios.values()]
        return [name, *(text(result) for result in s.results.values()), *ratios, basis]

    def quality(name: str, texts: dict[str, str]) -> list[str]:
        return [name, *(texts.get(policy, "") for policy in s.results), *("" for _ in s.ratios), "measured"]

    rows = [
        costs("cycles, million", lambda result: f"{result.cycles / 1e6:,.3f}", "cycles", "measured"),
        costs("MACs, million", lambda result: f"{result.macs / 1e6:,.0f}", "macs", "measured"),
        costs("energy, uJ", lambda result: f"{result.energy_uj.nominal:,.0f}", "energy_nominal", "modelled"),
    ]
    if s.quality:
        q = s.quality
        found = q.by_policy
        distances = {name: f"{one.fd:.2f}" for name, one in found.items() if one.fd is not None}
        rows.append(quality(f"Frechet distance, {q.samples:,} samples", distances))
        errors = {name: one.to_converged for name, one in found.items() if one.to_converged is not None}
        for statistic in ("mean", "median") if errors else ():
            texts = {name: power_text(getattr(error, statistic)) for name, error in errors.items()}
            rows.append(quality(f"{statistic} squared error to the converged image", texts))
        if not errors:
            dense = {name: power_text(one.mse_to_dense) for name, one in found.items() if one.mse_to_dense is not None}
            rows.append(quality("mean squared error to dense", dense))
    return rows


def updated(text: str, summary: Summary, name: str = "README") -> str:
    """A file's text with the table of this summary.

    Raises:
        UserError: the markers are missing.
    """
    return put_between(text, MARKERS, results_table(summary), name)


def with_table(readme: Path, summary: Summary) -> str:
    """What a file with the markers is to hold.

    Raises:
        UserError: the file cannot be read, or has no place for the table.
    """
    text = read_text(readme, "--readme", f"give a file with the markers {' and '.join(MARKERS)}")
    return updated(text, summary, f"--readme is {quoted(readme)}, which")


def update_readme(summary: Path, readme: Path) -> None:
    """Write a summary's table into a file with the markers, whole or not at all.

    Raises:
        UserError: the summary does not fit its schema, or see `with_table`.
    """
    write_file(readme, with_table(readme, load_summary(summary).compared()))
