"""The streaming pass between two sub-blocks, at one word (R tokens of one channel) per cycle.

``x (memory or host) + gate * branch (A memory, branch cache or none) -> x -> FIFO -> LayerNorm -> modulate ->
int8 into A memory, Q9.6 into the CCU``. The front half reads and adds; the FIFO holds a tile while its statistics
form; the back half normalizes, one tile behind. Between contexts the back half waits for the decision.
"""

from myhdl import Signal, always, always_comb, always_seq, block, enum, intbv

from accel.command import address, dim, flag
from accel.config import log2_exact
from accel.drain import delay
from accel.gemm import ReadPort, part_mux
from accel.memories import WritePort
from accel.stream import Stream
from accel.units.ccu import LATENCY as CCU_LATENCY
from accel.units.ccu import ccu_unit
from accel.units.fifo import stream_fifo
from accel.units.layernorm import LATENCY as NORM_LATENCY
from accel.units.layernorm import layernorm_unit
from accel.units.modulate import LATENCY as MODULATE_LATENCY
from accel.units.modulate import modulate_unit
from accel.units.residual import LATENCY as RESIDUAL_LATENCY
from accel.units.residual import residual_unit
from accel.units.reuse import reuse_unit
from accel.walker import Position, walker
from model.formats import CODE_BITS, GATE_BITS, INT8_BITS, LN_BITS, MOD_BITS, X_BITS

HISTORY_DEPTH = 32  # stored codes between normalization and comparison
SETTLE = NORM_LATENCY + MODULATE_LATENCY + CCU_LATENCY + 6  # last word in -> count and A memory complete


class PassPorts:
    """What the pass touches: memories, conditioning, and events for the counters."""

    def __init__(self, config) -> None:
        rows = config.rows
        self.x_read = ReadPort(rows * X_BITS)
        self.x_write = WritePort(rows * X_BITS)
        self.a_read = ReadPort(config.wide * INT8_BITS)
        self.a_write = WritePort(rows * INT8_BITS)
        self.gate = ReadPort(GATE_BITS)
        self.modulation = ReadPort(2 * MOD_BITS)
        self.code_write = WritePort(rows * CODE_BITS)
        for name in ("residual", "fifo_read", "x_in", "x_out", "cache_read", "history_read", "ccu"):
            setattr(self, name, flag())
        for unit in ("residual", "norm", "modulate"):
            setattr(self, f"{unit}_saturated", flag())


@block
def front_half(clk, aresetn, start, first_pass, last_pass, reused, moved, pop, cond_base, header, ports, x_in, cache, fifo, stat_last, regs, config):
    """Read x and branch, add, write x back and feed the FIFO.

    start: pulse. first_pass: x from the host, no branch. last_pass: x to the host only. reused: bit per context whose
    branch comes from the cache. moved: a tile's statistics moved on. pop: a word left the FIFO. stat_last: the
    word entering the FIFO is a tile's last.
    """
    ROWS = config.rows
    CONTEXTS = config.max_contexts
    CREDIT = config.fifo_depth - 2
    parts = config.wide // ROWS
    at = Position()
    running, fire, cached, tile_ok, x_ok, branch_ok, use_x, restart = (flag() for _ in range(8))
    ahead = Signal(intbv(0)[4:])
    in_fifo = dim()
    walk = walker(clk, aresetn, start, fire, cond_base, regs, at, config)

    @always_comb
    def source():
        cached.next = 0
        for i in range(CONTEXTS):
            if at.context == i and reused[i] and not first_pass:
                cached.next = 1
        tile_ok.next = not at.first_channel or ahead < 2 or last_pass
        x_ok.next = not first_pass or x_in.tvalid

    @always_comb
    def allow():
        branch_ok.next = not cached or cache.tvalid

    @always_comb
    def go():
        fire.next = running and tile_ok and x_ok and branch_ok and in_fifo < CREDIT

    @always_comb
    def take():
        x_in.tready.next = fire and first_pass
        cache.tready.next = fire and cached
        ports.x_in.next = fire and first_pass
        ports.cache_read.next = fire and cached
        ports.x_read.enable.next = fire and not first_pass
        ports.a_read.enable.next = fire and not first_pass and not cached
        ports.gate.enable.next = fire and not first_pass
        ports.x_read.addr.next = at.row_addr
        ports.a_read.addr.next = at.super_addr
        ports.gate.addr.next = at.cond_addr

    @always_seq(clk.posedge, reset=aresetn)
    def run():
        if start:
            running.next = 1
        elif fire and at.last:
            running.next = 0
        if start:
            ahead.next = 0
        elif fire and at.first_channel and not last_pass:
            if not moved:
                ahead.next = ahead + 1
        elif moved:
            ahead.next = ahead - 1
        if fire and not pop:
            in_fifo.next = in_fifo + 1
        elif pop and not fire:
            in_fifo.next = in_fifo - 1

    # One cycle later: words from the memories.
    valid_1, cached_1, use_branch_1, last_1 = (flag() for _ in range(4))
    part_1 = dim()
    x_host, x_1 = Signal(intbv(0)[ROWS * X_BITS :]), Signal(intbv(0)[ROWS * X_BITS :])
    own, again, branch_1 = (Signal(intbv(0)[ROWS * INT8_BITS :]) for _ in range(3))
    gate_1 = Signal(intbv(0, min=-(1 << (GATE_BITS - 1)), max=1 << (GATE_BITS - 1)))
    again_valid, reuse_take = flag(), flag()

    @always_seq(clk.posedge, reset=aresetn)
    def fetch():
        valid_1.next = fire
        if fire:
            cached_1.next = cached
            use_branch_1.next = not first_pass
            last_1.next = at.last_channel
            part_1.next = at.part
            x_host.next = x_in.tdata

    @always_comb
    def take_cached():
        reuse_take.next = fire and cached

    forecast = reuse_unit(clk, reuse_take, cache.tdata, again_valid, again)
    pick = part_mux(ports.a_read.data, part_1, own, parts, ROWS * INT8_BITS)

    @always_comb
    def choose():
        if use_branch_1:
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
        delay(clk, at.row_addr, ports.x_write.addr, RESIDUAL_LATENCY + 1),
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

    return walk, source, allow, go, take, run, fetch, take_cached, forecast, pick, choose, add, tags, deliver


@block
def back_half(clk, aresetn, start, detect, with_history, decide, decided, done, tile_ready, norm_valid, norm_last, y_valid, y, cond_base, header, ports, fifo, history, count, norm_context, regs, config):
    """Normalize word by word: drive the LayerNorm's second side, then modulate, quantize, encode and compare.

    detect: the CCU works. with_history: stored codes arrive on ``history`` (else they are 0). decide: pulse when
    ``count`` of context ``norm_context`` is final; decided: the answer. done: pulse after the last context.
    """
    ROWS = config.rows
    phases = enum("IDLE", "RUN", "SETTLE", "AWAIT")
    phase = Signal(phases.IDLE)
    at, mod_at, put = Position(), Position(), Position()
    fire, was_last, clear = flag(), flag(), flag()
    settle = Signal(intbv(0)[8:])
    walk = walker(clk, aresetn, start, fire, cond_base, regs, at, config)
    mod_walk = walker(clk, aresetn, start, y_valid, cond_base, regs, mod_at, config)

    @always_comb
    def go():
        fire.next = (
            phase == phases.RUN and fifo.tvalid and tile_ready and (not with_history or history.tvalid)
        )

    @always_comb
    def take():
        norm_valid.next = fire
        norm_last.next = at.last_channel
        history.tready.next = fire and with_history
        ports.history_read.next = fire and with_history

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        decide.next = 0
        done.next = 0
        clear.next = 0
        if phase == phases.IDLE:
            if start:
                norm_context.next = 0
                clear.next = 1
                phase.next = phases.RUN
        elif phase == phases.RUN:
            if fire and at.last_of_context and (detect or at.last):
                was_last.next = at.last
                settle.next = SETTLE
                phase.next = phases.SETTLE
        elif phase == phases.SETTLE:
            settle.next = settle - 1
            if settle == 1:
                if detect:
                    decide.next = 1
                    phase.next = phases.AWAIT
                else:
                    done.next = 1
                    phase.next = phases.IDLE
        elif phase == phases.AWAIT:
            if decided:
                clear.next = 1
                norm_context.next = norm_context + 1
                if was_last:
                    done.next = 1
                    phase.next = phases.IDLE
                else:
                    phase.next = phases.RUN

    # Scale and shift meet the normalized value one cycle after it leaves the LayerNorm.
    y_1 = Signal(intbv(0)[ROWS * LN_BITS :])
    valid_1 = flag()
    scale, shift = (Signal(intbv(0, min=-(1 << (MOD_BITS - 1)), max=1 << (MOD_BITS - 1))) for _ in range(2))
    LOW, HIGH = MOD_BITS, 2 * MOD_BITS

    @always_comb
    def ask():
        ports.modulation.enable.next = y_valid
        ports.modulation.addr.next = mod_at.cond_addr

    @always_seq(clk.posedge, reset=aresetn)
    def meet():
        valid_1.next = y_valid
        if y_valid:
            y_1.next = y

    @always_comb
    def split():
        scale.next = ports.modulation.data[LOW:].signed()
        shift.next = ports.modulation.data[HIGH:LOW].signed()

    act = Signal(intbv(0)[ROWS * 16 :])
    quantized = Signal(intbv(0)[ROWS * INT8_BITS :])
    act_valid, mod_saturated = flag(), flag()
    apply = modulate_unit(
        clk, valid_1, y_1, scale, shift, header.mod_shift, act_valid, act, quantized, mod_saturated, lanes=ROWS
    )
    put_walk = walker(clk, aresetn, start, act_valid, cond_base, regs, put, config)

    # Stored codes wait in a FIFO for their word.
    stored_in, stored_out = Stream(ROWS * CODE_BITS), Stream(ROWS * CODE_BITS)
    stored_level = dim()
    stored = stream_fifo(clk, aresetn, stored_in, stored_out, stored_level, depth=HISTORY_DEPTH)
    stored_codes = Signal(intbv(0)[ROWS * CODE_BITS :])
    code_valid, compare = flag(), flag()
    codes = Signal(intbv(0)[ROWS * CODE_BITS :])

    @always_comb
    def pass_codes():
        stored_in.tdata.next = history.tdata
        stored_in.tvalid.next = fire and with_history
        compare.next = act_valid and detect
        stored_out.tready.next = act_valid and with_history
        stored_codes.next = 0
        if with_history:
            stored_codes.next = stored_out.tdata

    look = ccu_unit(
        clk, aresetn, compare, act, header.b1, header.b2, header.b3, header.b4, header.b5, header.b6, header.b7,
        stored_codes, clear, code_valid, codes, count, lanes=ROWS,
    )  # fmt: skip
    code_index = address()

    @always_seq(clk.posedge, reset=aresetn)
    def number_codes():
        if start:
            code_index.next = 0
        elif code_valid:
            code_index.next = code_index + 1

    @always_comb
    def write():
        ports.a_write.enable.next = act_valid
        ports.a_write.addr.next = put.super_addr
        ports.a_write.part.next = put.part
        ports.a_write.data.next = quantized
        ports.code_write.enable.next = code_valid
        ports.code_write.addr.next = code_index
        ports.code_write.data.next = codes
        ports.ccu.next = compare
        ports.modulate_saturated.next = act_valid and mod_saturated

    return (
        walk, mod_walk, go, take, sequence, ask, meet, split, apply, put_walk, stored, pass_codes, look, number_codes,
        write,
    )  # fmt: skip


@block
def residual_pass(clk, aresetn, start, first_pass, last_pass, detect, with_history, reused, decide, decided, done, cond_base, header, ports, x_in, x_out, cache, history, count, norm_context, moved, regs, config):
    """The whole pass; ``start`` and ``done`` are pulses. See ``front_half`` and ``back_half`` for the ports."""
    ROWS = config.rows
    fifo_in, fifo_out = Stream(ROWS * X_BITS), Stream(ROWS * X_BITS)
    level = dim()
    pop, stat_last, stat_valid, tile_ready = (flag() for _ in range(4))
    norm_valid, norm_last, y_valid, norm_saturated, back_start, back_done, out_done = (flag() for _ in range(7))
    y = Signal(intbv(0)[ROWS * LN_BITS :])
    out_left = address()
    front = front_half(
        clk, aresetn, start, first_pass, last_pass, reused, moved, pop, cond_base, header, ports, x_in, cache, fifo_in,
        stat_last, regs, config,
    )  # fmt: skip
    queue = stream_fifo(clk, aresetn, fifo_in, fifo_out, level, depth=config.fifo_depth)

    @always_comb
    def feed():
        stat_valid.next = fifo_in.tvalid and not last_pass
        back_start.next = start and not last_pass
        x_out.tdata.next = fifo_out.tdata
        x_out.tvalid.next = fifo_out.tvalid and last_pass
        ports.x_out.next = fifo_out.tvalid and last_pass and x_out.tready

    @always_comb
    def drain():
        if last_pass:
            fifo_out.tready.next = x_out.tready
        else:
            fifo_out.tready.next = norm_valid

    @always_comb
    def release():
        pop.next = fifo_out.tvalid and fifo_out.tready
        ports.fifo_read.next = fifo_out.tvalid and fifo_out.tready
        ports.norm_saturated.next = y_valid and norm_saturated

    norm = layernorm_unit(
        clk=clk, aresetn=aresetn, hidden=regs.hidden, eps=header.eps, stat_valid=stat_valid, stat_x=fifo_in.tdata,
        stat_last=stat_last, tile_ready=tile_ready, norm_valid=norm_valid, norm_x=fifo_out.tdata,
        norm_last=norm_last, dst_valid=y_valid, dst=y, saturated=norm_saturated, moved=moved, lanes=ROWS,
    )  # fmt: skip
    back = back_half(
        clk, aresetn, back_start, detect, with_history, decide, decided, back_done, tile_ready, norm_valid, norm_last,
        y_valid, y, cond_base, header, ports, fifo_out, history, count, norm_context, regs, config,
    )  # fmt: skip

    # The last pass is over when the host has taken every word.
    @always_seq(clk.posedge, reset=aresetn)
    def count_out():
        out_done.next = 0
        if start and last_pass:
            out_left.next = regs.sub_block_words * regs.contexts
        elif last_pass and pop:
            out_left.next = out_left - 1
            out_done.next = out_left == 1

    @always_comb
    def finish():
        done.next = back_done or out_done

    return front, queue, feed, drain, release, norm, back, count_out, finish
