"""The shape of a MAC array as a text."""

from __future__ import annotations

from collections.abc import Sequence

from radit.accel.config import FEWEST_LANES, MOST_LANES, MOST_PRODUCTS, is_power_of_two
from radit.model.errors import UserError, shown
from radit.model.ranges import Range

Array = str | tuple[int, ...]
"""A MAC array, rows and columns of int8 MAC cells: "16x16" or (16, 16); with cells of two products, "16x16x2" or
(16, 16, 2)."""

WANTED = (
    f"give rows x columns, each a power of two from {FEWEST_LANES} to {MOST_LANES}, such as 16x16, or "
    f"16x16x{MOST_PRODUCTS} with cells of {MOST_PRODUCTS} products"
)  # for a sentence


def parse_array(array: Array, field: str = "array") -> tuple[int, ...]:
    """Rows and columns of an array, and the products of a cell where there are two.

    Args:
        array: "RxC" or "RxCx2", or the numbers.
        field: what a complaint calls it.

    Raises:
        UserError: it is not of that form, or there is no such array.
    """
    sides = array.split("x") if isinstance(array, str) else array
    try:
        rows, cols, *more = sides
        return _side(rows), _side(cols), *_products(more)
    except (TypeError, ValueError):
        raise UserError(f"{field} is {shown(array)}: {WANTED}.") from None


def _products(more: Sequence[object]) -> list[int]:
    """What stands behind rows and columns: nothing, or the products of a cell if there are several."""
    if more and [str(number) for number in more] != [str(MOST_PRODUCTS)]:
        raise ValueError(more)
    return [MOST_PRODUCTS for _ in more]


def _side(side: object) -> int:
    """Rows or columns, or a ValueError."""
    lanes = Range(FEWEST_LANES, MOST_LANES)
    found = int(lanes.read(side) if isinstance(side, str) else lanes.of(side))
    if not is_power_of_two(found) or str(found) != str(side):
        raise ValueError(side)
    return found
