"""A cross-check as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from radit.reports.common.markdown import paragraph, table
from radit.reports.crosscheck.schema import CrossCheck, EnergyEntry, GemmCycles

CYCLE_HEADS = ("product", "MxNxK", "busy", "ours", "SCALE-Sim", "ratio", "its fill, drain", "our rest")
ENERGY_HEADS = ("entry", "low", "nominal", "high", "second", "ratio", "source")
WHY = (
    "Cycles of one block and two contexts, by our cycle model and by the compute part of SCALE-Sim; ratio: its "
    "cycles over ours; busy: K cycles for each fold, a tile of the result. Both arrays are output stationary, and "
    "external memory is left out. SCALE-Sim skews the operands of a systolic array, and lets every fold fill and "
    "drain, rows + columns - 2 cycles, before the next begins. Our array gives an operand to a whole row or "
    "column at once, and drains a tile beside the next one. What is left comes once for each product: start, last "
    "drain, requantization and barrier; and for scores and values what the softmax and drains of more columns "
    "than K take beyond the next tile."
)
SOURCES = (
    "Entries of the energy table beside a second source (`reports/tables/second-source.toml` has each one's "
    "origin), pJ at the table's node; ratio: second over nominal. Where a second value lay outside the range of "
    "its entry, the range was widened, and the entry says so. A star: the second value rests on the measurements "
    "that ours rests on, scaled by others."
)


def cycle_rows(result: CrossCheck) -> Iterator[tuple[str, list[list[str]]]]:
    """The title and the rows of each table of cycles."""

    def place(one: GemmCycles) -> tuple[str, int, int]:
        return one.model, one.array.rows, one.array.cols

    for (model, rows, cols), group in groupby(result.cycles, place):
        yield f"{model} on {rows}x{cols}", [_cycle_row(one) for one in group]


def _cycle_row(one: GemmCycles) -> list[str]:
    counts = (one.busy, one.ours, one.other)
    return [
        one.product, ", ".join(one.gemms), *(f"{count:,}" for count in counts), f"{one.ratio:.3f}",
        f"{one.other_fill:,}", f"{one.own_overhead:,}",
    ]  # fmt: skip


def energy_row(one: EnergyEntry) -> list[str]:
    """An entry and its second value."""
    values = (one.low, one.nominal, one.high, one.second)
    outside = "" if one.is_within else " (outside)"
    star = "*" if one.same_data else ""
    return [one.entry, *(f"{value:.3g}" for value in values), f"{one.ratio:.2f}{outside}", f"{one.tool}{star}"]


def crosscheck_tables(result: CrossCheck) -> str:
    """The section of docs/results.md."""
    parts = [paragraph(WHY)]
    for title, rows in cycle_rows(result):
        parts += [f"{title}, {result.simulator}:", table(CYCLE_HEADS, rows)]
    parts += [paragraph(SOURCES), table(ENERGY_HEADS, [energy_row(one) for one in result.energies])]
    return "\n\n".join(parts)
