"""Conditioning: sub-block headers, gates, scales and shifts, fetched one sub-block ahead.

The mod port delivers 8 header beats and ``contexts * D`` beats of gate, scale and shift per sub-block
(docs/interface.md). Vectors land in one half of the conditioning memories while the pass uses the other.
"""

from myhdl import Signal, always, always_comb, always_seq, block, enum, intbv

from accel.interfaces.conditioning import FIELD_BITS, HEADER_BEATS, HEADER_FIELDS, MODULATION_BITS, channel_bounds
from accel.interfaces.memory_ports import WritePort
from accel.interfaces.signals import address, dim, flag
from accel.memory.on_chip import narrow_memory
from model.formats import GATE_BITS


@block
def header_field(clk, load, beat, data, take, dst, where):
    """Catch one header field from its beat; hand it to ``dst`` at ``take``."""
    BEAT, position, bits, _ = where
    LOW = position * FIELD_BITS
    HIGH = LOW + bits
    ahead = Signal(intbv(0)[bits:])
    if bits == 1:

        @always(clk.posedge)
        def catch_bit():
            if load and beat == BEAT:
                ahead.next = data[HIGH:LOW]
            if take:
                dst.next = ahead[0]

        return catch_bit

    @always(clk.posedge)
    def catch():
        if load and beat == BEAT:
            ahead.next = data[HIGH:LOW]
        if take:
            dst.next = ahead

    return catch


@block
def conditioning(
    clk, aresetn, fetch, fetch_base, half, loaded, take, header, gate, modulation, regs, cmd, src, mod_write, config
):
    """Load a sub-block's conditioning on ``fetch`` (pulse) from word address ``fetch_base`` into ``half``.

    loaded: high from the end of the load to the next fetch. take: pulse, makes the loaded header current.
    gate (16 bit), modulation (scale | shift): ReadPorts. mod_write: pulse per beat.
    """
    depth = config.conditioning_depth
    HALF = config.max_contexts * config.max_hidden
    GATE_LOW, GATE_HIGH = channel_bounds("gate")
    MOD_LOW, MOD_HIGH = channel_bounds("scale")[0], channel_bounds("shift")[1]
    phases = enum("IDLE", "ASK", "HEADER", "VECTORS")
    phase = Signal(phases.IDLE)
    beat = Signal(intbv(0)[3:])
    left = address()
    write_gate, write_mod = WritePort(GATE_BITS), WritePort(MODULATION_BITS)
    load_header, store = flag(), flag()
    index = address()
    length = dim()

    @always_comb
    def handshake():
        cmd.tvalid.next = phase == phases.ASK
        src.tready.next = phase == phases.HEADER or phase == phases.VECTORS
        load_header.next = phase == phases.HEADER and src.tvalid
        store.next = phase == phases.VECTORS and src.tvalid
        mod_write.next = (phase == phases.HEADER or phase == phases.VECTORS) and src.tvalid

    @always_comb
    def write():
        write_gate.enable.next = store
        write_gate.addr.next = index
        write_gate.data.next = src.tdata[GATE_HIGH:GATE_LOW]
        write_mod.enable.next = store
        write_mod.addr.next = index
        write_mod.data.next = src.tdata[MOD_HIGH:MOD_LOW]

    @always_comb
    def count():
        length.next = regs.contexts * regs.hidden

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if fetch:
                cmd.taddr.next = fetch_base
                cmd.tlen.next = length + HEADER_BEATS
                left.next = length
                loaded.next = 0
                beat.next = 0
                if half:
                    index.next = HALF
                else:
                    index.next = 0
                phase.next = phases.ASK
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.HEADER
        elif phase == phases.HEADER:
            if src.tvalid:
                if beat == HEADER_BEATS - 1:
                    phase.next = phases.VECTORS
                else:
                    beat.next = beat + 1
        elif phase == phases.VECTORS:
            if src.tvalid:
                index.next = index + 1
                left.next = left - 1
                if left == 1:
                    loaded.next = 1
                    phase.next = phases.IDLE

    fields = [
        header_field(clk, load_header, beat, src.tdata, take, getattr(header, name), where)
        for name, where in HEADER_FIELDS.items()
    ]
    memories = narrow_memory(clk, write_gate, gate, depth), narrow_memory(clk, write_mod, modulation, depth)
    return handshake, write, count, sequence, fields, memories
