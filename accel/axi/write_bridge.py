"""A port that writes, behind AXI4: command and words -> beats with strobes -> bursts.

A burst is asked for when all its beats are in the buffer: it never stops half way, and no port can hold up another.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from radit.accel.axi.beat_words import words_to_beats
from radit.accel.axi.bursts import Span, beat_credit, place_span, split_bursts
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.streams import Stream
from radit.accel.units.fifo import stream_fifo

MOST_UNANSWERED = 63  # bursts of a port


@block
def write_bridge(clk, aresetn, channel, page, burst, beats_out, answered, idle, word_bytes, bus):
    """Write the words of a port where its commands say.

    channel: WriteChannel, whose ``moves`` is not used. page: where the memory begins. burst: Burst; once it is taken,
    its beats leave through beats_out: Stream of data and, above it, a bit for each word of the beat. answered: pulse,
    a burst was answered. idle: flag, everything is written and answered. A command is taken when the words of the one
    before have come and its bursts have been asked for.
    """
    lanes = max(1, bus.data_bytes // word_bytes)
    DEPTH, MOST = bus.write_room, MOST_UNANSWERED
    cmd, words = channel.cmd, channel.data
    span = Span(bus, word_bytes)
    beats, level = Stream(bus.data_bits + lanes), word(DEPTH.bit_length())
    load, asked, came, may_ask = (flag() for _ in range(4))
    ready, unanswered = word(DEPTH.bit_length()), Signal(intbv(0)[MOST.bit_length() :])
    place = place_span(cmd=cmd, page=page, span=span, word_bytes=word_bytes, bus=bus)
    split = split_bursts(
        clk=clk, aresetn=aresetn, load=load, span=span, may_ask=may_ask, idle=asked, burst=burst, bus=bus
    )
    convert = words_to_beats(
        clk=clk, aresetn=aresetn, load=load, span=span, length=cmd.tlen, words=words, beats=beats, idle=came,
        lanes=lanes,
    )  # fmt: skip
    credit = beat_credit(clk=clk, aresetn=aresetn, burst=burst, beats=beats, credit=ready)
    buffer = stream_fifo(clk=clk, aresetn=aresetn, src=beats, dst=beats_out, level=level, depth=DEPTH)

    @always_comb
    def take_command():
        cmd.tready.next = asked and came
        load.next = cmd.tvalid and asked and came

    @always_comb
    def report():
        may_ask.next = burst.count <= ready and unanswered != MOST
        idle.next = asked and came and unanswered == 0

    @always_seq(clk.posedge, reset=aresetn)
    def count_unanswered():
        if burst.valid and burst.ready and not answered:
            unanswered.next = unanswered + 1
        elif answered and not (burst.valid and burst.ready):
            unanswered.next = unanswered - 1

    return place, split, convert, buffer, credit, take_command, report, count_unanswered
