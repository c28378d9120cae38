"""The account of ``radit synth`` as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from radit.reports.area.parts import PARTS
from radit.reports.common.markdown import literal, paragraph, table
from radit.reports.synth.schema import SHARED, BuildSynthesis, Synthesis

COLUMNS = ("target", "array", "counters", "LUTs", "flip-flops", "block RAMs", "multipliers", "MHz")


def _text(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def build_rows(result: Synthesis) -> Iterator[list[str]]:
    """A row per build and target, with ``COLUMNS``."""
    for one in result.builds:
        totals = [_text(one.totals[name]) if name in one.totals else "" for name in COLUMNS[3:7]]
        clock = f"{one.mhz:.1f}" if one.mhz is not None else "not placed"
        yield [one.target, one.array.shape, f"{one.counter_bits} bits" if one.counter_bits else "none", *totals, clock]


def part_rows(one: BuildSynthesis) -> Iterator[list[str]]:
    """A row per part: its title, and each resource."""
    for name in [*PARTS, SHARED]:
        if name in one.parts:
            title = PARTS[name].title if name in PARTS else "shared or outside of all parts"
            yield [title, *(_text(one.parts[name].get(total, 0)) for total in one.totals)]


def path_sentence(one: BuildSynthesis) -> str:
    """The longest path in source terms."""
    if one.path is None or one.mhz is None:
        return ""
    path = one.path
    return (
        f"{one.target}, {one.array.shape}: {one.mhz:.1f} MHz; the longest path takes {path.delay_ns:.2f} ns, "
        f"{path.routing_ns:.2f} ns of it in wires, over {path.cells} cells from {path.start} to {path.end}, through "
        f"{', '.join(path.blocks) or 'wires alone'}."
    )


def synth_tables(result: Synthesis) -> str:
    """A table of builds, one of parts for each, and the longest paths."""
    parts = [table(list(COLUMNS), build_rows(result))]
    for one in result.builds:
        parts.append(table([f"{one.target}, {one.array.shape}", *one.totals], part_rows(one)))
        if said := path_sentence(one):
            parts.append(paragraph(literal(said)))
    return "\n\n".join(parts)
