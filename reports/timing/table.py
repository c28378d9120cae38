"""The account of ``radit timing`` as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from radit.reports.area.parts import PARTS
from radit.reports.common.markdown import literal, paragraph, table
from radit.reports.timing.power_schema import Power
from radit.reports.timing.schema import FO4_28_PS, ArrayTiming, Timing, clock_mhz

COLUMNS = ("endpoints", "ns", "FO4", "MHz at 28 nm", "low", "high")
POWER_COLUMNS = ("clock pJ", "data pJ", "leakage nW", "flip-flops", "changes per cycle", "share")
CONTROL = ("operands", "loaders", "control", "history", "cache", "dtsm")  # what moves words and decides


def part_rows(one: ArrayTiming, before: ArrayTiming | None = None) -> Iterator[list[str]]:
    """A row per part, longest path first, with ``COLUMNS``, and the FO4 of before where it is given."""
    for name, part in sorted(one.parts.items(), key=lambda item: -item[1].fo4):
        texts = [f"{part.endpoints:,}", f"{part.delay_ns:.2f}", f"{part.fo4:.1f}"]
        if before is not None:
            texts.append(f"{before.parts[name].fo4:.1f}" if name in before.parts else "")
        yield [PARTS[name].title, *texts, *(f"{clock_mhz(part.fo4, corner):,.0f}" for corner in CORNERS)]


CORNERS = ("nominal", "high", "low")  # of the FO4 delay: the clock's nominal, low and high


def path_sentences(one: ArrayTiming, most: int = 4) -> list[str]:
    """The longest paths in source terms."""
    said = []
    for name, part in sorted(one.parts.items(), key=lambda item: -item[1].fo4)[:most]:
        said.append(
            f"{PARTS[name].title}: from {part.start} to {part.end}, {part.cells} cells, through "
            f"{', '.join(part.blocks) or 'wires alone'}."
        )
    return said


def summary_sentences(timing: Timing, one: ArrayTiming) -> list[str]:
    """What the table rests on."""
    low, high = one.mhz("high"), one.mhz("low")
    counted = f"{one.counter_bits} bits" if one.counter_bits else "none"
    return [
        f"{one.array.shape}, buffers of {timing.model}, event counters of {counted}: {one.cells:,} cells "
        f"({one.area:,.0f} gates), {one.flip_flops:,} flip-flops, {one.buffers:,} buffers behind wide nets. "
        f"{one.near:,} of {one.endpoints:,} endpoints lie within 15 % of the longest path, {one.longest.fo4:.1f} FO4.",
        f"An FO4 delay is {timing.fo4_ns * 1000:.1f} ps in {timing.library} ({timing.sta}, {timing.yosys}) and "
        f"{FO4_28_PS['low']:g} / {FO4_28_PS['nominal']:g} / {FO4_28_PS['high']:g} ps at 28 nm "
        f"(reports/timing/schema.py has the sources): {one.mhz():,.0f} MHz, {low:,.0f} to {high:,.0f}. No wires, no "
        "clock skew; a memory's access counts as that of a flip-flop.",
    ]


def power_rows(power: Power) -> Iterator[list[str]]:
    """A row per part, and the sums of control, of the rest, and of all."""
    total = sum(part.clock_pj + part.data_pj for part in power.parts.values())
    groups = [(PARTS[name].title, [name]) for name in power.parts]
    groups += [
        ("what moves words and decides", [name for name in power.parts if name in CONTROL]),
        ("datapath", [name for name in power.parts if name not in (*CONTROL, "observation")]),
        ("all", list(power.parts)),
    ]
    for title, names in groups:
        parts = [power.parts[name] for name in names]
        clock, data = sum(part.clock_pj for part in parts), sum(part.data_pj for part in parts)
        flip_flops = sum(part.flip_flops for part in parts)
        changes = sum(part.activity * part.flip_flops for part in parts) / max(1, flip_flops)
        yield [
            title, f"{clock:,.1f}", f"{data:,.1f}", f"{sum(part.leakage_nw for part in parts):,.1f}", f"{flip_flops:,}",
            f"{changes:.3f}", f"{(clock + data) / total:.1%}" if total else "",
        ]  # fmt: skip


def power_sentence(power: Power) -> str:
    """What the power rests on."""
    return (
        f"Gate level, per cycle, at the library's node and voltage, over {power.cycles:,} cycles of {power.workload}; "
        f"activities of {power.traced:.0%} of the flip-flops are those of the run, of the others their part's mean. "
        "Clock: pins of flip-flops in every cycle, none gated, without the clock's wires and buffers. A gate belongs "
        "to the part of a register that it leads to."
    )


def timing_tables(timing: Timing, before: Timing | None = None) -> str:
    """Tables and sentences of every build; ``before``: the same of an earlier state of the design."""
    earlier = {one.array.shape: one for one in before.arrays} if before else {}
    parts = []
    for one in timing.arrays:
        old = earlier.get(one.array.shape)
        columns = [*COLUMNS[:3], *(["FO4 before"] if old else []), *COLUMNS[3:]]
        parts.append(table([f"{one.array.shape}, synthesized", *columns], part_rows(one, old)))
        parts += [paragraph(literal(said)) for said in summary_sentences(timing, one)]
        if old:
            parts.append(
                paragraph(literal(f"Before: {old.cells:,} cells, {old.area:,.0f} gates, {old.longest.fo4:.1f} FO4."))
            )
        parts += [paragraph(literal(said)) for said in path_sentences(one)]
        if one.power:
            parts.append(table([f"{one.array.shape}, power", *POWER_COLUMNS], power_rows(one.power)))
            parts.append(paragraph(literal(power_sentence(one.power))))
    return "\n\n".join(parts)
