"""Writing the cache of computed results, in external memory.

The cache has two slots per sub-block and context, which newly computed branches take in turn, so that the last two of
them are there for a forecast. One burst per drained branch tile, through a FIFO that the array waits for. Where whole
timesteps are reused, the slots belong to the context alone and hold the residual stream after the last sub-block: a
writer of its own sees the words that leave for the host, and writes each as two words of the port, the lower lanes'
first.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.config import bits_for
from radit.accel.interfaces.signals import ADDRESS_BITS, DIM_BITS, address, dim, flag, word
from radit.accel.interfaces.streams import Command, Stream, WriteChannel
from radit.accel.interfaces.tile_command import KIND_BRANCH
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.accel.units.fifo import stream_fifo
from radit.model.formats import INT8_BITS, X_BITS

PENDING_BURSTS = 16
BURSTS_AHEAD = 4  # that may come before the array sees that there is no room


@block
def branch_writer(clk, aresetn, enable, finish, drained, write_back, idle, channel, regs, config):
    """Write drained branch tiles to the cache while ``enable``.

    finish: TileFinish, whose ``cache_address`` counts from the slot's base. drained: DrainedWord. write_back:
    WriteBack, of which ``cache_room``. idle: flag, all written. channel: WriteChannel.
    """
    ROWS, DEPTH, FULL = config.rows, config.branch_depth, config.branch_room
    MOST_BURSTS = PENDING_BURSTS - BURSTS_AHEAD
    WORD = ADDRESS_BITS
    BURST = WORD + DIM_BITS
    cmd, dst = channel.cmd, channel.data
    bursts_in, bursts_out = Stream(BURST), Stream(BURST)
    data_in = Stream(ROWS * INT8_BITS)
    level, burst_level = dim(), dim()
    first, unwritten = address(), address()

    @always_comb
    def place_burst():
        if finish.cache_other:
            first.next = regs.cache_base_other + finish.cache_address
        else:
            first.next = regs.cache_base + finish.cache_address

    @always_comb
    def push_branch():
        bursts_in.tdata.next[WORD:] = first
        bursts_in.tdata.next[BURST:WORD] = finish.col_count
        bursts_in.tvalid.next = enable and finish.valid and finish.kind == KIND_BRANCH
        data_in.tdata.next = drained.narrow
        data_in.tvalid.next = enable and drained.valid and drained.kind == KIND_BRANCH

    bursts = stream_fifo(
        clk=clk, aresetn=aresetn, src=bursts_in, dst=bursts_out, level=burst_level, depth=PENDING_BURSTS
    )
    words = stream_fifo(clk=clk, aresetn=aresetn, src=data_in, dst=dst, level=level, depth=DEPTH)

    @always_comb
    def command_burst():
        cmd.taddr.next = bursts_out.tdata[WORD:]
        cmd.tlen.next = bursts_out.tdata[BURST:WORD]
        cmd.tvalid.next = bursts_out.tvalid
        bursts_out.tready.next = cmd.tready

    @always_comb
    def report_room():
        channel.moves.next = dst.tvalid and dst.tready
        write_back.cache_room.next = not enable or (unwritten <= FULL and burst_level < MOST_BURSTS)
        idle.next = unwritten == 0

    @always_seq(clk.posedge, reset=aresetn)
    def count_unwritten():
        if bursts_in.tvalid and channel.moves:
            unwritten.next = unwritten + finish.col_count - 1
        elif bursts_in.tvalid:
            unwritten.next = unwritten + finish.col_count
        elif channel.moves:
            unwritten.next = unwritten - 1

    return place_burst, push_branch, bursts, words, command_burst, report_room, count_unwritten


class StreamWalk:
    """Which context's words leave for the host, one flag each.

    writing: they are to be written. passing_by: they are not. idle: all contexts are through. paired: with ``writing``,
    behind every word of x comes one of the difference, which is written in its place; aside: it is the next. Driven by
    ``walk_streams``. passes: a word leaves in this cycle; driven by ``stream_writer``.
    """

    def __init__(self) -> None:
        self.writing = flag()
        self.passing_by = flag()
        self.idle = flag()
        self.paired = flag()
        self.aside = flag()
        self.passes = flag()


@block
def send_halves(clk, aresetn, load, x_word, room, empty, channel, config):
    """Send a word of the residual stream, taken with ``load`` while there is ``room``, as two words of ``channel``.

    empty: flag, everything is sent.
    """
    LOWER, FULL = config.rows * INT8_BITS, config.rows * X_BITS
    BOTH, data = STREAM_WORDS, channel.data
    held, unsent = word(FULL), word(bits_for(STREAM_WORDS + 1))

    @always_comb
    def send():
        data.tvalid.next = unsent != 0
        if unsent == BOTH:
            data.tdata.next = held[LOWER:]
        else:
            data.tdata.next = held[FULL:LOWER]
        channel.moves.next = unsent != 0 and data.tready
        room.next = unsent == 0 or (unsent == 1 and data.tready)
        empty.next = unsent == 0

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        if load:
            held.next = x_word
            unsent.next = BOTH
        elif channel.moves:
            unsent.next = unsent - 1

    return send, keep


@block
def walk_streams(clk, aresetn, start, differs, reuses, walk, cmd, regs, config):
    """Command the write of each context's stream but those that reuse; contexts lie one after the other. differs: flag,
    odd contexts' words come in pairs."""
    CONTEXTS = config.max_contexts
    phases = enum("IDLE", "LOOK", "ASK", "WRITE", "PASS_BY")
    phase = Signal(phases.IDLE)
    ctx = dim()
    skips, elsewhere, second = flag(), flag(), flag()
    offset, left, port_words = address(), address(), address()

    @always_comb
    def look_up():
        skips.next = 0
        elsewhere.next = 0
        for i in range(CONTEXTS):
            if ctx == i:
                skips.next = reuses.contexts[i]
                elsewhere.next = reuses.slots[i]
        cmd.tvalid.next = phase == phases.ASK
        port_words.next = regs.sub_block_words + regs.sub_block_words
        walk.writing.next = phase == phases.WRITE
        walk.passing_by.next = phase == phases.PASS_BY
        walk.idle.next = phase == phases.IDLE
        walk.paired.next = differs and ctx[0]
        walk.aside.next = phase == phases.WRITE and second

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                ctx.next = 0
                offset.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            left.next = regs.sub_block_words
            cmd.tlen.next = port_words
            if elsewhere:
                cmd.taddr.next = regs.cache_base_other + offset
            else:
                cmd.taddr.next = regs.cache_base + offset
            if ctx == regs.contexts:
                phase.next = phases.IDLE
            elif skips:
                phase.next = phases.PASS_BY
            else:
                phase.next = phases.ASK
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.WRITE
        elif walk.passes and phase == phases.WRITE and walk.paired and not second:
            second.next = 1
        elif walk.passes:
            second.next = 0
            left.next = left - 1
            if left == 1:
                ctx.next = ctx + 1
                offset.next = offset + port_words
                phase.next = phases.LOOK

    return look_up, sequence


@block
def stream_writer(clk, aresetn, mode, start, reuses, x_out, x_aside, x_host, idle, channel, regs, config):
    """Hand ``x_out`` on to ``x_host``; with ``mode.stream_scope``, what passes after ``start`` goes to the cache as
    well, of all contexts but those that reuse; of odd ones, with ``mode.differs``, their difference goes there instead.

    reuses: ReuseSet. x_aside: flag, the word is of a difference. idle: flag, all written. channel: WriteChannel.
    """
    walk = StreamWalk()
    room, empty, may_pass, load = (flag() for _ in range(4))
    walking = walk_streams(
        clk=clk, aresetn=aresetn, start=start, differs=mode.differs, reuses=reuses, walk=walk, cmd=channel.cmd,
        regs=regs, config=config,
    )  # fmt: skip
    sending = send_halves(
        clk=clk, aresetn=aresetn, load=load, x_word=x_out.tdata, room=room, empty=empty, channel=channel,
        config=config,
    )  # fmt: skip

    @always_comb
    def allow_passing():
        may_pass.next = (
            not mode.stream_scope or walk.passing_by or (walk.writing and (room or (walk.paired and not walk.aside)))
        )
        idle.next = walk.idle and empty and not start

    @always_comb
    def hand_on():
        x_host.tdata.next = x_out.tdata
        x_aside.next = walk.aside
        x_host.tvalid.next = x_out.tvalid and may_pass and not walk.aside
        x_out.tready.next = (x_host.tready or walk.aside) and may_pass
        walk.passes.next = x_out.tvalid and (x_host.tready or walk.aside) and may_pass

    @always_comb
    def load_word():
        load.next = walk.writing and walk.passes and (walk.aside or not walk.paired)

    return walking, sending, allow_passing, hand_on, load_word


@block
def share_port(stream_scope, branches, stream, channel):
    """Connect one of the writers' channels to the port's. Combinational."""

    @always_comb
    def answer_writers():
        branches.cmd.tready.next = channel.cmd.tready and not stream_scope
        stream.cmd.tready.next = channel.cmd.tready and stream_scope
        branches.data.tready.next = channel.data.tready and not stream_scope
        stream.data.tready.next = channel.data.tready and stream_scope
        channel.moves.next = branches.moves or stream.moves

    @always_comb
    def choose_writer():
        if stream_scope:
            channel.cmd.taddr.next = stream.cmd.taddr
            channel.cmd.tlen.next = stream.cmd.tlen
            channel.cmd.tvalid.next = stream.cmd.tvalid
            channel.data.tdata.next = stream.data.tdata
            channel.data.tvalid.next = stream.data.tvalid
        else:
            channel.cmd.taddr.next = branches.cmd.taddr
            channel.cmd.tlen.next = branches.cmd.tlen
            channel.cmd.tvalid.next = branches.cmd.tvalid
            channel.data.tdata.next = branches.data.tdata
            channel.data.tvalid.next = branches.data.tvalid

    return answer_writers, choose_writer


@block
def cache_writer(clk, aresetn, control, progress, mode, reuses, finish, drained, streams, channels, regs, config):
    """Write what was computed: branches as they drain, or the residual streams that leave in the last pass.

    control: TimestepControl. streams: PassStreams, of which ``x_out``, what leaves the last pass, and ``x_aside``.
    channels: MemoryChannels, of which ``cache_write``, and the host's ``x_out``, to which it is handed on.
    """
    LANES = config.rows * INT8_BITS
    branches, stream = WriteChannel(Command(), Stream(LANES)), WriteChannel(Command(), Stream(LANES))
    start_stream, caches_branches, branches_idle, stream_idle = (flag() for _ in range(4))

    @always_comb
    def choose_results():
        start_stream.next = control.streaming_pass.start and progress.last_pass and mode.stream_scope
        caches_branches.next = regs.policy and not mode.stream_scope

    write_branches = branch_writer(
        clk=clk, aresetn=aresetn, enable=caches_branches, finish=finish, drained=drained,
        write_back=control.write_back, idle=branches_idle, channel=branches, regs=regs, config=config,
    )  # fmt: skip
    write_stream = stream_writer(
        clk=clk, aresetn=aresetn, mode=mode, start=start_stream, reuses=reuses, x_out=streams.x_out,
        x_aside=streams.x_aside, x_host=channels.x_out, idle=stream_idle, channel=stream, regs=regs, config=config,
    )  # fmt: skip
    share = share_port(stream_scope=mode.stream_scope, branches=branches, stream=stream, channel=channels.cache_write)

    @always_comb
    def report_idle():
        control.write_back.cache_idle.next = branches_idle and stream_idle

    return choose_results, write_branches, write_stream, share, report_idle
