"""External memory as the cycle model sees it, and the two loaders that stream from it ahead of the array."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from accel.config import BuildConfig

COMMAND_TO_STREAM = 2  # from the pulse that starts a loader to its first word, latency 0
SEEN = 1  # a taken word counts in the next cycle
PARAM_BYTES = 8


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

    def busy(self, traffic_bytes: float) -> float:
        """Cycles that other ports' traffic takes from a stream."""
        return 0.0 if self.bandwidth is None else traffic_bytes / self.bandwidth


class WeightStreamer:
    """``accel.weights.weight_streamer``: the ring fills ahead of the array, one word per ``spacing``.

    Args:
        build: the ring's depth and the word's width.
        memory: external memory.
        start: cycle of the pulse that starts the stream.
    """

    def __init__(self, build: BuildConfig, memory: MemoryModel, start: float) -> None:
        self._memory = memory
        self._depth, self._spacing = build.weight_depth, memory.spacing(build.wide)
        self._next = start + COMMAND_TO_STREAM + memory.latency  # cycle in which the next word can be taken
        self._taken = self._tail = 0
        self._releases: deque[tuple[int, float]] = deque()

    def ready(self, words: int) -> float:
        """First cycle in which the array sees the first ``words`` of the sub-block in the ring."""
        while self._taken < words:
            if self._taken == self._tail + self._depth:
                self._tail, released = self._releases.popleft()
                self._next = max(self._next, released + SEEN)
                continue
            count = min(words, self._tail + self._depth) - self._taken
            self._next += count * self._spacing
            self._taken += count
        return self._next - self._spacing + SEEN

    def release(self, words: int, finish: float) -> None:
        """The array gives the first ``words`` back in cycle ``finish``."""
        self._releases.append((words, finish))

    def yield_to(self, traffic_bytes: float) -> None:
        """Other ports, which come first, move so many bytes while the stream goes on."""
        self._next += self._memory.busy(traffic_bytes)


class ParamLoader:
    """``accel.weights.param_loader``: one entry after the other from ``start`` on."""

    def __init__(self, memory: MemoryModel, start: float) -> None:
        self._first = start + COMMAND_TO_STREAM + memory.latency
        self._spacing = memory.spacing(PARAM_BYTES)

    def ready(self, entries: int) -> float:
        """First cycle in which ``entries`` have arrived."""
        return self._first + (entries - 1) * self._spacing + SEEN if entries else self._first
