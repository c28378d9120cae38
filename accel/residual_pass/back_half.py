"""Back half of the streaming pass: normalize, modulate, quantize, encode and compare."""

from myhdl import Signal, always_comb, always_seq, block, enum, intbv

from accel.interfaces.signals import address, dim, flag
from accel.interfaces.streams import Stream
from accel.residual_pass.walker import Position, walker
from accel.units.ccu import COUNT_LATENCY, ccu_unit
from accel.units.fifo import stream_fifo
from accel.units.layernorm import LATENCY as NORM_LATENCY
from accel.units.modulate import LATENCY as MODULATE_LATENCY
from accel.units.modulate import modulate_unit
from model.formats import ACT_BITS, CODE_BITS, INT8_BITS, LN_BITS, MOD_BITS

HISTORY_DEPTH = 32  # stored codes between normalization and comparison
SETTLE = NORM_LATENCY + MODULATE_LATENCY + COUNT_LATENCY + 6  # last word in -> count and A memory complete


@block
def back_half(
    clk,
    aresetn,
    start,
    detect,
    with_history,
    decide,
    decided,
    done,
    tile_ready,
    norm_valid,
    norm_last,
    y_valid,
    y,
    cond_base,
    header,
    ports,
    fifo,
    history,
    count,
    norm_context,
    lacks_words,
    normalizes,
    regs,
    config,
):
    """Normalize word by word: drive the LayerNorm's second side, then modulate, quantize, encode and compare.

    detect: the CCU works. with_history: stored codes arrive on ``history`` (else they are 0). decide: pulse when
    ``count`` of context ``norm_context`` is final; decided: the answer. done: pulse after the last context.
    lacks_words: it waits for stored codes; normalizes: words are, or are to come, inside.
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
        fire.next = phase == phases.RUN and fifo.tvalid and tile_ready and (not with_history or history.tvalid)

    @always_comb
    def take():
        norm_valid.next = fire
        norm_last.next = at.last_channel
        history.tready.next = fire and with_history
        ports.history_read.next = fire and with_history
        lacks_words.next = phase == phases.RUN and fifo.tvalid and tile_ready and with_history and not history.tvalid
        normalizes.next = phase == phases.RUN or phase == phases.SETTLE

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

    act = Signal(intbv(0)[ROWS * ACT_BITS :])
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
