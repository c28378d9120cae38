"""Weight streamer and parameter loader: what a computing sub-block fetches besides its inputs.

One command per sub-block and port. Weights flow into a ring that the array reads tile by tile and releases; the
stream waits while the ring is full. Requantization parameters of the whole sub-block load at one entry per cycle.
"""

from myhdl import Signal, always_comb, always_seq, block, enum, modbv

from radit.accel.config import log2_exact
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import ADDRESS_BITS, address, flag
from radit.accel.memory.on_chip import narrow_memory
from radit.model.formats import INT8_BITS, PARAM_BITS


@block
def weight_streamer(clk, aresetn, restart, fetch, ring, channel, config):
    """Fetch the weights of a sub-block into the ring.

    restart: pulse, empties the ring (start of a timestep). fetch: OperandFetch. ring: WeightRing. channel: ReadChannel.
    """
    DEPTH, PRODUCTS = config.weight_depth, config.products
    RING_BITS, LOW = log2_exact(DEPTH), log2_exact(PRODUCTS)
    level = Signal(modbv(0)[ADDRESS_BITS:])
    has_room = flag()
    write = WritePort(PRODUCTS * config.wide * INT8_BITS)
    stream = stream_fetch(
        clk=clk, aresetn=aresetn, start=fetch.start, base=fetch.weight_addr, words=fetch.weight_words,
        has_room=has_room, channel=channel,
    )  # fmt: skip

    @always_comb
    def drive_level():
        level.next = ring.head - ring.tail

    @always_comb
    def drive_has_room():
        has_room.next = level < DEPTH

    @always_comb
    def drive_write():
        write.enable.next = channel.moves
        write.addr.next = ring.head[RING_BITS:LOW]
        write.data.next = channel.data.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def advance_head():
        if restart:
            ring.head.next = 0
        elif channel.moves:
            ring.head.next = ring.head + PRODUCTS

    memory = narrow_memory(clk=clk, write=write, read=ring.read, depth=DEPTH // PRODUCTS)
    return stream, drive_level, drive_has_room, drive_write, advance_head, memory


@block
def param_loader(clk, aresetn, fetch, store, channel, config):
    """Fetch the requantization parameters of a sub-block.

    fetch: OperandFetch. store: ParameterStore. channel: ReadChannel.
    """
    has_room = flag()
    write = WritePort(PARAM_BITS)
    stream = stream_fetch(
        clk=clk, aresetn=aresetn, start=fetch.start, base=fetch.param_addr, words=fetch.param_entries,
        has_room=has_room, channel=channel,
    )  # fmt: skip

    @always_comb
    def drive_write():
        has_room.next = True
        write.enable.next = channel.moves
        write.addr.next = store.loaded
        write.data.next = channel.data.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def count_loaded():
        if fetch.start:
            store.loaded.next = 0
        elif channel.moves:
            store.loaded.next = store.loaded + 1

    memory = narrow_memory(clk=clk, write=write, read=store.read, depth=config.param_depth)
    return stream, drive_write, count_loaded, memory


@block
def stream_fetch(clk, aresetn, start, base, words, has_room, channel):
    """On ``start`` (pulse) ask for ``words`` from ``base``, and take them while there ``has_room``.

    channel: ReadChannel.
    """
    phases = enum("IDLE", "ASK", "STREAM")
    phase = Signal(phases.IDLE)
    left = address()
    cmd, data = channel.cmd, channel.data

    @always_comb
    def drive_handshake():
        cmd.tvalid.next = phase == phases.ASK
        data.tready.next = phase == phases.STREAM and has_room
        channel.moves.next = phase == phases.STREAM and has_room and data.tvalid

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
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
            if channel.moves:
                left.next = left - 1
                if left == 1:
                    phase.next = phases.IDLE

    return drive_handshake, sequence
