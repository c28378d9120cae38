"""The shape of a MAC array as a text."""

from __future__ import annotations

from radit.accel.config import FEWEST_LANES, MOST_LANES, is_power_of_two
from radit.model.errors import UserError, shown
from radit.model.ranges import Range

Array = str | tuple[int, int]
"""A MAC array, rows and columns of int8 MAC cells: "16x16" or (16, 16)."""


def parse_array(array: Array, field: str = "array") -> tuple[int, int]:
    """Rows and columns of an array.

    Args:
        array: "RxC", or the two numbers.
        field: what a complaint calls it.

    Raises:
        UserError: it is not of that form, or there is no such array.
    """
    sides = array.split("x") if isinstance(array, str) else array
    try:
        rows, cols = (_side(side) for side in sides)
    except (TypeError, ValueError):
        raise UserError(f"{field} is {shown(array)}: {WANTED}.") from None
    return rows, cols


WANTED = (
    f"give rows x columns, each a power of two from {FEWEST_LANES} to {MOST_LANES}, such as 16x16"  # for a sentence
)


def _side(side: object) -> int:
    """Rows or columns, or a ValueError."""
    lanes = Range(FEWEST_LANES, MOST_LANES)
    found = int(lanes.read(side) if isinstance(side, str) else lanes.of(side))
    if not is_power_of_two(found) or str(found) != str(side):
        raise ValueError(side)
    return found
