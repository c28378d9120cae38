"""Conditioning: sub-block headers, gates, scales and shifts, fetched one sub-block ahead.

The port delivers the header's beats and ``contexts * D`` beats of gate, scale and shift per sub-block
(``accel/interfaces/conditioning.py``). Vectors land in one half of the conditioning memories while the pass uses the
other. Where a header asks for it, the frame embedding follows (``accel/control/frame_loader.py``).
"""

from myhdl import Signal, always, always_comb, always_seq, block, enum

from radit.accel.control.frame_loader import load_frames
from radit.accel.interfaces.conditioning import (
    BEAT_BITS,
    FIELD_BITS,
    HEADER_BEATS,
    MODULATION_BITS,
    Loading,
    channel_bounds,
    header_fields,
)
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import address, dim, flag, word
from radit.accel.interfaces.streams import Command, ReadChannel, Stream
from radit.accel.memory.on_chip import narrow_memory
from radit.model.formats import GATE_BITS


@block
def header_field(clk, load, number, beat, take, field, where):
    """Catch one header field from its beat; hand it to ``field`` at ``take``.

    load: a beat of number ``number`` is there. where: the field's entry of ``HEADER_FIELDS``.
    """
    NUMBER, position, bits, _ = where
    LOW = position * FIELD_BITS
    HIGH = LOW + bits
    ahead = word(bits)
    if bits == 1:

        @always(clk.posedge)
        def catch_bit():
            if load and number == NUMBER:
                ahead.next = beat[LOW]
            if take:
                field.next = ahead

        return catch_bit

    @always(clk.posedge)
    def catch_field():
        if load and number == NUMBER:
            ahead.next = beat[HIGH:LOW]
        if take:
            field.next = ahead

    return catch_field


@block
def load_beats(clk, aresetn, control, loaded, channel, loading, regs, config):
    """Ask for the beats of a sub-block on ``control.fetch``, and say what each of them is as it comes. ``loaded``: from
    the last one to the next fetch."""
    HALF = config.max_contexts * config.max_hidden
    phases = enum("IDLE", "ASK", "HEADER", "VECTORS")
    phase = Signal(phases.IDLE)
    cmd, src = channel.cmd, channel.data
    left = address()
    length = dim()

    @always_comb
    def accept_beats():
        cmd.tvalid.next = phase == phases.ASK
        src.tready.next = phase == phases.HEADER or phase == phases.VECTORS
        loading.of_header.next = phase == phases.HEADER and src.tvalid
        loading.of_channel.next = phase == phases.VECTORS and src.tvalid
        channel.moves.next = (phase == phases.HEADER or phase == phases.VECTORS) and src.tvalid

    @always_comb
    def size_vectors():
        length.next = regs.contexts * regs.hidden

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if control.fetch:
                cmd.taddr.next = control.base
                cmd.tlen.next = length + HEADER_BEATS
                left.next = length
                loaded.next = 0
                loading.beat.next = 0
                if control.half:
                    loading.addr.next = HALF
                else:
                    loading.addr.next = 0
                phase.next = phases.ASK
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.HEADER
        elif phase == phases.HEADER:
            if src.tvalid:
                if loading.beat == HEADER_BEATS - 1:
                    phase.next = phases.VECTORS
                else:
                    loading.beat.next = loading.beat + 1
        elif phase == phases.VECTORS:
            if src.tvalid:
                loading.addr.next = loading.addr + 1
                left.next = left - 1
                if left == 1:
                    loaded.next = 1
                    phase.next = phases.IDLE

    return accept_beats, size_vectors, sequence


@block
def conditioning(clk, aresetn, control, channel, header, reads, regs, config):
    """Load a sub-block's conditioning ahead, and hand its header over at ``control.take``.

    control: ConditioningControl. channel: ReadChannel. header: SubBlockHeader. reads: ConditioningReads.
    """
    HALF = config.max_contexts * config.max_hidden
    GATE_LOW, GATE_HIGH = channel_bounds("gate")
    MOD_LOW, MOD_HIGH = channel_bounds("scale")[0], channel_bounds("shift")[1]
    loading, beat = Loading(), channel.data.tdata
    write_gate, write_modulation = WritePort(GATE_BITS), WritePort(MODULATION_BITS)
    source, loaded, frames = channel, control.loaded, ()
    if config.max_frames:
        source, loaded = ReadChannel(Command(), Stream(BEAT_BITS)), flag()
        frames = load_frames(
            clk=clk, aresetn=aresetn, control=control, loaded=loaded, own=source, channel=channel, loading=loading,
            reads=reads, regs=regs, config=config,
        )  # fmt: skip
    load = load_beats(
        clk=clk, aresetn=aresetn, control=control, loaded=loaded, channel=source, loading=loading, regs=regs,
        config=config,
    )  # fmt: skip
    fields = [
        header_field(
            clk=clk, load=loading.of_header, number=loading.beat, beat=beat, take=control.take,
            field=getattr(header, name), where=where,
        )
        for name, where in header_fields(config).items()
    ]  # fmt: skip

    @always_comb
    def write_vectors():
        write_gate.enable.next = loading.of_channel
        write_gate.addr.next = loading.addr
        write_gate.data.next = beat[GATE_HIGH:GATE_LOW]
        write_modulation.enable.next = loading.of_channel
        write_modulation.addr.next = loading.addr
        write_modulation.data.next = beat[MOD_HIGH:MOD_LOW]

    @always_comb
    def choose_half():
        reads.base.next = 0
        if control.current_half:
            reads.base.next = HALF

    memories = (
        narrow_memory(clk=clk, write=write_gate, read=reads.gate, depth=config.conditioning_depth),
        narrow_memory(clk=clk, write=write_modulation, read=reads.modulation, depth=config.conditioning_depth),
    )
    return frames, load, fields, write_vectors, choose_half, memories
