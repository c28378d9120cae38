"""The result of ``radit differences`` as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import get_args

from radit.model.differences.words import WIDTHS
from radit.model.formats import INT8_BITS
from radit.reports.common.markdown import code, paragraph, table
from radit.reports.differences.schema import Choosing, DifferencePoint, DifferenceReport, WordShares

SHOWN = ((5, True),)  # widths, with or without an offset, that pages show of every array
BASES: tuple[str, ...] = get_args(Choosing)
NARROWINGS = tuple((width, offset) for offset in (False, True) for width in WIDTHS)
SHARE_HEADS = ("input, base", "steps", "lanes", "zero") + tuple(
    f"{width} + offset" if offset else f"{width} bits" for width, offset in NARROWINGS
)


def share_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Shares of words that are narrow, zero ones included, by input and base, of the fewest lanes."""
    lanes = min(row.lanes for row in result.shares)
    kept = [row for row in result.shares if row.lanes == lanes]

    def place(row: WordShares) -> tuple[int, str, str]:
        return row.steps, row.base, row.input

    for (steps, base, name), group in groupby(sorted(kept, key=place), place):
        rows = {(row.width, row.offset): row for row in group}
        zero = next(iter(rows.values())).zero
        shares = {place: f"{row.zero + row.narrow:.1%}" for place, row in rows.items()}
        yield [f"{name}, {base}", f"{steps}", f"{lanes}", f"{zero:.1%}", *(shares.get(each, "") for each in NARROWINGS)]


def machine_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Factors of every machine, a row for each width."""
    for _, group in groupby(sorted(result.points, key=_place), _place):
        points = list(group)
        by_base = {point.base: f"{point.factor:.2f} ({point.factor_per_area:.2f})" for point in points}
        yield [machine(points[0]), *(by_base.get(base, "") for base in get_args(Choosing))]


def _machines(result: DifferenceReport) -> Iterator[DifferencePoint]:
    """A point of each row of `machine_rows`."""
    for _, group in groupby(sorted(result.points, key=_place), _place):
        yield next(group)


def _place(point: DifferencePoint) -> tuple[float, ...]:
    limit = point.bandwidth or float("inf")
    return point.steps, point.array.rows, point.array.cols, limit, point.products, point.offset, point.width


def machine(point: DifferencePoint) -> str:
    """A machine and its run in words."""
    cells = "" if point.products == 1 else f", {point.products} products"
    narrow = f"{point.width} bits" + (" + offset" if point.offset else "")
    return f"{point.steps} steps, {point.array.rows}x{point.array.cols}, {_bandwidth(point)}{cells}, {narrow}"


def _bandwidth(point: DifferencePoint) -> str:
    return "unlimited" if point.bandwidth is None else f"{point.bandwidth:g} B"


def short_machine_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Those of the first array with one product per cell or nothing narrow; of the others those of `SHOWN` alone."""
    first = result.points[0].array
    for row, point in zip(machine_rows(result), _machines(result), strict=True):
        shown = (point.width, point.offset) in SHOWN or point.array == first
        if point.width == INT8_BITS or (point.products == 1 and shown):
            yield row


def cost_rows(result: DifferenceReport) -> Iterator[list[str]]:
    """Energy and traffic of the first array and bandwidth with one product per cell."""
    first = result.points[0]
    kept = [point for point in result.points if (point.array, point.bandwidth) == (first.array, first.bandwidth)]
    modelled = [point for point in kept if point.energy_uj is not None]
    for (steps, offset, width), group in groupby(modelled, lambda point: (point.steps, point.offset, point.width)):
        cells = {point.base: _cost(point) for point in group}
        narrow = f"{width} bits" + (" + offset" if offset else "")
        yield [f"{steps} steps, {narrow}", *(cells.get(base, "") for base in get_args(Choosing))]


def _cost(point: DifferencePoint) -> str:
    assert point.energy_uj is not None
    return f"{point.dense_energy_uj / point.energy_uj:.2f} ({point.kept_bytes / 1e6:.1f})"


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
        "*modelled*; by what products may be compared with. 8 bits: nothing is narrow, cells have two whole products. "
        "The file has every width and array."
    )
    first = result.points[0]
    costs = (
        f"Energy without differences over that with them, *modelled*, and in brackets MB per image moved for kept sums "
        f"and inputs to compare with; {first.array.rows}x{first.array.cols}, "
        f"{_bandwidth(first)}:"
    )
    return "\n\n".join(
        [
            paragraph(setting),
            table(SHARE_HEADS, share_rows(result)),
            paragraph(factors),
            table(("machine", *BASES), short_machine_rows(result)),
            paragraph(costs),
            table(("energy", *BASES), cost_rows(result)),
        ]
    )
