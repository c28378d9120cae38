"""The memories and streams around the accelerator, for engines in Python.

Says what ``cosim/harness/memory.h`` says, step for step: equal timing gives equal cycles.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from radit.cosim.engines.setup import RATE_UNIT, MemoryTiming

WORD32 = 0xFFFFFFFF


class Dice:
    """Two independent draws per cycle: stall the command channel, stall the data channel."""

    def __init__(self, timing: MemoryTiming, position: int) -> None:
        self.state = (timing.seed * 0x9E3779B1 + (position + 1) * 0x85EBCA6B) & WORD32 or 1
        self.stall = timing.chance
        self.command = self.data = False

    def roll(self) -> None:
        """Draw for the next cycle."""
        if not self.stall:
            return
        state = self.state
        state ^= state << 13 & WORD32
        state ^= state >> 17
        state ^= state << 5 & WORD32
        self.state = state
        self.command = (state & 0xFFFF) < self.stall
        self.data = (state >> 16) < self.stall


class Bandwidth:
    """What all memory ports share. They ask in order of priority: one that cannot pay holds up those after it."""

    def __init__(self, rate: int, widest: int) -> None:
        self.rate = rate  # bytes per 256 cycles, 0: unlimited
        self.most = widest * RATE_UNIT + rate
        self.clear()

    def clear(self) -> None:
        """As after a reset."""
        self.credit = self.refilled = 0
        self.refused = -1  # the cycle in which a port could not pay

    def pay(self, size: int, now: int) -> bool:
        """True when ``size`` bytes could be paid for."""
        if not self.rate:
            return True
        if self.refused == now:
            return False
        self.credit = min(self.credit + (now - self.refilled) * self.rate, self.most)
        self.refilled = now
        if self.credit < size * RATE_UNIT:
            self.refused = now
            return False
        self.credit -= size * RATE_UNIT
        return True


@dataclass
class PendingRead:
    """The rest of a command."""

    address: int
    left: int
    due: int


class Memory:
    """One memory port, read or write. ``offered``: a read word is on the bus, or the write port is ready."""

    def __init__(self, position: int, word_bytes: int, shared: Bandwidth) -> None:
        self.position = position
        self.word_bytes = word_bytes
        self.shared = shared
        self.bytes = memoryview(b"")
        self.size = 0
        self.timing = MemoryTiming()
        self.bus = 0
        self.clear()

    def bind(self, words: np.ndarray, count: int, timing: MemoryTiming) -> None:
        """Use the array in place."""
        self.bytes = words.reshape(-1).view(np.uint8).data
        self.size = count
        self.timing = timing
        self.dice = Dice(timing, self.position)

    def clear(self) -> None:
        """Forget every command, as after a reset."""
        self.dice = Dice(self.timing, self.position)
        self.queue: deque[PendingRead] = deque()
        self.command_ready = self.offered = False
        self.has_room = self.refused = False  # a write port could, or could not, pay for the next word
        self.start()

    def start(self) -> None:
        """Count from here."""
        self.moved = self.starved = 0  # words; cycles

    def rest(self) -> tuple[int, int] | None:
        """Next address and words still to come of the oldest command, None when all is done."""
        if self.queue:
            return self.queue[0].address, self.queue[0].left
        return None

    def accept_command(self, address: int, length: int, now: int) -> bool:
        """False when it is out of range."""
        if address + length > self.size:
            return False
        self.queue.append(PendingRead(address, length, now + self.timing.latency))
        return True

    def accept_word(self, word: int) -> None:
        """Store a written word."""
        self.bytes[self._next_word()] = word.to_bytes(self.word_bytes, "little")
        self.has_room = False

    def read(self, taken: bool, now: int) -> None:
        """Set what a read port shows in the next cycle."""
        self.dice.roll()
        if taken:
            self.offered = False
        if not self.offered and self.queue and self.queue[0].due <= now and not self.dice.data and self._fetch(now):
            self.bus = int.from_bytes(self.bytes[self._next_word()], "little")
            self.offered = True
        self.command_ready = len(self.queue) < self.timing.depth and not self.dice.command

    def write(self, now: int) -> None:
        """Set what a write port shows in the next cycle."""
        self.dice.roll()
        self.refused = False
        if not self.has_room and self.queue and not self.dice.data:
            self.has_room = self.shared.pay(self.word_bytes, now)
            self.refused = not self.has_room
        self.offered = self.has_room and not self.dice.data
        self.command_ready = len(self.queue) < self.timing.depth and not self.dice.command

    def _next_word(self) -> slice:
        request = self.queue[0]
        start = request.address * self.word_bytes
        request.address += 1
        request.left -= 1
        self.moved += 1
        if not request.left:
            self.queue.popleft()
        return slice(start, start + self.word_bytes)

    def _fetch(self, now: int) -> bool:
        paid = self.shared.pay(self.word_bytes, now)
        self.starved += not paid
        return paid


class HostStreams:
    """x to and from the accelerator."""

    def __init__(self, position: int, word_bytes: int, timing: MemoryTiming) -> None:
        self.position = position  # of the source; the sink is the next
        self.word_bytes = word_bytes
        self.timing = timing
        self.x_in = self.x_out = memoryview(b"")
        self.clear()

    def clear(self) -> None:
        """Forget what is under way, as after a reset."""
        self.source_dice = Dice(self.timing, self.position)
        self.sink_dice = Dice(self.timing, self.position + 1)
        self.words = self.sent = self.received = self.bus = 0
        self.offered = self.ready = False

    def start(self, x_in: np.ndarray, x_out: np.ndarray) -> None:
        """Send and receive these arrays next."""
        self.x_in = x_in.reshape(-1).view(np.uint8).data
        self.x_out = x_out.reshape(-1).view(np.uint8).data
        self.words = x_in.nbytes // self.word_bytes
        self.sent = self.received = 0

    def advance(self, taken: bool) -> None:
        """Set what the streams show in the next cycle."""
        self.source_dice.roll()
        self.sink_dice.roll()
        if taken:
            self.offered = False
        if not self.offered and self.sent < self.words and not self.source_dice.data:
            start = self.sent * self.word_bytes
            self.bus = int.from_bytes(self.x_in[start : start + self.word_bytes], "little")
            self.sent += 1
            self.offered = True
        self.ready = not self.sink_dice.data

    def accept(self, word: int) -> None:
        """Store a received word."""
        start = self.received * self.word_bytes
        self.x_out[start : start + self.word_bytes] = word.to_bytes(self.word_bytes, "little")
        self.received += 1


class Monitor:
    """A payload that waits must not change."""

    def __init__(self) -> None:
        self.held: object = None

    def holds(self, valid: bool, ready: bool, payload: object) -> bool:
        """False when the waiting payload changed or its valid fell."""
        if self.held is not None and not (valid and self.held == payload):
            return False
        self.held = payload if valid and not ready else None
        return True
