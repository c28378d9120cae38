"""A port that reads, behind AXI4: command -> bursts -> beats -> words.

A burst is asked for when its beats have room in the buffer, so that the data of all ports can always be taken.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from radit.accel.axi.beat_words import Run, gather_beats, pass_beats, pick_lanes
from radit.accel.axi.bursts import Span, beat_credit, place_span, split_bursts
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.streams import Stream
from radit.accel.units.fifo import stream_fifo


@block
def read_bridge(clk, aresetn, channel, page, burst, beats_in, idle, word_bytes, bus):
    """Fetch what the commands of a port ask for.

    channel: ReadChannel, whose ``moves`` is not used. page: where the memory begins. burst: Burst. beats_in: Stream,
    the port's beats in the order of its bursts, which finds room at any time. idle: flag, nothing is to come.
    A command is taken as soon as all bursts of the one before it have been asked for.
    """
    DEPTH = bus.read_room(word_bytes)
    cmd = channel.cmd
    span = Span(bus, word_bytes)
    beats, level = Stream(bus.data_bits), word(DEPTH.bit_length())
    load, asked, may_ask = flag(), flag(), flag()
    room = Signal(intbv(DEPTH)[DEPTH.bit_length() :])
    place = place_span(cmd=cmd, page=page, span=span, word_bytes=word_bytes, bus=bus)
    split = split_bursts(
        clk=clk, aresetn=aresetn, load=load, span=span, may_ask=may_ask, idle=asked, burst=burst, bus=bus
    )
    credit = beat_credit(clk=clk, aresetn=aresetn, burst=burst, beats=beats, credit=room)
    buffer = stream_fifo(clk=clk, aresetn=aresetn, src=beats_in, dst=beats, level=level, depth=DEPTH)
    if word_bytes < bus.data_bytes:
        words = take_run(
            clk=clk, aresetn=aresetn, cmd=cmd, asked=asked, load=load, span=span, beats=beats, words=channel.data
        )
    else:
        words = take_beats(clk=clk, aresetn=aresetn, cmd=cmd, asked=asked, load=load, beats=beats, words=channel.data)

    @always_comb
    def report():
        may_ask.next = burst.count <= room
        idle.next = asked and room == DEPTH

    return place, split, buffer, words, credit, report


@block
def take_beats(clk, aresetn, cmd, asked, load, beats, words):
    """Take a command when the bursts of the one before are ``asked`` for; its words fill beats."""
    if len(words.tdata) == len(beats.tdata):
        conversion = pass_beats(beats=beats, words=words)
    else:
        conversion = gather_beats(clk=clk, aresetn=aresetn, beats=beats, words=words)

    @always_comb
    def take_command():
        cmd.tready.next = asked
        load.next = cmd.tvalid and asked

    return conversion, take_command


@block
def take_run(clk, aresetn, cmd, asked, load, span, beats, words):
    """The same where a beat has several words: which of them are the command's waits until those before are out."""
    run = Run(len(beats.tdata) // len(words.tdata))
    conversion = pick_lanes(clk=clk, aresetn=aresetn, beats=beats, words=words, run=run)

    @always_comb
    def take_command():
        cmd.tready.next = asked and not run.valid
        load.next = cmd.tvalid and asked and not run.valid

    @always_seq(clk.posedge, reset=aresetn)
    def keep_run():
        if load:
            run.lane.next = span.lane
            run.length.next = cmd.tlen
            run.valid.next = 1
        elif run.ready:
            run.valid.next = 0

    return conversion, take_command, keep_run
