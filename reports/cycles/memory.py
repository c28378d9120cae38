"""External memory as the cycle model sees it, and the two loaders that stream from it ahead of the array."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from radit.accel.config import BuildConfig
from radit.reports.cost.traffic import PARAM_BYTES

COMMAND_TO_STREAM = 2  # from the pulse that starts a loader to its first word, latency 0
SEEN = 1  # a taken word counts in the next cycle
HISTORY_WORD = 2  # cycles of the history writer per word
NEARLY_NONE = 1e-6  # bytes per cycle

Traffic = tuple[tuple[float, float], ...]  # bytes and bytes per cycle, one after the other


@dataclass(frozen=True)
class MemoryModel:
    """External memory.

    Fields:
        latency: cycles from a command to its first word.
        bandwidth: bytes per cycle shared by all ports; None: a word per port and cycle.
        stall: probability that a port pauses in a cycle.
    """

    latency: int = 100
    bandwidth: float | None = None
    stall: float = 0.0

    def spacing(self, word_bytes: float) -> float:
        """Mean cycles from one word to the next on a port that moves ``word_bytes`` with each."""
        pauses = 1.0 if not self.stall else 1.0 / (1.0 - self.stall)
        return pauses if self.bandwidth is None else max(pauses, word_bytes / self.bandwidth)

    def beside(self, rate: float) -> MemoryModel:
        """What is left for a port while others, which come first, move ``rate`` bytes per cycle."""
        return self if self.bandwidth is None else replace(self, bandwidth=max(self.bandwidth - rate, NEARLY_NONE))


class WeightStreamer:
    """``radit.accel.memory.weights.weight_streamer``: the ring fills ahead of the array.

    Args:
        build: the ring's depth and the word's width.
        memory: external memory.
        start: cycle of the pulse that starts the stream.
    """

    def __init__(self, build: BuildConfig, memory: MemoryModel, start: float) -> None:
        self._memory = memory
        self._depth, self._word = build.weight_depth, build.wide
        self._next = start + COMMAND_TO_STREAM + memory.latency  # cycle in which the next word can be taken
        self._taken = self._tail = 0
        self._releases: deque[tuple[int, float]] = deque()
        self._before: deque[tuple[float, float]] = deque()  # traffic that comes first: bytes, bytes per cycle

    def ready(self, words: int) -> float:
        """First cycle in which the array sees the first ``words`` of the sub-block in the ring."""
        pace = self._memory.spacing(self._word)
        while self._taken < words:
            if self._taken == self._tail + self._depth:
                self._tail, released = self._releases.popleft()
                self._next = max(self._next, released + SEEN)
                continue
            count = min(words, self._tail + self._depth) - self._taken
            self._next += self._time(count)
            self._taken += count
        return self._next - pace + SEEN

    def release(self, words: int, finish: float) -> None:
        """The array gives the first ``words`` back in cycle ``finish``."""
        self._releases.append((words, finish))

    def yield_to(self, traffic: float, rate: float) -> None:
        """Ports that come first move ``traffic`` bytes, at most ``rate`` per cycle, while the stream goes on."""
        if self._memory.bandwidth is not None and traffic:
            self._before.append((traffic, min(rate, self._memory.bandwidth)))

    def _time(self, words: float) -> float:
        """Cycles for the next ``words``."""
        spent = 0.0
        while self._before and words > 0:
            traffic, rate = self._before.popleft()
            pace, left = self._memory.beside(rate).spacing(self._word), traffic / rate
            count = min(words, left / pace)
            spent, words, left = spent + count * pace, words - count, left - count * pace
            if words > 0:
                continue
            self._before.appendleft((left * rate, rate))
        return spent + words * self._memory.spacing(self._word)


class ParamLoader:
    """``radit.accel.memory.weights.param_loader``: one entry after the other from ``start`` on."""

    def __init__(self, memory: MemoryModel, start: float) -> None:
        self._first = start + COMMAND_TO_STREAM + memory.latency
        self._spacing = memory.spacing(PARAM_BYTES)

    def ready(self, entries: int) -> float:
        """First cycle in which ``entries`` have arrived."""
        return self._first + (entries - 1) * self._spacing + SEEN if entries else self._first
