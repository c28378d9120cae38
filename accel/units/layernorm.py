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
With ``bypass``, which holds while tiles are in flight, y is x, bit for bit, and stat_last to tile_ready takes
``BYPASS_LATENCY`` cycles. No back-pressure. Rounding: half up. Valid range: eps >= 1, sums within SUM_BITS and
SQUARE_BITS (D <= 4095); ``saturated``: some lane of the word was clamped. hidden and eps are stable while tiles are in
flight.
Source: golden ``model/ops/layernorm.py``.
"""

from myhdl import always, always_comb, always_seq, block

from radit.accel.config import bits_for
from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain, gated_register
from radit.accel.units.lanes import any_lane, pack, signal_list
from radit.accel.units.rsqrt import LATENCY as RSQRT_LATENCY
from radit.accel.units.rsqrt import Q_BITS, form_variance, rsqrt_unit
from radit.model.formats import LN_BITS, LN_FRAC, RSQRT_BITS, SQUARE_BITS, SUM_BITS, VAR_BITS, X_BITS

LATENCY = 6
STAT_LATENCY = RSQRT_LATENCY + 8
BYPASS_LATENCY = 4
CENTERED_BITS = SUM_BITS + 1
SCALED_BITS = CENTERED_BITS + RSQRT_BITS


@block
def layernorm_unit(
    clk, aresetn, hidden, eps, stat_valid, stat_x, stat_last, tile_ready, norm_valid, norm_x, norm_last,
    dst_valid, dst, saturated, moved, lanes, bypass=None,
):  # fmt: skip
    """Statistics of one tile while an earlier one is normalized.

    bypass: flag, words leave as they come, and tiles wait for no roots; None: there is no such mode.
    """
    full, take, move, move_1, complete, current_valid = [flag() for _ in range(6)]
    sums = signal_list(signed, SUM_BITS, lanes)
    squares = signal_list(word, SQUARE_BITS, lanes)
    held_sums = signal_list(signed, SUM_BITS, lanes)
    mants = signal_list(word, RSQRT_BITS, lanes)
    downs = signal_list(word, Q_BITS, lanes)
    moments = accumulate_moments(clk, aresetn, stat_valid, stat_x, stat_last, take, full, sums, squares, lanes)
    roots = hold_and_root(
        clk, aresetn, hidden, eps, full, take, sums, squares, held_sums, mants, downs, complete, move, move_1, lanes,
        bypass,
    )  # fmt: skip
    normal = normalize_lanes(
        clk, hidden, norm_valid, norm_x, move_1, held_sums, mants, downs, dst_valid, dst, saturated, lanes, bypass
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
    valid_1, last_1, underway = flag(), flag(), flag()
    works = [moment_lane(clk, src_valid, src, valid_1, underway, sums[i], squares[i], i) for i in range(lanes)]

    @always_seq(clk.posedge, reset=aresetn)
    def mark():
        valid_1.next = src_valid
        if src_valid:
            last_1.next = src_last
        if valid_1:
            underway.next = not last_1
        if valid_1 and last_1:
            full.next = True
        elif take:
            full.next = False

    return works, mark


@block
def moment_lane(clk, src_valid, src, valid_1, underway, total, squares, index):
    """Lane ``index``: sums of x and of its squares."""
    LOW, HIGH = index * X_BITS, (index + 1) * X_BITS
    x, x_1 = signed(X_BITS), signed(X_BITS)
    square_1 = word(2 * X_BITS)

    @always_comb
    def read():
        x.next = src[HIGH:LOW].signed()

    @always(clk.posedge)
    def accumulate():
        if src_valid:
            x_1.next = x
            square_1.next = x * x
        if valid_1:
            if underway:
                total.next = total + x_1
                squares.next = squares + square_1
            else:
                total.next = x_1
                squares.next = square_1

    return read, accumulate


@block
def hold_and_root(
    clk, aresetn, hidden, eps, full, take, sums, squares, held_sums, mants, downs, complete, move, move_1, lanes, bypass
):  # fmt: skip
    """Hold the sums of a finished tile and form its roots, one token per cycle; ``complete`` until ``move``."""
    LAST = lanes - 1
    held, scan, scan_1, scan_2, scan_3, scan_4, root_valid = [flag() for _ in range(7)]
    index, slot = word(bits_for(lanes)), word(bits_for(lanes))
    held_squares = signal_list(word, SQUARE_BITS, lanes)
    w, mant, q = word(VAR_BITS), word(RSQRT_BITS), word(Q_BITS)
    begins_scan, finished = (take, flag()) if bypass is None else (flag(), flag())
    root = rsqrt_unit(clk, scan_4, w, root_valid, mant, q)
    pace = scan_pace(take, bypass, begins_scan, root_valid, slot, finished, LAST)

    @always_comb
    def decide():
        take.next = full and (move_1 or not held)

    hold = [
        (gated_register(clk, take, sums[i], held_sums[i]), gated_register(clk, take, squares[i], held_squares[i]))
        for i in range(lanes)
    ]

    @always_seq(clk.posedge, reset=aresetn)
    def control():
        scan_1.next = scan
        scan_2.next = scan_1
        scan_3.next = scan_2
        scan_4.next = scan_3
        if take:
            held.next = True
        elif move_1:
            held.next = False
        if begins_scan:
            scan.next = True
        elif scan:
            if index == LAST:
                index.next = 0
                scan.next = False
            else:
                index.next = index + 1
        if move:
            complete.next = False
        if finished:
            complete.next = True
        if root_valid:
            if slot == LAST:
                slot.next = 0
            else:
                slot.next = slot + 1

    variance = form_variance(clk, hidden, eps, scan, scan_1, scan_2, scan_3, index, held_sums, held_squares, w)
    collect = [root_lane(clk, root_valid, slot, mant, q, mants[i], downs[i], i) for i in range(lanes)]

    return root, pace, decide, hold, control, variance, collect


@block
def scan_pace(take, bypass, begins_scan, root_valid, slot, finished, last):
    """``finished``: the tile's last root comes, or with ``bypass`` its sums: then no root is formed. Combinational.

    begins_scan: driven where there is a ``bypass``; without it is ``take``. last: lane of the last root.
    """
    LAST = last
    if bypass is None:

        @always_comb
        def await_roots():
            finished.next = root_valid and slot == LAST

        return await_roots

    @always_comb
    def choose_pace():
        begins_scan.next = take and not bypass
        finished.next = (root_valid and slot == LAST) or (take and bypass)

    return choose_pace


@block
def root_lane(clk, root_valid, slot, mant, q, lane_mant, lane_down, index):
    """The root of lane ``index``, when it comes."""
    INDEX = index
    # Rounding half up needs v >> (q + 15 - LN_FRAC - 1) first.
    DOWN_OFFSET = 15 - LN_FRAC - 1

    @always(clk.posedge)
    def keep():
        if root_valid:
            if slot == INDEX:
                lane_mant.next = mant
                lane_down.next = q + DOWN_OFFSET

    return keep


@block
def normalize_lanes(
    clk, hidden, src_valid, src, move_1, held_sums, mants, downs, dst_valid, dst, saturated, lanes, bypass
):  # fmt: skip
    """Six stages; each takes over a new tile's values one cycle after the stage before it. x waits in a register before
    it is multiplied: it comes straight from a memory."""
    factor, scaling = hidden, ()
    if bypass is not None:
        factor = word(len(hidden))
        scaling = choose_factor(hidden, bypass, factor)
    moves = [move_1, flag(), flag(), flag()]
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    results = signal_list(signed, LN_BITS, lanes)
    clamped = [flag() for _ in range(lanes)]
    works = [
        normalize_lane(
            clk, factor, valids, moves, src, held_sums[i], mants[i], downs[i], results[i], clamped[i], i, bypass
        )
        for i in range(lanes)
    ]  # fmt: skip
    words = pack(results, dst), any_lane(clamped, saturated)
    return scaling, delay_chain(clk, moves), delay_chain(clk, valids), works, words


@block
def choose_factor(hidden, bypass, factor):
    """What x is multiplied by: D, or 1 where it is not normalized. Combinational."""

    @always_comb
    def choose():
        factor.next = hidden
        if bypass:
            factor.next = 1

    return choose


@block
def tile_values(clk, moves, held_sum, mant, down, current_sum, current_mant, current_down, bypass):
    """Take over the values of a new tile; with ``bypass`` those with which a word leaves as it comes: 2 (x - 0) / 2."""
    move_1, move_2, move_3, move_4 = moves
    next_sum = signed(SUM_BITS)  # the held one makes way for that of another tile
    if bypass is None:

        @always(clk.posedge)
        def take_over():
            if move_1:
                next_sum.next = held_sum
            if move_2:
                current_sum.next = next_sum
            if move_3:
                current_mant.next = mant
            if move_4:
                current_down.next = down

        return take_over

    @always(clk.posedge)
    def choose_values():
        if move_1:
            next_sum.next = held_sum
            if bypass:
                next_sum.next = 0
        if move_2:
            current_sum.next = next_sum
        if move_3:
            current_mant.next = mant
            if bypass:
                current_mant.next = 2
        if move_4:
            current_down.next = down
            if bypass:
                current_down.next = 0

    return choose_values


@block
def normalize_lane(clk, factor, valids, moves, src, held_sum, mant, down, result, clamped, index, bypass):
    """Lane ``index``; stage k works when ``valids[k]`` is high."""
    HIGHEST = (1 << (LN_BITS - 1)) - 1
    LOWEST = -(1 << (LN_BITS - 1))
    # Limits of a value that is twice the result before rounding.
    HIGH_HALF = 2 * HIGHEST
    LOW_HALF = 2 * LOWEST - 1
    LOW, HIGH = index * X_BITS, (index + 1) * X_BITS
    valid_0, valid_1, valid_2, valid_3, valid_4, valid_5, _ = valids
    x, x_1 = signed(X_BITS), signed(X_BITS)
    current_sum = signed(SUM_BITS)
    # Signed, with a sign bit of its own, for the product with a signed value.
    current_mant = signed(RSQRT_BITS + 1)
    current_down = word(Q_BITS)
    raised = signed(X_BITS + len(factor))
    centered = signed(CENTERED_BITS)
    scaled, shifted = signed(SCALED_BITS), signed(SCALED_BITS)
    rounded = signed(SCALED_BITS + 1)

    @always_comb
    def read():
        x.next = src[HIGH:LOW].signed()

    values = tile_values(clk, moves, held_sum, mant, down, current_sum, current_mant, current_down, bypass)

    @always(clk.posedge)
    def center():
        if valid_0:
            x_1.next = x
        if valid_1:
            raised.next = factor * x_1
        if valid_2:
            centered.next = raised - current_sum

    @always(clk.posedge)
    def shrink():
        if valid_3:
            scaled.next = centered * current_mant
        if valid_4:
            shifted.next = scaled >> current_down

    @always_comb
    def round_up():
        rounded.next = shifted + 1

    @always(clk.posedge)
    def saturate():
        if valid_5:
            clamped.next = shifted > HIGH_HALF or shifted < LOW_HALF
            if shifted > HIGH_HALF:
                result.next = HIGHEST
            elif shifted < LOW_HALF:
                result.next = LOWEST
            else:
                result.next = rounded >> 1

    return read, values, center, shrink, round_up, saturate
