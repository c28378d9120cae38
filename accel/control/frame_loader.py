"""The frame embedding: fetched behind the vectors of a sub-block whose header asks for it, into a memory of its own.

It is the same for all contexts and timesteps, lies at ``frame_base`` in the memory of port ``mod``, and comes in
``frame_beats`` beats of four channels. One sub-block of a timestep asks for it; its pass reads what the load brought.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.interfaces.conditioning import FIELD_BITS, FRAME_BITS, HEADER_FIELDS
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import address, flag
from radit.accel.memory.on_chip import narrow_memory


@block
def load_frames(clk, aresetn, control, loaded, own, channel, loading, reads, regs, config):
    """Hand the port on to the loader of headers and vectors, and use it when that is done, where the header says so.

    control: ConditioningControl. loaded: flag, headers and vectors are there. own: ReadChannel of their loader, with
    ``moves``. channel: ReadChannel, the port. loading: Loading. reads: ConditioningReads.
    """
    NUMBER, POSITION, _, _ = HEADER_FIELDS["frames"]
    BIT = POSITION * FIELD_BITS
    phases = enum("VECTORS", "ASK", "FRAMES")
    phase = Signal(phases.VECTORS)
    asked_for, complete = flag(), flag()
    left = address()
    write = WritePort(FRAME_BITS)

    @always_comb
    def share_commands():
        channel.cmd.taddr.next = own.cmd.taddr
        channel.cmd.tlen.next = own.cmd.tlen
        channel.cmd.tvalid.next = own.cmd.tvalid
        own.cmd.tready.next = channel.cmd.tready
        if phase == phases.ASK:
            channel.cmd.taddr.next = regs.frame_base
            channel.cmd.tlen.next = regs.frame_beats
            channel.cmd.tvalid.next = 1
            own.cmd.tready.next = 0

    @always_comb
    def share_words():
        own.data.tdata.next = channel.data.tdata
        own.data.tvalid.next = channel.data.tvalid and phase == phases.VECTORS
        channel.data.tready.next = own.data.tready or phase == phases.FRAMES
        channel.moves.next = own.moves or (phase == phases.FRAMES and channel.data.tvalid)
        reads.frame_loads.next = phase == phases.FRAMES and channel.data.tvalid

    @always_comb
    def report_loaded():
        control.loaded.next = loaded and (complete or not asked_for)

    @always_comb
    def write_frames():
        write.enable.next = reads.frame_loads
        write.data.next = channel.data.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if control.fetch:
            asked_for.next = 0
            complete.next = 0
        elif loading.of_header and loading.beat == NUMBER:
            asked_for.next = channel.data.tdata[BIT]
        if phase == phases.VECTORS:
            if loaded and asked_for and not complete and not control.fetch:
                phase.next = phases.ASK
        elif phase == phases.ASK:
            left.next = regs.frame_beats
            write.addr.next = 0
            if channel.cmd.tready:
                phase.next = phases.FRAMES
        elif phase == phases.FRAMES:
            if channel.data.tvalid:
                write.addr.next = write.addr + 1
                left.next = left - 1
                if left == 1:
                    complete.next = 1
                    phase.next = phases.VECTORS

    memory = narrow_memory(clk=clk, write=write, read=reads.frame, depth=config.frame_depth)
    return share_commands, share_words, report_loaded, write_frames, sequence, memory
