"""Writing the cache of computed results, in external memory.

The cache has two slots per sub-block and context, which newly computed branches take in turn, so that the last two of
them are there for a forecast. One burst per drained branch tile, through a FIFO that the array waits for. Where whole
timesteps are reused, the slots belong to the context alone and hold the residual stream after the last sub-block: a
writer of its own sees the words that leave for the host, and writes each as two words of the port, the lower lanes'
first.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from accel.config import bits_for
from accel.interfaces.signals import ADDRESS_BITS, DIM_BITS, address, dim, flag, word
from accel.interfaces.streams import Command, Stream, WriteChannel
from accel.interfaces.tile_command import KIND_BRANCH
from accel.interfaces.top_ports import STREAM_WORDS
from accel.units.fifo import stream_fifo
from model.formats import INT8_BITS, X_BITS

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
    accepted, is_branch = flag(), flag()

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
    def watch_words():
        accepted.next = dst.tvalid and dst.tready
        is_branch.next = bursts_in.tvalid

    @always_comb
    def report_room():
        channel.moves.next = accepted
        write_back.cache_room.next = not enable or (unwritten <= FULL and burst_level < MOST_BURSTS)
        idle.next = unwritten == 0

    @always_seq(clk.posedge, reset=aresetn)
    def count_unwritten():
        if is_branch and accepted:
            unwritten.next = unwritten + finish.col_count - 1
        elif is_branch:
            unwritten.next = unwritten + finish.col_count
        elif accepted:
            unwritten.next = unwritten - 1

    return place_burst, push_branch, bursts, words, command_burst, watch_words, report_room, count_unwritten


@block
def stream_writer(clk, aresetn, enable, start, reuses, x_out, x_host, idle, channel, regs, config):
    """Hand ``x_out`` on to ``x_host``; while ``enable``, what passes after ``start`` goes to the cache as well, of all
    contexts but those that reuse.

    reuses: ReuseSet. idle: flag, all written. channel: WriteChannel.
    """
    LOWER, FULL = config.rows * INT8_BITS, config.rows * X_BITS
    BOTH = STREAM_WORDS
    CONTEXTS = config.max_contexts
    cmd, dst = channel.cmd, channel.data
    phases = enum("IDLE", "LOOK", "ASK", "WRITE", "PASS_BY")
    phase = Signal(phases.IDLE)
    ctx = dim()
    skips, elsewhere, sends, may_pass, passes = (flag() for _ in range(5))
    offset, left, port_words = address(), address(), address()
    held, unsent = word(FULL), word(bits_for(STREAM_WORDS + 1))

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

    @always_comb
    def send_halves():
        dst.tvalid.next = unsent != 0
        if unsent == BOTH:
            dst.tdata.next = held[LOWER:]
        else:
            dst.tdata.next = held[FULL:LOWER]
        sends.next = unsent != 0 and dst.tready
        channel.moves.next = unsent != 0 and dst.tready

    @always_comb
    def allow_passing():
        may_pass.next = (
            not enable
            or phase == phases.PASS_BY
            or (phase == phases.WRITE and (unsent == 0 or (unsent == 1 and dst.tready)))
        )
        idle.next = phase == phases.IDLE and unsent == 0 and not start

    @always_comb
    def hand_on():
        x_host.tdata.next = x_out.tdata
        x_host.tvalid.next = x_out.tvalid and may_pass
        x_out.tready.next = x_host.tready and may_pass
        passes.next = x_out.tvalid and x_host.tready and may_pass

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
        elif passes:
            left.next = left - 1
            if left == 1:
                ctx.next = ctx + 1
                offset.next = offset + port_words
                phase.next = phases.LOOK
        if phase == phases.WRITE and passes:
            held.next = x_out.tdata
            unsent.next = BOTH
        elif sends:
            unsent.next = unsent - 1

    return look_up, send_halves, allow_passing, hand_on, sequence


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
def cache_writer(clk, aresetn, control, progress, mode, reuses, finish, drained, x_out, channels, regs, config):
    """Write what was computed: branches as they drain, or the residual streams that leave in the last pass.

    control: TimestepControl. x_out: Stream, what leaves the last pass. channels: MemoryChannels, of which
    ``cache_write``, and the host's ``x_out``, to which ``x_out`` is handed on.
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
        clk=clk, aresetn=aresetn, enable=mode.stream_scope, start=start_stream, reuses=reuses, x_out=x_out,
        x_host=channels.x_out, idle=stream_idle, channel=stream, regs=regs, config=config,
    )  # fmt: skip
    share = share_port(stream_scope=mode.stream_scope, branches=branches, stream=stream, channel=channels.cache_write)

    @always_comb
    def report_idle():
        control.write_back.cache_idle.next = branches_idle and stream_idle

    return choose_results, write_branches, write_stream, share, report_idle
