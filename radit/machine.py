"""The machine around a model: the shape of the MAC array and the external memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radit.accel.config import FEWEST_LANES, MOST_LANES, MOST_PRODUCTS, is_power_of_two
from radit.model.errors import UserError, shown
from radit.model.ranges import RANGES, Range

if TYPE_CHECKING:
    from radit.reports.cycles.memory import MemoryModel

Array = str | tuple[int, ...]
"""A MAC array, rows and columns of int8 MAC cells: "16x16" or (16, 16); with cells of two products, "16x16x2" or
(16, 16, 2)."""


@dataclass(frozen=True)
class Memory:
    """The external memory.

    Fields:
        latency: from a read command to its first word, cycles.
        bandwidth: what all ports share, bytes per cycle; None or infinity: a word in every cycle at every port.
        stall: random pauses of each port, probability per cycle, 0 to below 1.
        seed: of those pauses, in a co-simulation.

    Raises:
        UserError: a value is out of range.
    """

    latency: int = 100
    bandwidth: float | None = 32.0
    stall: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("latency", "stall", "seed")}
        limit = RANGES["bandwidth"].check("bandwidth", math.inf if self.bandwidth is None else self.bandwidth)
        found = {name: RANGES[name].check(name, value) for name, value in given.items()}
        for name, value in {**found, "bandwidth": None if limit == math.inf else limit}.items():
            object.__setattr__(self, name, value)

    def model(self) -> MemoryModel:
        """The same as the cycle model takes it; pauses are met on average."""
        from radit.reports.cycles.memory import MemoryModel

        return MemoryModel(self.latency, self.bandwidth, self.stall)


def given_memory(memory: Memory | None) -> Memory:
    """The memory that was given, or the usual one.

    Raises:
        UserError: something else was given.
    """
    if memory is not None and not isinstance(memory, Memory):
        raise UserError(f"memory is {shown(memory)}: give a radit.Memory, or None for the usual one.")
    return memory or Memory()


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
        raise UserError(
            f"{field} is {shown(array)}: give rows x columns, each a power of two from {FEWEST_LANES} to {MOST_LANES}, "
            f"such as 16x16, or 16x16x{MOST_PRODUCTS} with cells of {MOST_PRODUCTS} products."
        ) from None


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
