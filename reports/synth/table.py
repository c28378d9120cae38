"""The account of ``radit synth`` as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from radit.reports.area.parts import PARTS
from radit.reports.common.markdown import literal, paragraph, table
from radit.reports.synth.schema import SHARED, BuildSynthesis, Synthesis

DELAY = "longest path, ns"
HEADS = ("target", "array", "counters")


def _text(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0") if value < 100 else f"{value:,.0f}"


def columns(result: Synthesis) -> list[str]:
    """Of a row per build: the resources that any of the targets counts."""
    resources = dict.fromkeys(name for one in result.builds for name in one.totals)
    return [*HEADS, *resources, "MHz"]


def build_rows(result: Synthesis) -> Iterator[list[str]]:
    """A row per build and target, with ``columns``."""
    for one in result.builds:
        totals = [_text(one.totals[name]) if name in one.totals else "" for name in columns(result)[len(HEADS) : -1]]
        clock = f"{one.mhz:.1f}" if one.mhz is not None else "not timed"
        yield [one.target, one.array.shape, f"{one.counter_bits} bits" if one.counter_bits else "none", *totals, clock]


def part_columns(one: BuildSynthesis) -> list[str]:
    """Of a row per part."""
    return [*one.totals, *([DELAY] if one.delays_ns else [])]


def part_rows(one: BuildSynthesis) -> Iterator[list[str]]:
    """A row per part: its title, and ``part_columns``."""
    for name in [*PARTS, SHARED]:
        if name in one.parts:
            title = PARTS[name].title if name in PARTS else "shared or outside of all parts"
            delay = [f"{one.delays_ns[name]:.1f}" if name in one.delays_ns else ""] if one.delays_ns else []
            yield [title, *(_text(one.parts[name].get(total, 0)) for total in one.totals), *delay]


def sentences(one: BuildSynthesis) -> list[str]:
    """What a build's row rests on: tools, the device, the longest path in source terms."""
    said = [f"{one.target}, {one.array.shape}: {', '.join(one.tools)}{_device(one)}."]
    if one.soft:
        said.append(
            f"{one.soft} products of the array are made of LUTs: the device has {one.room['multipliers']:,.0f} "
            "multipliers."
        )
    if one.path is not None and one.mhz is not None:
        path = one.path
        wires = f"{path.routing_ns:.2f} ns of it in wires" if one.placed else "without wires"
        said.append(
            f"Its longest path takes {path.delay_ns:.2f} ns, {wires}, over {path.cells} cells from {path.start} to "
            f"{path.end}, through {', '.join(path.blocks) or 'wires alone'}."
        )
    return said


def _device(one: BuildSynthesis) -> str:
    if one.placed:
        return f", placed and routed on {one.device}-{one.speed} for {one.target_mhz:g} MHz, seed {one.seed}"
    return ", not placed" if one.target != "osu018" else ", without wires"


def synth_tables(result: Synthesis) -> str:
    """A table of builds, one of parts for each, and the longest paths."""
    parts = [table(columns(result), build_rows(result))]
    for one in result.builds:
        parts.append(table([f"{one.target}, {one.array.shape}", *part_columns(one)], part_rows(one)))
        parts += [paragraph(literal(said)) for said in sentences(one)]
    return "\n\n".join(parts)
