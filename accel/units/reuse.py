"""What a reused sub-block gives to the residual add: a forecast from its last two computed branches, R lanes a word.

``F + ((slope * (F - F') + 128) >> 8)``: ``F - F' int9 -*slope Q3.8-> 20 bit -+F and half-> -cut 8-> saturated -127 ..
127``. Where ``slope`` is 0 the multiplier rests and the branch is F itself.

Shapes: latest F, previous F', branch R x 8 bit, lane 0 lowest; slope belongs to the word. Latency: ``LATENCY`` cycles,
one word per cycle, no back-pressure. Rounding: half up (a tie moves toward +infinity). Valid range: F and F' every int8
but -128, every slope.
Source: golden ``model/ops/reuse.py``.
"""

from myhdl import always, block, concat, intbv

from accel.units.lanes import bit, carry_along, pack, signal_list, signed, steps, unsigned
from model.formats import INT8_BITS, INT8_MAX, SLOPE_BITS, SLOPE_FRAC

LATENCY = 4
STEP_BITS = INT8_BITS + 1
PRODUCT_BITS = STEP_BITS + SLOPE_BITS
WHOLE_BITS = INT8_BITS + SLOPE_FRAC
TOTAL_BITS = PRODUCT_BITS + 1


@block
def reuse_unit(clk, src_valid, latest, previous, slope, dst_valid, branch, lanes):
    """branch = latest + round(slope * (latest - previous) / 256), or latest."""
    valids = [src_valid, *(bit() for _ in range(LATENCY - 1)), dst_valid]
    valid_0 = valids[0]
    moves_1, moves_2 = moves = [bit() for _ in range(2)]
    slope_1 = unsigned(SLOPE_BITS)
    results = signal_list(signed, INT8_BITS, lanes)
    works = [reuse_lane(clk, valids, latest, previous, slope, slope_1, moves, results[i], i) for i in range(lanes)]
    along = carry_along(clk, valids[1:2], [moves_1, moves_2])

    @always(clk.posedge)
    def look():
        if valid_0:
            moves_1.next = slope != 0
            if slope != 0:
                slope_1.next = slope

    return steps(clk, valids), works, along, look, pack(results, branch)


@block
def reuse_lane(clk, valids, latest, previous, slope, slope_1, moves, result, index):
    """Lane ``index``; stage k works when ``valids[k]`` is high."""
    LOW, HIGH = index * INT8_BITS, (index + 1) * INT8_BITS
    LANE, WHOLE, CUT = INT8_BITS, WHOLE_BITS, SLOPE_FRAC
    HALF = 1 << (SLOPE_FRAC - 1)
    HIGHEST, LOWEST = INT8_MAX, -INT8_MAX
    OVER = (INT8_MAX + 1) << SLOPE_FRAC
    UNDER = -INT8_MAX << SLOPE_FRAC
    valid_0, valid_1, valid_2, valid_3, _ = valids
    moves_1, moves_2 = moves
    latest_1 = unsigned(INT8_BITS)
    whole = unsigned(WHOLE_BITS)  # F and the rounding's half, with the slope's fraction bits
    difference = signed(STEP_BITS)
    product = signed(PRODUCT_BITS)
    total = signed(TOTAL_BITS)

    @always(clk.posedge)
    def subtract():
        if valid_0:
            latest_1.next = latest[HIGH:LOW]
            if slope != 0:
                difference.next = latest[HIGH:LOW].signed() - previous[HIGH:LOW].signed()

    @always(clk.posedge)
    def multiply():
        if valid_1:
            whole.next = concat(latest_1[LANE:], intbv(HALF)[CUT:])
            if moves_1:
                product.next = difference * slope_1

    @always(clk.posedge)
    def add():
        if valid_2:
            if moves_2:
                total.next = product + whole[WHOLE:].signed()
            else:
                total.next = whole[WHOLE:].signed()

    @always(clk.posedge)
    def saturate():
        if valid_3:
            if total >= OVER:
                result.next = HIGHEST
            elif total < UNDER:
                result.next = LOWEST
            else:
                result.next = total >> CUT

    return subtract, multiply, add, saturate
