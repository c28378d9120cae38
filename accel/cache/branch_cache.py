"""Traffic with the cache of computed results and the code history, both in external memory.

The cache has two slots per sub-block and context, which newly computed branches take in turn, so that the last two of
them are there for a forecast. Readers: one command per reused context, whose latest branch then streams into the pass,
and, where the branch is a forecast, one for the branch before it. Writer: one burst per drained branch tile, through a
FIFO that the array waits for. Where whole timesteps are reused, the slots belong to the context alone and hold the
residual stream after the last sub-block, 16 bit, as two words of the ports, the lower lanes' first: readers' words are
joined, and a writer of its own sees the words that leave for the host.

History: one read command per pass; after the decisions, the codes of every computed context are written from the code
buffer, beside the engine's work.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from accel.interfaces.memory_ports import ReadPort
from accel.interfaces.signals import ADDRESS_BITS, DIM_BITS, address, dim, flag, word
from accel.interfaces.streams import Stream
from accel.interfaces.tile_command import KIND_BRANCH
from accel.memory.on_chip import narrow_memory
from accel.units.fifo import stream_fifo
from model.formats import CODE_BITS, INT8_BITS, X_BITS

PENDING_BURSTS = 16
STREAM_WORDS = X_BITS // INT8_BITS  # words of a cache port to a word of the stream; the blocks below take it for two


@block
def context_reader(clk, aresetn, start, wanted, in_other, base, other, words, cmd, config):
    """On ``start`` ask for ``words`` words per context in ``wanted`` (bits), contexts lying one after the other.

    Everything stands still until the last command is taken.
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
        cmd.tlen.next = words

    @always_comb
    def choose():
        if elsewhere:
            first.next = other
        else:
            first.next = base

    @always_comb
    def place():
        cmd.taddr.next = first + at

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
                phase.next = phases.ASK
            else:
                ctx.next = ctx + 1
                at.next = at + words
        elif phase == phases.ASK:
            if cmd.tready:
                ctx.next = ctx + 1
                at.next = at + words
                phase.next = phases.LOOK

    return look, choose, place, sequence


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
def stream_joiner(clk, aresetn, whole, src, dst, taken, config):
    """Two words of ``src`` make one of ``dst``, with ``whole`` low each word is the lower half of one.

    taken: a word of ``src`` is.
    """
    HALF, FULL = config.rows * INT8_BITS, config.rows * X_BITS
    lower = word(HALF)
    held = flag()

    @always_comb
    def offer():
        if whole:
            dst.tvalid.next = held and src.tvalid
            src.tready.next = not held or dst.tready
        else:
            dst.tvalid.next = src.tvalid
            src.tready.next = dst.tready

    @always_comb
    def join():
        dst.tdata.next[FULL:HALF] = src.tdata
        if whole:
            dst.tdata.next[HALF:] = lower
        else:
            dst.tdata.next[HALF:] = src.tdata

    @always_comb
    def tell():
        taken.next = src.tvalid and src.tready

    @always_seq(clk.posedge, reset=aresetn)
    def hold():
        if whole and src.tvalid:
            if not held:
                lower.next = src.tdata
                held.next = 1
            elif dst.tready:
                held.next = 0

    return offer, join, tell, hold


@block
def stream_writer(
    clk, aresetn, enable, start, contexts, reused, in_other, base, other, words, src, host, idle, cmd, dst, config
):
    """Hand ``src`` on to ``host``; while ``enable``, what passes after ``start`` goes to the cache as well, of all
    ``contexts`` but those ``reused`` (bits).

    words: of one context; in the cache they are twice as many. in_other: bits, contexts whose words go to ``other``,
    not to ``base``. idle: all written.
    """
    HALF, FULL = config.rows * INT8_BITS, config.rows * X_BITS
    CONTEXTS = config.max_contexts
    phases = enum("IDLE", "LOOK", "ASK", "WRITE", "PASS_BY")
    phase = Signal(phases.IDLE)
    ctx = dim()
    skips, elsewhere, sends, may_pass, passes = (flag() for _ in range(5))
    at, left, twice = address(), address(), address()
    held, unsent = word(FULL), word(2)

    @always_comb
    def look():
        skips.next = 0
        elsewhere.next = 0
        for i in range(CONTEXTS):
            if ctx == i:
                skips.next = reused[i]
                elsewhere.next = in_other[i]
        cmd.tvalid.next = phase == phases.ASK
        twice.next = words + words

    @always_comb
    def send():
        dst.tvalid.next = unsent != 0
        if unsent == 2:
            dst.tdata.next = held[HALF:]
        else:
            dst.tdata.next = held[FULL:HALF]
        sends.next = unsent != 0 and dst.tready

    @always_comb
    def allow():
        may_pass.next = (
            not enable
            or phase == phases.PASS_BY
            or (phase == phases.WRITE and (unsent == 0 or (unsent == 1 and dst.tready)))
        )
        idle.next = phase == phases.IDLE and unsent == 0 and not start

    @always_comb
    def hand_on():
        host.tdata.next = src.tdata
        host.tvalid.next = src.tvalid and may_pass
        src.tready.next = host.tready and may_pass
        passes.next = src.tvalid and host.tready and may_pass

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                ctx.next = 0
                at.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            left.next = words
            cmd.tlen.next = twice
            if elsewhere:
                cmd.taddr.next = other + at
            else:
                cmd.taddr.next = base + at
            if ctx == contexts:
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
                at.next = at + twice
                phase.next = phases.LOOK
        if phase == phases.WRITE and passes:
            held.next = src.tdata
            unsent.next = 2
        elif sends:
            unsent.next = unsent - 1

    return look, send, allow, hand_on, sequence


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
        cmd.taddr.next = at
        cmd.tlen.next = words
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
