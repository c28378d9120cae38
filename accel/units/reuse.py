"""What a reuse gives: a forecast from the last two computed branches, or streams, R lanes a word.

``F + ((slope * (F - F') + 128) >> 8)``: ``F - F' int17 -*slope Q3.8-> 28 bit -+F and half-> -cut 8-> saturated``, with
``is_stream`` low (a branch) to -127 .. 127, with it high (a stream) to 16 bit. Where ``slope`` is 0 the multiplier
rests and the result is F itself.

Shapes: latest F, previous F' R x 16 bit, of a branch R x 8 bit in the lower half; stream R x 16 bit, branch R x 8 bit,
lane 0 lowest; slope belongs to the word, ``is_stream`` stands still while words are under way. Latency: ``LATENCY``
cycles, one word per cycle, no back-pressure. Rounding: half up (a tie moves toward +infinity). Valid range: of a branch
every int8 but -128, of a stream every value; every slope.
Source: golden ``model/ops/reuse.py``.
"""

from myhdl import always, always_comb, block, concat, intbv

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain, gated_chain
from radit.accel.units.lanes import pack, signal_list
from radit.model.formats import INT8_BITS, INT8_MAX, SLOPE_BITS, SLOPE_FRAC, X_BITS

LATENCY = 4
STEP_BITS = X_BITS + 1
PRODUCT_BITS = STEP_BITS + SLOPE_BITS
LIFTED_BITS = X_BITS + SLOPE_FRAC
TOTAL_BITS = PRODUCT_BITS + 1


@block
def reuse_unit(clk, src_valid, latest, previous, slope, is_stream, dst_valid, stream, branch, lanes):
    """latest + round(slope * (latest - previous) / 256), or latest, as ``stream`` or as ``branch``."""
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    valid_0 = valids[0]
    moves_1, moves_2 = moves = [flag() for _ in range(2)]
    slope_1 = word(SLOPE_BITS)
    results, branches = signal_list(signed, X_BITS, lanes), signal_list(signed, INT8_BITS, lanes)
    works = [
        reuse_lane(clk, valids, latest, previous, slope, is_stream, slope_1, moves, results[i], branches[i], i)
        for i in range(lanes)
    ]
    along = gated_chain(clk, valids[1:2], [moves_1, moves_2])

    @always(clk.posedge)
    def look():
        if valid_0:
            moves_1.next = slope != 0
            if slope != 0:
                slope_1.next = slope

    return delay_chain(clk, valids), works, along, look, pack(results, stream), pack(branches, branch)


@block
def reuse_lane(clk, valids, latest, previous, slope, is_stream, slope_1, moves, result, branch, index):
    """Lane ``index``; stage k works when ``valids[k]`` is high."""
    LOW, HIGH = index * INT8_BITS, (index + 1) * INT8_BITS
    X_LOW, X_HIGH = index * X_BITS, (index + 1) * X_BITS
    LANE, BRANCH, LIFTED, CUT = X_BITS, INT8_BITS, LIFTED_BITS, SLOPE_FRAC
    HALF = 1 << (SLOPE_FRAC - 1)
    HIGHEST, LOWEST = INT8_MAX, -INT8_MAX
    OVER = (INT8_MAX + 1) << SLOPE_FRAC
    UNDER = -INT8_MAX << SLOPE_FRAC
    X_HIGHEST, X_LOWEST = (1 << (X_BITS - 1)) - 1, -(1 << (X_BITS - 1))
    X_OVER, X_UNDER = 1 << (X_BITS - 1 + SLOPE_FRAC), -(1 << (X_BITS - 1 + SLOPE_FRAC))
    valid_0, valid_1, valid_2, valid_3, _ = valids
    moves_1, moves_2 = moves
    latest_1 = signed(X_BITS)
    lifted = word(LIFTED_BITS)  # F and the rounding's half, with the slope's fraction bits
    difference = signed(STEP_BITS)
    product = signed(PRODUCT_BITS)
    total = signed(TOTAL_BITS)

    @always(clk.posedge)
    def subtract():
        if valid_0:
            if is_stream:
                latest_1.next = latest[X_HIGH:X_LOW].signed()
                if slope != 0:
                    difference.next = latest[X_HIGH:X_LOW].signed() - previous[X_HIGH:X_LOW].signed()
            else:
                latest_1.next = latest[HIGH:LOW].signed()
                if slope != 0:
                    difference.next = latest[HIGH:LOW].signed() - previous[HIGH:LOW].signed()

    @always(clk.posedge)
    def multiply():
        if valid_1:
            lifted.next = concat(latest_1[LANE:], intbv(HALF)[CUT:])
            if moves_1:
                product.next = difference * slope_1

    @always(clk.posedge)
    def add():
        if valid_2:
            if moves_2:
                total.next = product + lifted[LIFTED:].signed()
            else:
                total.next = lifted[LIFTED:].signed()

    @always(clk.posedge)
    def saturate():
        if valid_3:
            if is_stream:
                if total >= X_OVER:
                    result.next = X_HIGHEST
                elif total < X_UNDER:
                    result.next = X_LOWEST
                else:
                    result.next = total >> CUT
            elif total >= OVER:
                result.next = HIGHEST
            elif total < UNDER:
                result.next = LOWEST
            else:
                result.next = total >> CUT

    @always_comb
    def narrow():
        branch.next = result[BRANCH:].signed()

    return subtract, multiply, add, saturate, narrow
