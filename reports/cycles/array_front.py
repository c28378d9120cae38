"""``radit.accel.array.array_front`` and ``radit.accel.array.drain``: when tiles are accepted and finished, and when the
drain is done with them."""

from __future__ import annotations

import math
from collections import deque

from radit.accel.array.array_front import OPERAND_LATENCY
from radit.accel.array.column_walk import FREE_AT_START, START_DELAY
from radit.accel.array.drain import QUIET_CYCLES
from radit.accel.config import BuildConfig
from radit.accel.units.fifo import LATENCY as FIFO_LATENCY
from radit.accel.units.requant import LATENCY as REQUANT_LATENCY
from radit.reports.cycles.memory import MemoryModel

COLUMN_TO_WORD = REQUANT_LATENCY + 1  # from the cycle that selects a column to its requantized word
FINISH_TO_WORD = START_DELAY + COLUMN_TO_WORD
FINISH_TO_IDLE = OPERAND_LATENCY + 1  # of the front, once nothing follows


class BranchWriter:
    """``radit.accel.cache.branch_cache.branch_writer``: room for another branch tile, while the policy is on."""

    def __init__(self, build: BuildConfig, memory: MemoryModel) -> None:
        self._full = build.branch_room
        self._spacing, self._pause, self._turn = memory.write_spacing(build.rows), memory.pause, memory.write_turn
        self._bursts: deque[tuple[float, int, float]] = deque()  # finish, words, cycle in which the first one leaves
        self.idle = float("-inf")  # first cycle in which all is written

    def room(self, cycle: float) -> float:
        """First cycle from ``cycle`` on in which another tile may start."""
        while self._bursts and self._bursts[0][2] + self._bursts[0][1] * self._spacing < cycle:
            self._bursts.popleft()
        while (surplus := self._unwritten(cycle) - self._full) > 0:
            cycle += surplus
        return cycle

    def finish(self, finish: float, words: int) -> None:
        """A branch tile of ``words`` finishes."""
        first = max(finish + FINISH_TO_WORD + FIFO_LATENCY + self._pause, self.idle - 1 + self._spacing + self._turn)
        self._bursts.append((finish, words, first))
        self.idle = first + (words - 1) * self._spacing + 1

    def _unwritten(self, cycle: float) -> int:
        """Words of finished tiles that have not left."""
        left = 0
        for finish, words, first in self._bursts:
            if finish < cycle:
                left += words - min(words, max(0, math.ceil((cycle - first) / self._spacing)))
        return left


class ArrayFront:
    """The front and the drain registers: one tile after the other.

    ``accepted``: cycle in which the last tile was accepted; ``finished``: of its last k.
    """

    def __init__(self) -> None:
        self.accepted = self.finished = float("-inf")
        self._free = float("-inf")  # first cycle in which the drain registers are free
        self._drained = float("-inf")  # cycle of the last column

    def tile(self, offer: float, depth: int, columns: int) -> float:
        """A tile of ``depth`` cycles and ``columns`` drained columns, ready from ``offer``; returns its finish.

        The next tile is accepted with the last k, which waits until the columns of the tile before are drained.
        """
        self.accepted = max(offer, self.finished)
        self.finished = max(self.accepted + depth, self._free)
        self._free = self.finished + max(columns, FREE_AT_START)
        self._drained = self.finished + START_DELAY + columns - 1
        return self.finished

    def quiet(self, cycle: float) -> float:
        """First cycle from ``cycle`` on in which nothing is running or on its way to memory."""
        return max(cycle, self.finished + FINISH_TO_IDLE, self._drained + 1 + QUIET_CYCLES)

    @property
    def last_word(self) -> float:
        """Cycle in which the last column leaves the requantizer."""
        return self._drained + COLUMN_TO_WORD
