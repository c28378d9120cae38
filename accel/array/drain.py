"""The drain: columns of a finished tile -> requantize -> (GELU | softmax) -> memory, one column per cycle.

``column c (R sums) and its parameters -> requant_unit -> wide (scores, GELU inputs) | narrow (int8) -> destination``.
Runs beside the array's next tile and never stalls; ``owned`` tells the front how long the drain registers matter.
Sources of (bias, mult, shift): per channel from the parameter memory (Q, K, branch, H), one for the sub-block (V,
scores), per token from the softmax's reciprocals (O). H's multiplier after GELU comes with its other parameters.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from accel.config import log2_exact
from accel.interfaces.signals import address, dim, flag
from accel.interfaces.tile_command import KIND_BITS, KIND_H, KIND_O, KIND_SCORE, KIND_V
from accel.units.delay_lines import delay_chain, gated_delay, gated_register
from accel.units.gelu import LATENCY as GELU_LATENCY
from accel.units.gelu import gelu_unit
from accel.units.requant import LATENCY as REQUANT_LATENCY
from accel.units.requant import requant_unit
from model.formats import AFTER_BITS, BIAS_BITS, INT8_BITS, MULT_BITS, SHIFT_BITS, WIDE_BITS

START_DELAY = 4  # from a tile's last issue to its first column (OPERAND_LATENCY + FINISH_TO_DRAIN)
FREE_WHILE_ACTIVE = 5  # columns left when the next tile may finish
FREE_AT_START = 4
KEPT = (
    "kind dst_base dst_step dst_part a_tile col_first col_count param_base key_first job_first job_last parity"
).split()
QUIET_CYCLES = REQUANT_LATENCY + GELU_LATENCY + 4  # from the last column to its write


class Drained:
    """A requantized word on its way: ``valid``, ``kind``, destination and the score / branch particulars."""

    def __init__(self, rows: int) -> None:
        self.valid = flag()
        self.kind = Signal(intbv(0)[KIND_BITS:])
        self.addr = address()
        self.part = dim()
        self.a_tile = dim()
        self.key = dim()
        self.job_first = flag()
        self.job_last = flag()
        self.wide = Signal(intbv(0)[rows * WIDE_BITS :])
        self.narrow = Signal(intbv(0)[rows * INT8_BITS :])
        # FC1 after GELU, GELU_LATENCY later.
        self.gelu_valid = flag()
        self.gelu_addr = address()
        self.gelu = Signal(intbv(0)[rows * INT8_BITS :])


class TokenScales:
    """Per-token multipliers of the value product: one set per parity of the job."""

    def __init__(self, rows: int) -> None:
        self.mult_even = Signal(intbv(0)[rows * MULT_BITS :])
        self.shift_even = Signal(intbv(0)[rows * SHIFT_BITS :])
        self.mult_odd = Signal(intbv(0)[rows * MULT_BITS :])
        self.shift_odd = Signal(intbv(0)[rows * SHIFT_BITS :])


@block
def drain_unit(clk, aresetn, finish, owned, idle, drain_col, drained, param_read, header, scales, out, config):
    """Drain finished tiles.

    finish: Finish. owned: the array must not finish another tile yet. idle: nothing is on its way. drain_col,
    drained: the array's drain port. param_read: ReadPort of 64 bit entries. header: SubBlockHeader. scales:
    TokenScales. out: Drained.
    """
    ROWS, COLS = config.rows, config.cols
    col_bits = max(1, log2_exact(COLS))
    assert len(drain_col) == col_bits

    pending_1, pending_2, active = flag(), flag(), flag()
    load, coming = flag(), flag()
    quiet = Signal(intbv(0)[8:])
    left, col = dim(), dim()
    kind = Signal(intbv(0)[KIND_BITS:])
    dst_addr = address()
    dst_step, dst_part, a_tile = dim(), dim(), dim()
    param_addr, key = dim(), dim()
    job_first, job_last, parity = flag(), flag(), flag()

    @always_seq(clk.posedge, reset=aresetn)
    def wait_for_sums():
        pending_1.next = finish.valid
        pending_2.next = pending_1
        load.next = pending_2

    # The front overwrites finish's fields when it accepts the next tile: keep them from the last k on.
    kept = [Signal(getattr(finish, name).val) for name in KEPT]
    keep = [gated_register(clk, finish.valid, getattr(finish, name), kept[i]) for i, name in enumerate(KEPT)]
    (
        k_kind, k_base, k_step, k_part, k_tile, k_first, k_count, k_param, k_key, k_job_first, k_job_last, k_parity,
    ) = kept  # fmt: skip

    @always_comb
    def look_ahead():
        # A tile shorter than its drain has finished while the one before it still drains: that one frees nothing.
        coming.next = pending_1 or pending_2 or load

    @always_seq(clk.posedge, reset=aresetn)
    def own():
        if finish.valid:
            owned.next = 1
        elif load and k_count <= FREE_AT_START:
            owned.next = 0
        elif active and left <= FREE_WHILE_ACTIVE and not coming:
            owned.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def walk():
        if load:
            active.next = 1
            kind.next = k_kind
            dst_addr.next = k_base
            dst_step.next = k_step
            dst_part.next = k_part
            a_tile.next = k_tile
            col.next = k_first
            left.next = k_count
            param_addr.next = k_param
            key.next = k_key
            job_first.next = k_job_first
            job_last.next = k_job_last
            parity.next = k_parity
        elif active:
            dst_addr.next = dst_addr + dst_step
            param_addr.next = param_addr + 1
            key.next = key + 1
            job_first.next = 0
            left.next = left - 1
            if left == 1:
                active.next = 0
            else:
                col.next = col + 1

    @always_seq(clk.posedge, reset=aresetn)
    def settle():
        if finish.valid or load or active or pending_1 or pending_2:
            quiet.next = QUIET_CYCLES
        elif quiet != 0:
            quiet.next = quiet - 1

    @always_comb
    def present():
        drain_col.next = col[col_bits:]
        param_read.enable.next = active and kind != KIND_V and kind != KIND_SCORE and kind != KIND_O
        param_read.addr.next = param_addr
        idle.next = quiet == 0

    # Column and parameters meet at the requantizer.
    src_valid, per_token = flag(), flag()
    kind_1 = Signal(intbv(0)[KIND_BITS:])
    parity_1 = flag()
    bias = Signal(intbv(0, min=-(1 << (BIAS_BITS - 1)), max=1 << (BIAS_BITS - 1)))
    mult = Signal(intbv(0)[MULT_BITS:])
    shift = Signal(intbv(0)[SHIFT_BITS:])
    token_mult = Signal(intbv(0)[ROWS * MULT_BITS :])
    token_shift = Signal(intbv(0)[ROWS * SHIFT_BITS :])
    MULT_LOW, MULT_HIGH = BIAS_BITS, BIAS_BITS + MULT_BITS
    SHIFT_HIGH = MULT_HIGH + SHIFT_BITS
    AFTER_HIGH = SHIFT_HIGH + AFTER_BITS
    h_mult, gelu_mult = Signal(intbv(0)[AFTER_BITS:]), Signal(intbv(0)[AFTER_BITS:])

    @always_seq(clk.posedge, reset=aresetn)
    def column():
        src_valid.next = active
        if active:
            kind_1.next = kind
            parity_1.next = parity

    @always_comb
    def choose_scale():
        per_token.next = kind_1 == KIND_O
        if parity_1:
            token_mult.next = scales.mult_odd
            token_shift.next = scales.shift_odd
        else:
            token_mult.next = scales.mult_even
            token_shift.next = scales.shift_even
        if kind_1 == KIND_V:
            bias.next = 0
            mult.next = header.v_mult
            shift.next = header.v_shift[SHIFT_BITS:]
        elif kind_1 == KIND_SCORE:
            bias.next = 0
            mult.next = header.score_mult
            shift.next = header.score_shift[SHIFT_BITS:]
        else:
            bias.next = param_read.data[BIAS_BITS:].signed()
            mult.next = param_read.data[MULT_HIGH:MULT_LOW]
            shift.next = param_read.data[SHIFT_HIGH:MULT_HIGH]

    @always_comb
    def choose_after():
        h_mult.next = param_read.data[AFTER_HIGH:SHIFT_HIGH]

    requant_valid = flag()
    requantize = requant_unit(
        clk, src_valid, drained, bias, mult, shift, per_token, token_mult, token_shift, requant_valid,
        out.wide, out.narrow, lanes=ROWS,
    )  # fmt: skip
    last_key = flag()

    @always_comb
    def mark_last():
        last_key.next = job_last and left == 1

    gelu_src = flag()
    valids = [active, src_valid, *(flag() for _ in range(REQUANT_LATENCY - 1))]
    gelu_valids = [gelu_src, *(flag() for _ in range(GELU_LATENCY - 1))]
    tags = (
        delay_chain(clk, valids[1:]),
        delay_chain(clk, gelu_valids),
        gated_delay(clk, valids, kind, out.kind),
        gated_delay(clk, valids, dst_addr, out.addr),
        gated_delay(clk, valids, dst_part, out.part),
        gated_delay(clk, valids, a_tile, out.a_tile),
        gated_delay(clk, valids, key, out.key),
        gated_delay(clk, valids, job_first, out.job_first),
        gated_delay(clk, valids[1:], h_mult, gelu_mult),
        gated_delay(clk, valids, last_key, out.job_last),
        gated_delay(clk, gelu_valids, out.addr, out.gelu_addr),
    )

    @always_comb
    def leave():
        out.valid.next = requant_valid and out.kind != KIND_H
        gelu_src.next = requant_valid and out.kind == KIND_H

    activate = gelu_unit(clk, gelu_src, out.wide, gelu_mult, header.h_shift, out.gelu_valid, out.gelu, lanes=ROWS)
    return (
        wait_for_sums, keep, look_ahead, own, walk, settle, present, column, choose_scale, choose_after, requantize,
        mark_last, tags, leave, activate,
    )  # fmt: skip
