"""The streaming pass between two sub-blocks, at one word (R tokens of one channel) per cycle.

``x (memory or host) + gate * branch (A memory, forecast from the branch cache, or none) -> x -> FIFO -> LayerNorm ->
modulate -> int8 into A memory, Q9.6 into the CCU``. The front half reads and adds; the FIFO holds a tile while its
statistics form; the back half normalizes, one tile behind. Between contexts the back half waits for the decision.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from accel.interfaces.memory_ports import ReadPort, WritePort
from accel.interfaces.signals import address, dim, flag
from accel.interfaces.streams import Stream
from accel.residual_pass.back_half import back_half
from accel.residual_pass.front_half import front_half
from accel.units.fifo import stream_fifo
from accel.units.layernorm import layernorm_unit
from model.formats import CODE_BITS, GATE_BITS, INT8_BITS, LN_BITS, MOD_BITS, X_BITS


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
        for name in (
            "residual",
            "fifo_read",
            "fifo_write",
            "x_in",
            "x_out",
            "history_read",
            "ccu",
        ):
            setattr(self, name, flag())
        for unit in ("residual", "norm", "modulate"):
            setattr(self, f"{unit}_saturated", flag())


@block
def residual_pass(
    clk,
    aresetn,
    start,
    first_pass,
    last_pass,
    light,
    whole,
    detect,
    with_history,
    reused,
    forecasts,
    slope,
    front_context,
    decide,
    decided,
    done,
    cond_base,
    header,
    ports,
    x_in,
    x_out,
    cache,
    previous,
    history,
    count,
    norm_context,
    moved,
    activity,
    regs,
    config,
):
    """The whole pass; ``start`` and ``done`` are pulses. See ``front_half`` and ``back_half`` for the ports.

    light: the pass only adds, its words go to x memory and nowhere else. whole: see ``front_half``.
    activity: what the pass is doing, for ``accel/control/cycle_accounts.py``.
    """
    ROWS = config.rows
    summed, fifo_in, fifo_out = (Stream(ROWS * X_BITS) for _ in range(3))
    level = dim()
    pop, stat_last, stat_valid, tile_ready = (flag() for _ in range(4))
    norm_valid, norm_last, y_valid, norm_saturated, back_start, back_done, out_done = (flag() for _ in range(7))
    y = Signal(intbv(0)[ROWS * LN_BITS :])
    out_left = address()
    takes_word, front_lacks, back_lacks, plain = (flag() for _ in range(4))
    front = front_half(
        clk, aresetn, start, first_pass, last_pass, plain, whole, reused, forecasts, slope, front_context, moved, pop,
        cond_base, header, ports, x_in, cache, previous, summed, stat_last, takes_word, front_lacks, regs, config,
    )  # fmt: skip
    queue = stream_fifo(clk, aresetn, fifo_in, fifo_out, level, depth=config.fifo_depth)

    @always_comb
    def feed():
        plain.next = last_pass or light
        fifo_in.tdata.next = summed.tdata
        fifo_in.tvalid.next = summed.tvalid and not light
        stat_valid.next = summed.tvalid and not last_pass and not light
        back_start.next = start and not last_pass and not light
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
        pop.next = (fifo_out.tvalid and fifo_out.tready) or (light and summed.tvalid)
        ports.fifo_write.next = summed.tvalid and not light
        ports.fifo_read.next = fifo_out.tvalid and fifo_out.tready
        ports.norm_saturated.next = y_valid and norm_saturated

    norm = layernorm_unit(
        clk=clk, aresetn=aresetn, hidden=regs.hidden, eps=header.eps, stat_valid=stat_valid, stat_x=fifo_in.tdata,
        stat_last=stat_last, tile_ready=tile_ready, norm_valid=norm_valid, norm_x=fifo_out.tdata,
        norm_last=norm_last, dst_valid=y_valid, dst=y, saturated=norm_saturated, moved=moved, lanes=ROWS,
    )  # fmt: skip
    back = back_half(
        clk, aresetn, back_start, detect, with_history, decide, decided, back_done, tile_ready, norm_valid, norm_last,
        y_valid, y, cond_base, header, ports, fifo_out, history, count, norm_context, back_lacks,
        activity.normalizes, regs, config,
    )  # fmt: skip

    # A pass that only adds is over when every word is added; the last one, when the host has taken every word.
    @always_seq(clk.posedge, reset=aresetn)
    def count_out():
        out_done.next = 0
        if start and plain:
            out_left.next = regs.sub_block_words * regs.contexts
        elif plain and pop:
            out_left.next = out_left - 1
            out_done.next = out_left == 1

    @always_comb
    def finish():
        done.next = back_done or out_done

    @always_comb
    def tell():
        activity.streams.next = takes_word or pop
        activity.lacks_words.next = front_lacks or back_lacks

    return front, queue, feed, drain, release, norm, back, count_out, finish, tell
