"""Weight streamer and parameter loader: what a computing sub-block fetches besides its inputs.

One command per sub-block and port. Weights flow into a ring that the array reads tile by tile and releases; the
stream waits while the ring is full. Requantization parameters of the whole sub-block load at one entry per cycle.
"""

from myhdl import Signal, always_comb, always_seq, block, enum, modbv

from accel.config import log2_exact
from accel.interfaces.memory_ports import WritePort
from accel.interfaces.signals import address, dim, flag
from accel.memory.on_chip import narrow_memory
from model.formats import INT8_BITS


@block
def weight_streamer(
    clk, aresetn, restart, start, base, words, ring_head, ring_tail, read, cmd, src, weight_write, config
):
    """Fetch ``words`` from ``base`` on ``start`` (pulse) into the ring.

    restart: pulse, empties the ring (start of a timestep). ring_head: words written; ring_tail: words released
    (both free-running). read: ReadPort of the ring. weight_write: high per word written.
    """
    DEPTH = config.weight_depth
    RING_BITS = log2_exact(DEPTH)
    phases = enum("IDLE", "ASK", "STREAM")
    phase = Signal(phases.IDLE)
    level = Signal(modbv(0)[32:])
    left = address()
    write = WritePort(config.wide * INT8_BITS)
    take = flag()

    @always_comb
    def fill():
        level.next = ring_head - ring_tail

    @always_comb
    def handshake():
        cmd.tvalid.next = phase == phases.ASK
        src.tready.next = phase == phases.STREAM and level < DEPTH
        take.next = phase == phases.STREAM and level < DEPTH and src.tvalid

    @always_comb
    def store():
        weight_write.next = take
        write.enable.next = take
        write.addr.next = ring_head[RING_BITS:]
        write.data.next = src.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if restart:
            ring_head.next = 0
        elif take:
            ring_head.next = ring_head + 1
        if phase == phases.IDLE:
            if start:
                cmd.taddr.next = base
                cmd.tlen.next = words
                left.next = words
                phase.next = phases.ASK
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.STREAM
        elif phase == phases.STREAM:
            if take:
                left.next = left - 1
                if left == 1:
                    phase.next = phases.IDLE

    return fill, handshake, store, sequence, narrow_memory(clk, write, read, DEPTH)


@block
def param_loader(clk, aresetn, start, base, entries, param_count, read, cmd, src, param_write, config):
    """Fetch ``entries`` parameters from ``base`` on ``start`` (pulse); param_count tells how many have arrived."""
    phases = enum("IDLE", "ASK", "STREAM")
    phase = Signal(phases.IDLE)
    left = dim()
    write = WritePort(64)
    take = flag()

    @always_comb
    def handshake():
        cmd.tvalid.next = phase == phases.ASK
        src.tready.next = phase == phases.STREAM
        take.next = phase == phases.STREAM and src.tvalid

    @always_comb
    def store():
        param_write.next = take
        write.enable.next = take
        write.addr.next = param_count
        write.data.next = src.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                cmd.taddr.next = base
                cmd.tlen.next = entries
                left.next = entries
                param_count.next = 0
                phase.next = phases.ASK
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.STREAM
        elif phase == phases.STREAM:
            if take:
                param_count.next = param_count + 1
                left.next = left - 1
                if left == 1:
                    phase.next = phases.IDLE

    return handshake, store, sequence, narrow_memory(clk, write, read, config.param_depth)
