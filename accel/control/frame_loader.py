"""The frame embedding: fetched behind the vectors of a sub-block whose header asks for it, into a memory of its own.

It is the same for all contexts and timesteps, lies at ``frame_base`` in the memory of port ``mod``, and comes in
``frame_beats`` beats of four channels. One sub-block of a timestep asks for it; its pass reads what the load brought.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.interfaces.conditioning import FIELD_BITS, FRAME_BITS, HEADER_FIELDS
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import address, flag
from radit.accel.memory.on_chip import narrow_memory


class FrameLoad:
    """Where the fetch of the frame embedding stands.

    asks, loads: flag, the command is on the port, or its words come; asked_for: flag, the header at hand wants it;
    complete: flag, it is there. Driven by ``pace_frames``.
    """

    def __init__(self) -> None:
        self.asks = flag()
        self.loads = flag()
        self.asked_for = flag()
        self.complete = flag()


@block
def pace_frames(clk, aresetn, control, loaded, channel, loading, load, write, regs):
    """The fetch, behind that of headers and vectors. load: FrameLoad. write: WritePort of the embedding's memory."""
    NUMBER, POSITION, _, _ = HEADER_FIELDS["frames"]
    BIT = POSITION * FIELD_BITS
    phases = enum("VECTORS", "ASK", "FRAMES")
    phase = Signal(phases.VECTORS)
    left = address()

    @always_comb
    def announce():
        load.asks.next = phase == phases.ASK
        load.loads.next = phase == phases.FRAMES

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if control.fetch:
            load.asked_for.next = 0
            load.complete.next = 0
        elif loading.of_header and loading.beat == NUMBER:
            load.asked_for.next = channel.data.tdata[BIT]
        if phase == phases.VECTORS:
            if loaded and load.asked_for and not load.complete and not control.fetch:
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
                    load.complete.next = 1
                    phase.next = phases.VECTORS

    return announce, sequence


@block
def load_frames(clk, aresetn, control, loaded, own, channel, loading, reads, regs, config):
    """Hand the port on to the loader of headers and vectors, and use it when that is done, where the header says so.

    control: ConditioningControl. loaded: flag, headers and vectors are there. own: ReadChannel of their loader, with
    ``moves``. channel: ReadChannel, the port. loading: Loading. reads: ConditioningReads.
    """
    load, write = FrameLoad(), WritePort(FRAME_BITS)
    pace = pace_frames(
        clk=clk, aresetn=aresetn, control=control, loaded=loaded, channel=channel, loading=loading, load=load,
        write=write, regs=regs,
    )  # fmt: skip

    @always_comb
    def share_commands():
        channel.cmd.taddr.next = own.cmd.taddr
        channel.cmd.tlen.next = own.cmd.tlen
        channel.cmd.tvalid.next = own.cmd.tvalid
        own.cmd.tready.next = channel.cmd.tready
        if load.asks:
            channel.cmd.taddr.next = regs.frame_base
            channel.cmd.tlen.next = regs.frame_beats
            channel.cmd.tvalid.next = 1
            own.cmd.tready.next = 0

    @always_comb
    def share_words():
        own.data.tvalid.next = channel.data.tvalid and not load.loads
        channel.data.tready.next = own.data.tready or load.loads
        channel.moves.next = own.moves or (load.loads and channel.data.tvalid)
        reads.frame_loads.next = load.loads and channel.data.tvalid

    @always_comb
    def report_loaded():
        control.loaded.next = loaded and (load.complete or not load.asked_for)

    @always_comb
    def write_frames():
        write.enable.next = reads.frame_loads
        write.data.next = channel.data.tdata

    memory = narrow_memory(clk=clk, write=write, read=reads.frame, depth=config.frame_depth)
    return pace, share_commands, share_words, report_loaded, write_frames, memory
