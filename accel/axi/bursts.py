"""Commands in words of a port -> bursts in beats of the bus.

A port's word is a power of two of bytes, narrower or wider than a beat. Memories begin at pages, so that no word lies
in two beats but one that is wider. A burst ends at the latest at a multiple of its greatest length, which divides
4 KiB: none crosses that boundary.
"""

from myhdl import Signal, always_comb, always_seq, block, modbv

from radit.accel.axi.bus_config import PAGE_BYTES
from radit.accel.axi.bus_ports import COUNT_BITS
from radit.accel.config import bits_for, log2_exact
from radit.accel.interfaces.signals import ADDRESS_BITS, bit_set, flag, word
from radit.accel.interfaces.streams import LENGTH_BITS


class Span:
    """Where a command's words lie, in beats.

    first: address of the first beat; beats: how many; lane: place of the first word in its beat, where that has
    several. Driven by ``place_span``.
    """

    def __init__(self, bus, word_bytes: int) -> None:
        ratio = max(1, bus.data_bytes // word_bytes)
        times = max(1, word_bytes // bus.data_bytes)
        self.first = Signal(modbv(0)[bus.beat_bits :])
        self.beats = word(LENGTH_BITS + log2_exact(times) + 1)
        if ratio > 1:
            self.lane = bit_set(bits_for(ratio))


@block
def place_span(cmd, page, span, word_bytes, bus):
    """The span of the command that is offered. Combinational. page: of the memory's first byte."""
    PAGE = log2_exact(PAGE_BYTES // bus.data_bytes)
    narrow = word_bytes < bus.data_bytes
    SHIFT = log2_exact(bus.data_bytes // word_bytes if narrow else word_bytes // bus.data_bytes)
    REST = (1 << SHIFT) - 1
    TALL = ADDRESS_BITS + (0 if narrow else SHIFT)
    origin = word(bus.beat_bits)
    offset = word(TALL)

    @always_comb
    def find_memory():
        origin.next = page << PAGE

    @always_comb
    def find_first():
        span.first.next = origin + offset

    if narrow:
        reach = word(LENGTH_BITS + 1)  # words up to the last beat's end

        @always_comb
        def find_word():
            offset.next = cmd.taddr >> SHIFT
            span.lane.next = cmd.taddr[SHIFT:]
            reach.next = cmd.tlen + cmd.taddr[SHIFT:] + REST

        @always_comb
        def count_beats():
            span.beats.next = reach >> SHIFT

        return find_memory, find_first, find_word, count_beats

    @always_comb
    def widen():
        offset.next = cmd.taddr << SHIFT
        span.beats.next = cmd.tlen << SHIFT

    return find_memory, find_first, widen


@block
def split_bursts(clk, aresetn, load, span, may_ask, idle, burst, bus):
    """Ask for the bursts of the span that comes with ``load`` (pulse, while ``idle``), one after the other.

    may_ask: flag, the burst shown by ``burst.count`` has room; once high it stays so until the burst is taken.
    burst: Burst. Latency: 2 cycles from ``load`` to ``burst.valid``; a burst in every second cycle at most.
    """
    BURST = bus.burst_beats
    LOW = log2_exact(BURST)
    left = word(len(span.beats))
    until_end = word(COUNT_BITS)
    known = flag()

    @always_comb
    def offer():
        burst.valid.next = known and may_ask
        idle.next = left == 0
        until_end.next = BURST - burst.beat[LOW:]

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        if load:
            burst.beat.next = span.first
            left.next = span.beats
            known.next = 0
        elif known:
            if burst.ready and burst.valid:
                burst.beat.next = burst.beat + burst.count
                left.next = left - burst.count
                known.next = 0
        elif left != 0:
            known.next = 1
            if left < until_end:
                burst.count.next = left
            else:
                burst.count.next = until_end

    return offer, step


@block
def beat_credit(clk, aresetn, burst, beats, credit):
    """``credit``, how many beats bursts may still ask for: one more with every beat that moves, those of a burst fewer
    when it is taken. burst: Burst. beats: Stream."""

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if burst.valid and burst.ready:
            if beats.tvalid and beats.tready:
                credit.next = credit - burst.count + 1
            else:
                credit.next = credit - burst.count
        elif beats.tvalid and beats.tready:
            credit.next = credit + 1

    return count
