"""Traffic with the branch cache and the code history, both in external memory.

The cache has two slots per sub-block and context, which newly computed branches take in turn, so that the last two of
them are there for a forecast. Readers: one command per reused context, whose latest branch then streams into the pass,
and, where the branch is a forecast, one for the branch before it. Writer: one burst per drained branch tile, through a
FIFO that the array waits for. History: one read command per pass; after the decisions, the codes of every computed
context are written from the code buffer, beside the engine's work.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from accel.command import ADDRESS_BITS, DIM_BITS, KIND_BRANCH, address, dim, flag
from accel.gemm import ReadPort
from accel.memories import narrow_memory
from accel.stream import Stream
from accel.units.fifo import stream_fifo
from model.formats import CODE_BITS, INT8_BITS

PENDING_BURSTS = 16


@block
def context_reader(clk, aresetn, start, wanted, in_other, base, other, words, cmd, config):
    """On ``start`` ask for ``words`` words per context in ``wanted`` (bits), contexts lying one after the other.

    in_other: bits, contexts whose words are those that lie from ``other`` on, not from ``base`` on.
    """
    CONTEXTS = config.max_contexts
    phases = enum("IDLE", "LOOK", "ASK")
    phase = Signal(phases.IDLE)
    ctx = dim()
    here, elsewhere = flag(), flag()
    at, first = address(), address()

    @always_comb
    def look():
        here.next = 0
        elsewhere.next = 0
        for i in range(CONTEXTS):
            if ctx == i:
                here.next = wanted[i]
                elsewhere.next = in_other[i]
        cmd.tvalid.next = phase == phases.ASK

    @always_comb
    def choose():
        if elsewhere:
            first.next = other
        else:
            first.next = base

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                ctx.next = 0
                at.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if ctx == CONTEXTS:
                phase.next = phases.IDLE
            elif here:
                cmd.taddr.next = first + at
                cmd.tlen.next = words
                phase.next = phases.ASK
            else:
                ctx.next = ctx + 1
                at.next = at + words
        elif phase == phases.ASK:
            if cmd.tready:
                ctx.next = ctx + 1
                at.next = at + words
                phase.next = phases.LOOK

    return look, choose, sequence


@block
def branch_writer(clk, aresetn, enable, base, other, finish, drained, room, idle, cmd, dst, written, config):
    """Write drained branch tiles to the cache while ``enable``.

    base, other: cache addresses that ``finish.cache_address`` counts from, by slot. room: one more tile fits. idle:
    all written.
    """
    ROWS, DEPTH, FULL = config.rows, config.branch_depth, config.branch_room
    WORD = ADDRESS_BITS
    BURST = WORD + DIM_BITS
    bursts_in, bursts_out = Stream(BURST), Stream(BURST)
    data_in = Stream(ROWS * INT8_BITS)
    level, burst_level = dim(), dim()
    at = address()
    unwritten = address()
    accepted, is_branch = flag(), flag()

    @always_comb
    def place():
        if finish.cache_other:
            at.next = other + finish.cache_address
        else:
            at.next = base + finish.cache_address

    @always_comb
    def push():
        bursts_in.tdata.next[WORD:] = at
        bursts_in.tdata.next[BURST:WORD] = finish.col_count
        bursts_in.tvalid.next = enable and finish.valid and finish.kind == KIND_BRANCH
        data_in.tdata.next = drained.narrow
        data_in.tvalid.next = enable and drained.valid and drained.kind == KIND_BRANCH

    bursts = stream_fifo(clk, aresetn, bursts_in, bursts_out, burst_level, depth=PENDING_BURSTS)
    words = stream_fifo(clk, aresetn, data_in, dst, level, depth=DEPTH)

    @always_comb
    def ask():
        cmd.taddr.next = bursts_out.tdata[WORD:]
        cmd.tlen.next = bursts_out.tdata[BURST:WORD]
        cmd.tvalid.next = bursts_out.tvalid
        bursts_out.tready.next = cmd.tready

    @always_comb
    def look():
        accepted.next = dst.tvalid and dst.tready
        is_branch.next = bursts_in.tvalid

    @always_comb
    def tell():
        written.next = accepted
        room.next = not enable or (unwritten <= FULL and burst_level < PENDING_BURSTS - 4)
        idle.next = unwritten == 0

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if is_branch and accepted:
            unwritten.next = unwritten + finish.col_count - 1
        elif is_branch:
            unwritten.next = unwritten + finish.col_count
        elif accepted:
            unwritten.next = unwritten - 1

    return place, push, bursts, words, ask, look, tell, count


@block
def history_writer(clk, aresetn, start, computed, base, words, code_write, idle, cmd, dst, code_read, config):
    """On ``start`` write the codes of every context in ``computed`` (bits) from the code buffer to the history.

    code_write: WritePort of the code buffer (the pass). One word per two cycles, in the background.
    """
    ROWS, CONTEXTS = config.rows, config.max_contexts
    depth = config.x_depth
    phases = enum("IDLE", "LOOK", "ASK", "READ", "SEND")
    phase = Signal(phases.IDLE)
    ctx = dim()
    here = flag()
    at, index, left = address(), address(), address()
    read = ReadPort(ROWS * CODE_BITS)
    buffer = narrow_memory(clk, code_write, read, depth)

    @always_comb
    def look():
        here.next = 0
        for i in range(CONTEXTS):
            if ctx == i and computed[i]:
                here.next = 1
        cmd.tvalid.next = phase == phases.ASK
        read.enable.next = phase == phases.READ
        code_read.next = phase == phases.READ
        read.addr.next = index
        dst.tvalid.next = phase == phases.SEND
        idle.next = phase == phases.IDLE and not start

    @always_comb
    def hand_on():
        dst.tdata.next = read.data

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                ctx.next = 0
                at.next = base
                index.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if ctx == CONTEXTS:
                phase.next = phases.IDLE
            elif here:
                cmd.taddr.next = at
                cmd.tlen.next = words
                left.next = words
                phase.next = phases.ASK
            else:
                ctx.next = ctx + 1
                at.next = at + words
                index.next = index + words
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.READ
        elif phase == phases.READ:
            phase.next = phases.SEND
        elif phase == phases.SEND:
            if dst.tready:
                index.next = index + 1
                left.next = left - 1
                phase.next = phases.READ
                if left == 1:
                    ctx.next = ctx + 1
                    at.next = at + words
                    phase.next = phases.LOOK

    return buffer, look, hand_on, sequence
