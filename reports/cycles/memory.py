"""External memory as the cycle model sees it, and the two loaders that stream from it ahead of the array."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.reports.cost.traffic import BEAT_BYTES, PARAM_BYTES

COMMAND_TO_STREAM = 2  # from the pulse that starts a loader to its first word, latency 0
SEEN = 1  # a taken word counts in the next cycle
LOAD_TO_PASS = 3  # the conditioning is taken -> start pulse of the pass
LOOK, LOOK_TO_ASK = 1, 3  # of the prompt loader: cycles per context, and until it asks for a computing one's words
HISTORY_WORD = 2  # cycles of the history writer per word
NEARLY_NONE = 1e-6  # bytes per cycle
EXACT, PAUSES, LIMITED, NARROW = 0.0, 0.03, 0.05, 0.10  # tolerances of the cycle model, share of the cycles measured

Traffic = tuple[tuple[float, float], ...]  # bytes and bytes per cycle, one after the other


@dataclass(frozen=True)
class MemoryModel:
    """External memory.

    Fields:
        latency: cycles from a command to its first word, their mean where they vary.
        bandwidth: bytes per cycle shared by all ports; None: a word per port and cycle.
        stall: probability that a channel pauses in a cycle: commands, words, and the host's streams.
    """

    latency: float = 100
    bandwidth: float | None = None
    stall: float = 0.0

    @property
    def regime(self) -> str:
        """What keeps words waiting beside the latency, in words."""
        if self.bandwidth is None:
            return "random pauses" if self.stall else "a word in every cycle"
        return "limited bandwidth" + (" and random pauses" if self.stall else "")

    @property
    def tolerance(self) -> float:
        """How far the predicted cycles may be from measured ones, as a share of these; 0: they must be equal.

        With limited bandwidth ports hold each other up, all the more where a cycle brings less than a beat of
        conditioning.
        """
        if self.bandwidth is None:
            return PAUSES if self.stall else EXACT
        return LIMITED if self.bandwidth >= BEAT_BYTES else NARROW

    @property
    def pause(self) -> float:
        """Mean cycles that a command, or a word that is there, is kept waiting."""
        return self.stall / (1.0 - self.stall)

    @property
    def first_word(self) -> float:
        """Mean cycles from a command to its first word."""
        return self.latency + 2 * self.pause

    def spacing(self, word_bytes: float) -> float:
        """Mean cycles from one word to the next on a port that moves ``word_bytes`` with each."""
        pauses = 1.0 if not self.stall else 1.0 / (1.0 - self.stall)
        return pauses if self.bandwidth is None else max(pauses, word_bytes / self.bandwidth)

    def widest_spacing(self, word_bytes: float) -> float:
        """The same of the port with the widest words: bandwidth that comes while it pauses is lost for the most part,
        as no more than one such word and a cycle's share is saved up."""
        lost = self.pause - self.stall / 2
        return max(self.spacing(word_bytes), word_bytes / self.bandwidth + lost if self.bandwidth else 0.0)

    @property
    def writes_apart(self) -> bool:
        """Whether what is written takes no bandwidth from what is read."""
        return False

    def write_spacing(self, word_bytes: float) -> float:
        """Mean cycles from one word to the next on a port that writes."""
        return self.spacing(word_bytes)

    @property
    def write_turn(self) -> float:
        """Cycles that a port which writes loses between the words of two commands."""
        return 0.0

    def outlet(self, build: BuildConfig, words: int, pauses: Pauses) -> Outlet:
        """Where a last pass with ``words`` per context puts them."""
        return Outlet(self, build, pauses)

    def held_up(self, build: BuildConfig, words: int, beats: int) -> float:
        """Cycles by which ``words`` of x in all hold up the first ``beats`` of conditioning of a timestep."""
        return 0.0

    def inlet(self, build: BuildConfig, words: int, beats: int, others: Sequence[tuple[float, float]]) -> list[float]:
        """First cycles of a timestep's first pass in which its words of x are there; empty: always.

        Args:
            words: of x, all contexts.
            beats: of conditioning, that come before the pass.
            others: what other ports ask for, cycle and bytes.
        """
        return []

    @property
    def round_trip(self) -> float:
        """Cycles from room in a port's buffer to the words that fill it."""
        return 0.0

    def ahead(self, word_bytes: float) -> float:
        """Words that a port which reads can ask for before it has taken any: what its buffer has room for."""
        return math.inf

    def taken(self, rate: float) -> float:
        """Bytes per cycle that others which want ``rate`` take from a port that waits: they come first."""
        return rate if self.bandwidth is None else min(rate, self.bandwidth)

    def beside(self, rate: float) -> MemoryModel:
        """What is left for a port while others want ``rate`` bytes per cycle."""
        if self.bandwidth is None:
            return self
        return replace(self, bandwidth=max(self.bandwidth - self.taken(rate), NEARLY_NONE))


class Pauses:
    """Cycles that words take at ports that pause at random: drawn, alike for the same ``draw``."""

    def __init__(self, stall: float, draw: int) -> None:
        self._flow, self._random = 1.0 - stall, np.random.default_rng(draw)

    def words(self, count: int, ports: int = 1) -> float:
        """Cycles for ``count`` words, each of which comes once all of its ``ports`` have it."""
        if self._flow == 1.0 or not ports or not count:
            return float(count)
        if ports == 1:
            return float(count + self._random.negative_binomial(count, self._flow))
        return float(self._random.geometric(self._flow, (ports, count)).max(0).sum())

    def halves(self, ports: int) -> float:
        """Cycles for a word of the residual stream, two words of each of its ports; 0 without one."""
        if self._flow == 1.0 or not ports:
            return 0.0
        return float(self._random.geometric(self._flow, (ports, STREAM_WORDS)).sum(1).max())


class Outlet:
    """Where the last pass puts its words: to the host, and where streams are cached, there as well."""

    def __init__(self, memory: MemoryModel, build: BuildConfig, pauses: Pauses) -> None:
        self._pauses, self._half = pauses, replace(memory, stall=0.0).spacing(build.rows)

    def take(self, earliest: float) -> float:
        """The cycle in which the host takes a word that is there from cycle ``earliest`` on."""
        return earliest + self._pauses.words(1) - 1

    def run(self, cycle: float, words: int) -> float:
        """The cycle in which the host has taken a context's ``words``, a word in every cycle from the next one on."""
        return cycle + self._pauses.words(words)

    def asks(self, cycle: float) -> float:
        """The cycle in which the command for a context's stream is taken, that comes in cycle ``cycle``."""
        return cycle

    def store(self, gone: float) -> float:
        """The cycle in which a word that left in cycle ``gone`` is in the cache, and another one may leave."""
        return gone + max(STREAM_WORDS * self._half, self._pauses.halves(1))


class WeightStreamer:
    """``radit.accel.memory.weights.weight_streamer``: the ring fills ahead of the array.

    Args:
        build: the ring's depth and the word's width; with two products a word of the port is two of the ring.
        memory: external memory.
        start: cycle of the pulse that starts the stream.
    """

    def __init__(self, build: BuildConfig, memory: MemoryModel, start: float) -> None:
        self._memory, self._start = memory, start
        self._depth, self._word = build.weight_depth // build.products, build.wide * build.products
        self._room = memory.ahead(self._word)
        self._first = start + COMMAND_TO_STREAM + memory.first_word
        self._next = self._first  # cycle in which the next word can be taken
        self._taken: float = 0
        self._tail = 0
        self._releases: deque[tuple[int, float]] = deque()
        self._before: deque[tuple[float, float]] = deque()  # traffic that comes first: bytes, bytes per cycle

    def ready(self, words: int) -> float:
        """First cycle in which the array sees the first ``words`` of the sub-block in the ring."""
        pace = self._memory.widest_spacing(self._word)
        while self._taken < words:
            if self._taken == self._tail + self._depth:
                self._tail, released = self._releases.popleft()
                self._next = max(self._next, released + SEEN)
                continue
            fills = self._taken // self._room
            self._next = max(self._next, self._first + fills * self._memory.round_trip)
            count = min(words, self._tail + self._depth, (fills + 1) * self._room) - self._taken
            self._next += self._time(count)
            self._taken += count
        return self._next - pace + SEEN

    def release(self, words: int, finish: float) -> None:
        """The array gives the first ``words`` back in cycle ``finish``."""
        self._releases.append((words, finish))

    def through(self, used: int, words: int) -> float:
        """Cycle in which a limited memory has moved all that fits the ring of so many ``words``, of which ``used`` are
        released, and what comes before them."""
        first = min(words, used + self._depth) * self._word
        before = sum(traffic for traffic, _ in self._before)
        return self._start + (first + before) / self._memory.bandwidth if self._memory.bandwidth else self._start

    def yield_to(self, traffic: float, rate: float) -> None:
        """Ports that come first move ``traffic`` bytes, at most ``rate`` per cycle, while the stream goes on."""
        if self._memory.bandwidth is not None and traffic:
            self._before.append((traffic, self._memory.taken(rate)))

    def _time(self, words: float) -> float:
        """Cycles for the next ``words``."""
        spent = 0.0
        while self._before and words > 0:
            traffic, rate = self._before.popleft()
            pace, left = self._memory.beside(rate).widest_spacing(self._word), traffic / rate
            count = min(words, left / pace)
            spent, words, left = spent + count * pace, words - count, left - count * pace
            if words > 0:
                continue
            self._before.appendleft((left * rate, rate))
        return spent + words * self._memory.widest_spacing(self._word)


class PromptLoader:
    """``radit.accel.memory.prompt.prompt_loader``: keys and values of one computing context after the other."""

    def __init__(self, dims: Dims, build: BuildConfig, memory: MemoryModel) -> None:
        self._memory, self._spacing = memory, memory.spacing(build.rows)
        self._words = [dims.prompt_words(build, text) for text in dims.prompts]
        self._word_bytes = build.rows

    def loaded(self, active: tuple[int, ...], before: float) -> float:
        """First cycle from the engine's start pulse on in which all words of the contexts are in memory.

        Args:
            before: cycle up to which a limited memory moves what comes first, weights among it.
        """
        cycle = float(LOOK)
        for context, words in enumerate(self._words):
            if context in active:
                cycle += LOOK_TO_ASK + SEEN + self._memory.first_word + words * self._spacing
            else:
                cycle += LOOK
        moved = sum(self._words[context] for context in active) * self._word_bytes
        return max(cycle, before + moved / self._memory.bandwidth if self._memory.bandwidth else 0.0) + LOOK


class ParamLoader:
    """``radit.accel.memory.weights.param_loader``: one entry after the other from ``start`` on."""

    def __init__(self, memory: MemoryModel, start: float) -> None:
        self._first = start + COMMAND_TO_STREAM + memory.first_word
        self._spacing = memory.spacing(PARAM_BYTES)

    def ready(self, entries: int) -> float:
        """First cycle in which ``entries`` have arrived."""
        return self._first + (entries - 1) * self._spacing + SEEN if entries else self._first
