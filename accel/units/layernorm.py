"""LayerNorm without affine part, for R tokens at once, streaming over the D channels of a row tile.

``y = (D x - s1) / sqrt(D s2 - s1**2 + eps)``, s1 = sum x, s2 = sum x*x over the channels.
``x Q15.0 -> d = D x - s1 (29 bit) -*mant Q1.15-> 45 bit -half up >> (q + 15 - LN_FRAC)-> Q5.10 saturated``.

Three register sets overlap three tiles: sums (being streamed) -> held sums, whose R roots come from one shared
``rsqrt_unit`` at one per cycle -> current (being normalized).
Statistics side: one channel of R tokens per ``stat_valid``, ``stat_last`` with the last channel. The caller starts
tile j only when tiles 0 .. j-2 have ``moved`` (a pulse; the start may come in the same cycle).
Normalization side: words are accepted while ``tile_ready``; ``norm_last`` releases the tile, and the next one takes its
place at once if its roots are complete (tile_ready stays high), else tile_ready falls in the next cycle.

Latency: norm_valid to dst_valid ``LATENCY`` cycles; stat_last to tile_ready ``R + STAT_LATENCY`` cycles when idle.
Throughput: one word per cycle on both sides, without a gap between tiles when D >= R + STAT_LATENCY.
No back-pressure. Rounding: half up. Valid range: eps >= 1, sums within SUM_BITS and SQUARE_BITS (D <= 4095);
``saturated``: some lane of the word was clamped. hidden and eps are stable while tiles are in flight.
Source: golden ``model/ops/layernorm.py``.
"""

from myhdl import always, always_comb, always_seq, block

from accel.config import bits_for
from accel.units.lanes import bit, pack, signal_list, signed, unpack, unsigned
from accel.units.rsqrt import LATENCY as RSQRT_LATENCY
from accel.units.rsqrt import Q_BITS, rsqrt_unit
from model.formats import LN_BITS, LN_FRAC, RSQRT_BITS, SQUARE_BITS, SUM_BITS, VAR_BITS, X_BITS

LATENCY = 6
STAT_LATENCY = RSQRT_LATENCY + 8
CENTERED_BITS = SUM_BITS + 1
SCALED_BITS = CENTERED_BITS + RSQRT_BITS
PRODUCT_BITS = VAR_BITS + 1  # D * s2 and s1**2


@block
def layernorm_unit(
    clk, aresetn, hidden, eps, stat_valid, stat_x, stat_last, tile_ready, norm_valid, norm_x, norm_last,
    dst_valid, dst, saturated, moved, lanes,
):  # fmt: skip
    """Statistics of one tile while an earlier one is normalized."""
    full, take, move, move_1, complete, current_valid = [bit() for _ in range(6)]
    sums = signal_list(signed, SUM_BITS, lanes)
    squares = signal_list(unsigned, SQUARE_BITS, lanes)
    held_sums = signal_list(signed, SUM_BITS, lanes)
    mants = signal_list(unsigned, RSQRT_BITS, lanes)
    downs = signal_list(unsigned, Q_BITS, lanes)
    moments = accumulate_moments(clk, aresetn, stat_valid, stat_x, stat_last, take, full, sums, squares, lanes)
    roots = hold_and_root(
        clk, aresetn, hidden, eps, full, take, sums, squares, held_sums, mants, downs, complete, move, move_1, lanes
    )
    normal = normalize_lanes(
        clk, hidden, norm_valid, norm_x, move_1, held_sums, mants, downs, dst_valid, dst, saturated, lanes
    )

    @always_comb
    def decide():
        move.next = complete and (not current_valid or (norm_valid and norm_last))
        tile_ready.next = current_valid
        moved.next = move_1

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        move_1.next = move
        if move:
            current_valid.next = True
        elif norm_valid and norm_last:
            current_valid.next = False

    return moments, roots, normal, decide, advance


@block
def accumulate_moments(clk, aresetn, src_valid, src, src_last, take, full, sums, squares, lanes):
    """Two stages: square, accumulate; ``full`` from the last channel until ``take``."""
    LANES = lanes
    valid_1, last_1, underway = bit(), bit(), bit()
    x_in = signal_list(signed, X_BITS, lanes)
    x_1 = signal_list(signed, X_BITS, lanes)
    square_1 = signal_list(unsigned, 2 * X_BITS, lanes)
    words = unpack(src, x_in, signed=True)

    @always(clk.posedge)
    def square():
        if src_valid:
            last_1.next = src_last
            for i in range(LANES):
                x_1[i].next = x_in[i]
                square_1[i].next = x_in[i] * x_in[i]

    @always(clk.posedge)
    def accumulate():
        if valid_1:
            for i in range(LANES):
                if underway:
                    sums[i].next = sums[i] + x_1[i]
                    squares[i].next = squares[i] + square_1[i]
                else:
                    sums[i].next = x_1[i]
                    squares[i].next = square_1[i]

    @always_seq(clk.posedge, reset=aresetn)
    def mark():
        valid_1.next = src_valid
        if valid_1:
            underway.next = not last_1
        if valid_1 and last_1:
            full.next = True
        elif take:
            full.next = False

    return words, square, accumulate, mark


@block
def hold_and_root(
    clk, aresetn, hidden, eps, full, take, sums, squares, held_sums, mants, downs, complete, move, move_1, lanes
):  # fmt: skip
    """Hold the sums of a finished tile and form its roots, one token per cycle; ``complete`` until ``move``."""
    LANES = lanes
    LAST = lanes - 1
    held, scan, scan_1, scan_2, scan_3, scan_4, root_valid = [bit() for _ in range(7)]
    index, slot = unsigned(bits_for(lanes)), unsigned(bits_for(lanes))
    held_squares = signal_list(unsigned, SQUARE_BITS, lanes)
    sum_1, square_1 = signed(SUM_BITS), unsigned(SQUARE_BITS)
    square_2, sum_2 = unsigned(PRODUCT_BITS), unsigned(PRODUCT_BITS)
    spread, w, mant, q = unsigned(VAR_BITS), unsigned(VAR_BITS), unsigned(RSQRT_BITS), unsigned(Q_BITS)
    # Rounding half up needs v >> (q + 15 - LN_FRAC - 1) first.
    DOWN_OFFSET = 15 - LN_FRAC - 1
    root = rsqrt_unit(clk, scan_4, w, root_valid, mant, q)

    @always_comb
    def decide():
        take.next = full and (move_1 or not held)

    @always(clk.posedge)
    def hold():
        if take:
            for i in range(LANES):
                held_sums[i].next = sums[i]
                held_squares[i].next = squares[i]

    @always_seq(clk.posedge, reset=aresetn)
    def control():
        scan_1.next = scan
        scan_2.next = scan_1
        scan_3.next = scan_2
        scan_4.next = scan_3
        if take:
            held.next = True
            scan.next = True
        elif move_1:
            held.next = False
        if scan:
            if index == LAST:
                index.next = 0
                scan.next = False
            else:
                index.next = index + 1
        if move:
            complete.next = False
        if root_valid:
            if slot == LAST:
                slot.next = 0
                complete.next = True
            else:
                slot.next = slot + 1

    @always(clk.posedge)
    def variance():
        if scan:
            sum_1.next = held_sums[index]
            square_1.next = held_squares[index]
        if scan_1:
            square_2.next = hidden * square_1
            sum_2.next = sum_1 * sum_1
        if scan_2:
            spread.next = square_2 - sum_2
        if scan_3:
            w.next = spread + eps

    @always(clk.posedge)
    def collect():
        if root_valid:
            mants[slot].next = mant
            downs[slot].next = q + DOWN_OFFSET

    return root, decide, hold, control, variance, collect


@block
def normalize_lanes(
    clk, hidden, src_valid, src, move_1, held_sums, mants, downs, dst_valid, dst, saturated, lanes
):  # fmt: skip
    """Six stages; each takes over a new tile's values one cycle after the stage before it."""
    LANES = lanes
    HIGHEST = (1 << (LN_BITS - 1)) - 1
    LOWEST = -(1 << (LN_BITS - 1))
    # Limits of half = 2 * result + its rounding bit.
    HIGH_HALF = 2 * HIGHEST + 1
    LOW_HALF = 2 * LOWEST
    move_2, move_3 = bit(), bit()
    valid_1, valid_2, valid_3, valid_4, valid_5 = [bit() for _ in range(5)]
    x_in = signal_list(signed, X_BITS, lanes)
    current_sums = signal_list(signed, SUM_BITS, lanes)
    # Signed: the converter gives an unsigned list element no sign bit in a product with a signed one.
    current_mants = signal_list(signed, RSQRT_BITS + 1, lanes)
    current_downs = signal_list(unsigned, Q_BITS, lanes)
    raised = signal_list(signed, X_BITS + len(hidden), lanes)
    centered = signal_list(signed, CENTERED_BITS, lanes)
    scaled = signal_list(signed, SCALED_BITS, lanes)
    shifted = signal_list(signed, SCALED_BITS, lanes)
    half = signal_list(signed, SCALED_BITS, lanes)
    result = signal_list(signed, LN_BITS, lanes)
    words = unpack(src, x_in, signed=True), pack(result, dst)

    @always(clk.posedge)
    def take_over():
        move_2.next = move_1
        move_3.next = move_2
        if move_1:
            for i in range(LANES):
                current_sums[i].next = held_sums[i]
        if move_2:
            for i in range(LANES):
                current_mants[i].next = mants[i]
        if move_3:
            for i in range(LANES):
                current_downs[i].next = downs[i]

    @always(clk.posedge)
    def center():
        valid_1.next = src_valid
        valid_2.next = valid_1
        if src_valid:
            for i in range(LANES):
                raised[i].next = hidden * x_in[i]
        if valid_1:
            for i in range(LANES):
                centered[i].next = raised[i] - current_sums[i]

    @always(clk.posedge)
    def scale():
        valid_3.next = valid_2
        valid_4.next = valid_3
        valid_5.next = valid_4
        if valid_2:
            for i in range(LANES):
                scaled[i].next = centered[i] * current_mants[i]
        if valid_3:
            for i in range(LANES):
                shifted[i].next = scaled[i] >> current_downs[i]
        if valid_4:
            for i in range(LANES):
                half[i].next = shifted[i] + 1

    @always(clk.posedge)
    def saturate():
        lane_clamped = False
        dst_valid.next = valid_5
        if valid_5:
            for i in range(LANES):
                if half[i] > HIGH_HALF:
                    result[i].next = HIGHEST
                    lane_clamped = True
                elif half[i] < LOW_HALF:
                    result[i].next = LOWEST
                    lane_clamped = True
                else:
                    result[i].next = half[i] >> 1
            saturated.next = lane_clamped

    return words, take_over, center, scale, saturate
