"""The AXI wrapper (``radit.accel.axi``) as the cycle model sees it: a memory with a longer way to its first word, one
read channel and one write channel that ports share beat by beat, and x through both of them.

| in cycles | | from |
|---|---|---|
| command -> first word | memory's latency + 5 | `split_bursts` 2, register of AR 1, the buffer 2 |
| last word of a command that writes -> next one's first | 4 | the last beat into the buffer 1, its burst asked for 2 |
| two bursts on W | 2 between their beats | `write_channel` 1, from AW to the memory's first W 1 |
| all ports' reads | a beat per cycle | `read_channel` |

The engines are exact where a read buffer bridges the latency and beats are not short. In passes ports meet, and the
memory answers their IDs in any order: they are taken to get as many beats each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from radit.accel.axi.bus_config import BYTE_BITS, BusConfig
from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.accel.units.fifo import LATENCY as FIFO_LATENCY
from radit.model.formats import X_BITS
from radit.reports.cost.traffic import BEAT_BYTES
from radit.reports.cycles.memory import LOAD_TO_PASS, MemoryModel, Outlet, Pauses

SPLIT = 2  # a bridge takes a command -> its first burst (``split_bursts``); also a burst taken -> the next one
ASKED = 1  # a burst is taken -> it is on AR
COMMAND_TO_WORD = 1  # of `MemoryModel`, latency 0
READ_WAY = SPLIT + ASKED + FIFO_LATENCY - COMMAND_TO_WORD
LEAST_LATENCY = 1  # of a memory: R comes after AR
BUFFERED = 1  # a word is taken -> its first beat enters the buffer
FULL_TO_BURST = 1  # the last beat enters the buffer -> its burst may be taken
TAKEN_TO_IDLE = 1  # the last burst is taken -> the bridge takes a command
COMMAND_TO_TAKE = 1  # a bridge that writes takes a command -> the first word
WRITE_TURN = BUFFERED + FULL_TO_BURST + TAKEN_TO_IDLE + COMMAND_TO_TAKE  # last word of a command -> next one's first
TAKEN_TO_BEAT = 2  # a burst is taken -> its first beat on W: it is on AW, and then the memory takes beats
LEAD = 1  # x is asked for so much before the first conditioning
WIDE = 32  # bytes of a beat from which on ports seldom wait for each other
MET, CROWDED, TURNED = 0.01, 0.03, 0.05  # tolerances: a wide bus; a narrower one; a latency that no buffer bridges


@dataclass(frozen=True)
class BusModel(MemoryModel):
    """What is behind the ports of an accelerator in the wrapper; `behind_axi` makes one of a memory.

    Fields:
        latency, bandwidth, stall: of the ports; the pauses of the channels are in latency and bandwidth.
        bus: build parameters of the wrapper.
        flow: share of the cycles in which a channel of the bus does not pause.
        answers: cycles from a burst's address to its first beat, the pauses included.
    """

    bus: BusConfig = BusConfig()
    flow: float = 1.0
    answers: float = 0.0

    writes_apart = True

    @property
    def regime(self) -> str:
        """What keeps words waiting beside the latency, in words."""
        limit = " and a memory slower than its bus" if self.is_slow else ""
        return f"AXI of {self.bus.data_bytes * BYTE_BITS} bits{limit}" + (" and random pauses" if self.flow < 1 else "")

    @property
    def tolerance(self) -> float:
        """See `MemoryModel`."""
        if self.is_slow:
            return super().tolerance
        return TURNED if self.answers > self.bus.latency else MET if self.bus.data_bytes >= WIDE else CROWDED

    @property
    def is_slow(self) -> bool:
        """Whether the memory brings less than the bus could take."""
        return self.bandwidth is not None and self.bandwidth < self.bus.data_bytes * self.flow

    @property
    def round_trip(self) -> float:
        """See `MemoryModel`."""
        return self.answers + SPLIT + ASKED + FIFO_LATENCY

    def taken(self, rate: float) -> float:
        """See `MemoryModel`; who waits gets every other beat."""
        return min(rate, self.bandwidth / 2) if self.bandwidth else rate

    def write_spacing(self, word_bytes: float) -> float:
        """See `MemoryModel`; of the write channel."""
        burst = self.bus.burst_beats
        return max(1.0, self._beats(word_bytes) * (burst / self.flow + TAKEN_TO_BEAT) / burst)

    @property
    def write_turn(self) -> float:
        """See `MemoryModel`."""
        return WRITE_TURN - 1.0

    def outlet(self, build: BuildConfig, words: int, pauses: Pauses) -> BusOutlet:
        """See `MemoryModel`."""
        return BusOutlet(self, build, words)

    def held_up(self, build: BuildConfig, words: int, beats: int) -> float:
        """See `MemoryModel`; both take turns, as far as x has room."""
        wanted = self._beats(beats * BEAT_BYTES)
        return max(0.0, (wanted + min(wanted, self._x_ahead(build, words)) - LEAD) / self.flow - beats)

    def inlet(self, build: BuildConfig, words: int, beats: int, others: Sequence[tuple[float, float]]) -> list[float]:
        """See `MemoryModel`: every port that has beats to come gets as many as any other."""
        per_word, room = self._beats(_x_bytes(build)), self._room(_x_bytes(build))
        ports = [[asked + self.answers + READ_WAY, self._beats(size)] for asked, size in others]
        before = self.flow * (beats + self.held_up(build, words, beats) + LOAD_TO_PASS) - self._beats(
            beats * BEAT_BYTES
        )
        total = min(self._x_ahead(build, words), max(0.0, before))
        came, cycle = [0.0] * int(total / per_word), 0.0
        while len(came) < words:
            open_ports = [port for port in ports if port[0] <= cycle and port[1] > 0]
            has_room = total < min(cycle, len(came)) * per_word + room
            share = self.flow / max(1, len(open_ports) + has_room)
            for port in open_ports:
                port[1] -= share
            total, cycle = total + share * has_room, cycle + 1
            came += [cycle] * (min(words, int(total / per_word)) - len(came))
        return came

    def ahead(self, word_bytes: float) -> float:
        """See `MemoryModel`: what the buffer of a port holds."""
        return self._room(word_bytes) * self.bus.data_bytes / word_bytes

    def _room(self, word_bytes: float) -> int:
        return self.bus.read_room(max(1, int(word_bytes)))

    def _beats(self, size: float) -> float:
        return size / self.bus.data_bytes

    def _x_ahead(self, build: BuildConfig, words: int) -> float:
        """Beats of x that come before any is used."""
        return min(self._beats(words * _x_bytes(build)), float(self._room(_x_bytes(build))))


def behind_axi(latency: int, stall: float, bus: BusConfig, bandwidth: float | None = None) -> BusModel:
    """A memory behind the wrapper.

    Args:
        latency: from a burst's address to its first beat (cycles).
        stall: probability that a channel pauses in a cycle.
        bus: build parameters of the wrapper.
        bandwidth: of the memory, bytes read per cycle; None: as much as the bus takes.
    """
    flow = 1.0 - stall
    answers = max(latency, LEAST_LATENCY) + 2 * stall / flow  # AR and R pause
    beats = bus.data_bytes if bandwidth is None else min(bus.data_bytes, bandwidth)
    return BusModel(answers + READ_WAY, beats * flow, 0.0, bus, flow, answers)


def _x_bytes(build: BuildConfig) -> int:
    """Of a word of x."""
    return build.rows * X_BITS // BYTE_BITS


class WriteChannel:
    """AW and W: one burst after the other."""

    def __init__(self, flow: float) -> None:
        self._pace, self._free = 1.0 / flow, 0.0

    def burst(self, full: float, beats: int) -> list[float]:
        """The cycles in which the ``beats`` of a burst leave, which can go from cycle ``full`` on."""
        first = max(full, self._free) + TAKEN_TO_BEAT
        self._free = first + beats * self._pace
        return [first + beat * self._pace for beat in range(beats)]


class WriteBridge:
    """``radit.accel.axi.write_bridge``: the words of one command after the other, in beats, in bursts.

    Args:
        words: of every command; commands lie one behind the other in memory.
    """

    def __init__(self, channel: WriteChannel, bus: BusConfig, word_bytes: int, words: int) -> None:
        self._channel, self._length = channel, words
        self._lanes, self._beats = max(1, bus.data_bytes // word_bytes), max(1, word_bytes // bus.data_bytes)
        self._burst, self._room = bus.burst_beats, bus.write_room
        self._word = self._full = self._end = 0  # words so far; beats of the burst at hand; end of the last in memory
        self._left: deque[float] = deque(maxlen=self._room)  # cycles in which the latest beats leave the buffer
        self._next = 0.0  # first cycle in which a word can be taken
        self.idle = 0.0  # first cycle in which a command can be taken

    def take(self, earliest: float) -> float:
        """The cycle in which the next word is taken; its command is there as soon as it can be taken."""
        taken = enters = max(earliest, self._next)
        self._word += 1
        ends = self._word % self._length == 0
        if ends or self._word % self._lanes == 0:
            for beat in range(1, self._beats + 1):
                enters = max(enters + BUFFERED, self._left[0] + 1 if len(self._left) == self._room else 0.0)
                self._beat(enters, ends and beat == self._beats)
        self._next = self.idle + COMMAND_TO_TAKE if ends else max(taken + 1, enters)
        return taken

    def _beat(self, enters: float, ends: bool) -> None:
        """A beat enters the buffer; with the last one of a burst the burst can go."""
        self._full, self._end = self._full + 1, -(-self._word // self._lanes) if self._lanes > 1 else self._end + 1
        if ends or self._end % self._burst == 0:
            leave = self._channel.burst(enters + FULL_TO_BURST, self._full)
            self._left += leave
            self._full, self.idle = 0, leave[0] - TAKEN_TO_BEAT + TAKEN_TO_IDLE


class BusOutlet(Outlet):
    """The bridges of x and of cached streams."""

    def __init__(self, memory: BusModel, build: BuildConfig, words: int) -> None:
        channel = WriteChannel(memory.flow)
        self._x = WriteBridge(channel, memory.bus, _x_bytes(build), words)
        self._cache = WriteBridge(channel, memory.bus, build.rows, STREAM_WORDS * words)

    def take(self, earliest: float) -> float:
        return self._x.take(earliest)

    def run(self, cycle: float, words: int) -> float:
        for _ in range(words):
            cycle = self._x.take(cycle + 1)
        return cycle

    def asks(self, cycle: float) -> float:
        return max(cycle, self._cache.idle)

    def store(self, gone: float) -> float:
        for _ in range(STREAM_WORDS):
            gone = self._cache.take(gone + 1)
        return gone
