"""The machine around a model: the shape of the MAC array and the external memory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radit.model.errors import UserError

if TYPE_CHECKING:
    from radit.reports.cycles.memory import MemoryModel

Array = str | tuple[int, int]
"""A MAC array, rows and columns of int8 MAC cells: "16x16" or (16, 16)."""


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
        if not self.latency >= 0:
            raise UserError(f"Memory field latency is {self.latency}: give 0 cycles or more.")
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise UserError(f"Memory field bandwidth is {self.bandwidth}: give bytes per cycle, or None for no limit.")
        if not 0 <= self.stall < 1:
            raise UserError(f"Memory field stall is {self.stall}: give a probability from 0 to below 1.")
        if self.bandwidth is not None and math.isinf(self.bandwidth):
            object.__setattr__(self, "bandwidth", None)

    def model(self) -> MemoryModel:
        """The same as the cycle model takes it; pauses are met on average."""
        from radit.reports.cycles.memory import MemoryModel

        return MemoryModel(self.latency, self.bandwidth, self.stall)


def parse_array(array: Array, field: str = "array") -> tuple[int, int]:
    """Rows and columns of an array.

    Args:
        array: "RxC", or the two numbers.
        field: what a complaint calls it.

    Raises:
        UserError: the text is not of that form.
    """
    if isinstance(array, tuple):
        return array
    match = re.fullmatch(r"([1-9][0-9]*)x([1-9][0-9]*)", array)
    if not match:
        raise UserError(f"{field} is '{array}': give two positive numbers as rows x columns, such as 16x16.")
    return int(match[1]), int(match[2])
