"""Front half of the streaming pass: read x and branch, add, write x back, feed the FIFO.

A word of a reused branch, or stream, comes through the forecast (``accel/units/reuse.py``); x, gate and a branch of
this timestep are read so much later that they meet it.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from accel.array.array_front import part_mux
from accel.interfaces.signals import dim, flag
from accel.residual_pass.walker import Position, walker
from accel.units.delay_lines import delay, delay_chain, gated_delay
from accel.units.residual import LATENCY as RESIDUAL_LATENCY
from accel.units.residual import residual_unit
from accel.units.reuse import LATENCY as REUSE_LATENCY
from accel.units.reuse import reuse_unit
from model.formats import GATE_BITS, INT8_BITS, X_BITS

FIRE_TO_READ = REUSE_LATENCY - 1  # a memory answers in the cycle after
FIRE_TO_SUM = REUSE_LATENCY + RESIDUAL_LATENCY


@block
def front_half(
    clk,
    aresetn,
    start,
    first_pass,
    last_pass,
    plain,
    whole,
    reused,
    forecasts,
    slope,
    front_context,
    moved,
    pop,
    cond_base,
    header,
    ports,
    x_in,
    cache,
    previous,
    fifo,
    stat_last,
    takes_word,
    lacks_words,
    regs,
    config,
):
    """Read x and branch, add, write x back and feed the FIFO.

    start: pulse. first_pass: x from the host, no branch. last_pass: x to the host only. plain: nothing is
    normalized. reused: bit per context whose branch comes from the cache; with ``whole`` x itself does, in the last
    pass, and x passes through the others. forecasts: those of them whose branch, or x, before comes on ``previous``,
    slope: of the forecast for ``front_context``, the context at hand. moved: a tile's statistics moved on. pop: a word
    left the FIFO. stat_last: the word entering the FIFO is a tile's last. takes_word: a word starts its way;
    lacks_words: it waits for the host or the cache.
    """
    ROWS = config.rows
    CONTEXTS = config.max_contexts
    CREDIT = config.fifo_credit
    parts = config.wide // ROWS
    at = Position()
    running, fire, cached, forecast, still, tile_ok, x_ok, branch_ok = (flag() for _ in range(8))
    ahead = Signal(intbv(0)[4:])
    in_fifo = dim()
    walk = walker(clk, aresetn, start, fire, cond_base, regs, at, config)

    @always_comb
    def source():
        cached.next = 0
        forecast.next = 0
        still.next = 0
        for i in range(CONTEXTS):
            if at.context == i and not first_pass:
                if whole and not last_pass:
                    still.next = reused[i]
                else:
                    cached.next = reused[i]
                    forecast.next = forecasts[i]
        front_context.next = at.context
        tile_ok.next = not at.first_channel or ahead < 2 or plain
        x_ok.next = not first_pass or x_in.tvalid

    @always_comb
    def allow():
        branch_ok.next = (not cached or cache.tvalid) and (not forecast or previous.tvalid)

    @always_comb
    def go():
        fire.next = running and tile_ok and x_ok and branch_ok and in_fifo < CREDIT
        lacks_words.next = running and tile_ok and in_fifo < CREDIT and not (x_ok and branch_ok)

    @always_comb
    def take():
        x_in.tready.next = fire and first_pass
        cache.tready.next = fire and cached
        previous.tready.next = fire and forecast
        takes_word.next = fire
        ports.x_in.next = fire and first_pass

    @always_seq(clk.posedge, reset=aresetn)
    def run():
        if start:
            running.next = 1
        elif fire and at.last:
            running.next = 0
        if start:
            ahead.next = 0
        elif fire and at.first_channel and not plain:
            if not moved:
                ahead.next = ahead + 1
        elif moved:
            ahead.next = ahead - 1
        if fire and not pop:
            in_fifo.next = in_fifo + 1
        elif pop and not fire:
            in_fifo.next = in_fifo - 1

    # Beside the forecast: what x, gate and a branch of this timestep are to be read with.
    fires = [fire, *(flag() for _ in range(FIRE_TO_READ))]
    read, read_cached, read_still, given = fires[FIRE_TO_READ], flag(), flag(), flag()
    beside = (
        delay_chain(clk, fires),
        gated_delay(clk, fires[:FIRE_TO_READ], cached, read_cached),
        gated_delay(clk, fires[:FIRE_TO_READ], still, read_still),
        gated_delay(clk, fires[:FIRE_TO_READ], at.row_addr, ports.x_read.addr),
        gated_delay(clk, fires[:FIRE_TO_READ], at.super_addr, ports.a_read.addr),
        gated_delay(clk, fires[:FIRE_TO_READ], at.cond_addr, ports.gate.addr),
    )

    @always_comb
    def find():
        given.next = whole and read_cached  # x comes from the cache

    @always_comb
    def look():
        ports.x_read.enable.next = read and not first_pass and not given
        ports.a_read.enable.next = read and not first_pass and not read_cached and not read_still
        ports.gate.enable.next = read and not first_pass and not given and not read_still

    # One cycle later: words from the memories, and from the forecast.
    valid_1, cached_1, given_1, kept_1, use_branch_1, last_1 = (flag() for _ in range(6))
    part_1 = dim()
    x_host, x_again, x_1 = (Signal(intbv(0)[ROWS * X_BITS :]) for _ in range(3))
    own, again, branch_1 = (Signal(intbv(0)[ROWS * INT8_BITS :]) for _ in range(3))
    gate_1 = Signal(intbv(0, min=-(1 << (GATE_BITS - 1)), max=1 << (GATE_BITS - 1)))
    again_valid, reuse_take = flag(), flag()
    found = (
        gated_delay(clk, fires, at.part, part_1),
        gated_delay(clk, fires, at.last_channel, last_1),
        gated_delay(clk, fires, x_in.tdata, x_host),
    )

    @always_seq(clk.posedge, reset=aresetn)
    def fetch():
        valid_1.next = read
        if read:
            cached_1.next = read_cached
            given_1.next = given
            kept_1.next = not first_pass
            use_branch_1.next = not first_pass and not given and not read_still

    @always_comb
    def take_cached():
        reuse_take.next = fire and cached

    extrapolate = reuse_unit(
        clk, reuse_take, cache.tdata, previous.tdata, slope, whole, again_valid, x_again, again, lanes=ROWS
    )
    pick = part_mux(ports.a_read.data, part_1, own, parts, ROWS * INT8_BITS)

    @always_comb
    def choose():
        if given_1:
            x_1.next = x_again
        elif kept_1:
            x_1.next = ports.x_read.data
        else:
            x_1.next = x_host
        if cached_1:
            branch_1.next = again
        else:
            branch_1.next = own
        gate_1.next = ports.gate.data.signed()

    x_new = Signal(intbv(0)[ROWS * X_BITS :])
    new_valid, saturated = flag(), flag()
    add = residual_unit(
        clk, valid_1, x_1, branch_1, use_branch_1, gate_1, header.gate_shift, new_valid, x_new, saturated, lanes=ROWS
    )
    tags = (
        delay(clk, ports.x_read.addr, ports.x_write.addr, RESIDUAL_LATENCY + 1),
        delay(clk, last_1, stat_last, RESIDUAL_LATENCY),
    )

    @always_comb
    def deliver():
        ports.x_write.enable.next = new_valid and not last_pass
        ports.x_write.data.next = x_new
        fifo.tdata.next = x_new
        fifo.tvalid.next = new_valid
        ports.residual.next = new_valid
        ports.residual_saturated.next = new_valid and saturated

    return (
        walk, source, allow, go, take, run, beside, find, look, found, fetch, take_cached, extrapolate, pick, choose,
        add,
        tags, deliver,
    )  # fmt: skip
