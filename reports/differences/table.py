"""The result of ``radit differences`` as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import get_args

from radit.reports.common.markdown import code, paragraph, table
from radit.reports.differences.schema import Choosing, DifferencePoint, DifferenceReport, WordShares

BASES: tuple[str, ...] = get_args(Choosing)
SHARE_HEADS = ("input, base", "steps", "lanes", "zero", "4 bits", "5 bits", "6 bits", "4 + offset", "5 + offset",
               "6 + offset")  # fmt: skip


def share_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Shares of words that are narrow, zero ones included, by input and base, of the fewest lanes."""
    lanes = min(row.lanes for row in result.shares)
    kept = [row for row in result.shares if row.lanes == lanes]

    def place(row: WordShares) -> tuple[int, str, str]:
        return row.steps, row.base, row.input

    for (steps, base, name), group in groupby(sorted(kept, key=place), place):
        rows = sorted(group, key=lambda row: (row.offset, row.width))
        shares = [f"{row.zero + row.narrow:.1%}" for row in rows]
        yield [f"{name}, {base}", f"{steps}", f"{lanes}", f"{rows[0].zero:.1%}", *shares]


def machine_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Factors of every machine, a row for each width."""

    def place(point: DifferencePoint) -> tuple[float, ...]:
        limit = point.bandwidth or float("inf")
        return point.steps, point.array.rows, point.array.cols, limit, point.products, point.offset, point.width

    for _, group in groupby(sorted(result.points, key=place), place):
        points = list(group)
        by_base = {point.base: f"{point.factor:.2f} ({point.factor_per_area:.2f})" for point in points}
        yield [machine(points[0]), *(by_base.get(base, "") for base in get_args(Choosing))]


def machine(point: DifferencePoint) -> str:
    """A machine and its run in words."""
    bandwidth = "unlimited" if point.bandwidth is None else f"{point.bandwidth:g} B"
    cells = "" if point.products == 1 else f", {point.products} products"
    narrow = f"{point.width} bits" + (" + offset" if point.offset else "")
    return f"{point.steps} steps, {point.array.rows}x{point.array.cols}, {bandwidth}{cells}, {narrow}"


def difference_tables(result: DifferenceReport) -> str:
    """Shares, factors, energy and traffic, with what was run above."""
    cut = "" if result.blocks is None else f", first {result.blocks} blocks"
    setting = (
        f"{result.samples} samples of seed {result.seed}, model {code(result.model)}{cut}, {result.solver} "
        f"{result.spacing}, guidance {result.cfg:g}, policy {code(result.policy)}. Words that are narrow, *measured*; "
        "the base is none (the values themselves), the other context, or the timestep before:"
    )
    factors = (
        "Cycles of the machine without differences over those with them, and in brackets the same over the gates, "
        "*modelled*; by what products may be compared with. 8 bits: nothing is narrow, cells have two whole products."
    )
    costs = "Energy and traffic of the machines with one product per cell, the least lanes and the first bandwidth:"
    return "\n\n".join(
        [
            paragraph(setting),
            table(SHARE_HEADS, share_rows(result)),
            paragraph(factors),
            table(("machine", *BASES), machine_rows(result)),
            paragraph(costs),
            table(("machine", "base", "energy, dense / with", "MB kept"), cost_rows(result)),
        ]
    )


def cost_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Energy and traffic of the first array and bandwidth."""
    first = result.points[0]
    for point in result.points:
        if (point.array, point.bandwidth) == (first.array, first.bandwidth) and point.energy_uj is not None:
            ratio = point.dense_energy_uj / point.energy_uj
            yield [machine(point), point.base, f"{ratio:.3f}", f"{point.kept_bytes / 1e6:.1f}"]
