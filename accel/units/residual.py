"""Gated residual add, R lanes (tokens of one channel) a word.

``branch int8 -*gate Q15.0-> 24 bit -half up >> gate_shift-> + x Q15.0 + offset Q15.0 -> saturated 16 bit``; with
``use_branch`` low x passes through and the multiplier rests. With ``joins`` high x is added to the result of the word
before, or subtracted from it where ``subtracts`` is high, 16 bit saturated: contexts and their difference.

Shapes: x, dst R x 16 bit, branch R x 8 bit, lane 0 lowest; use_branch, joins (never both), subtracts, gate, gate_shift
and offset (16 bit, the same for all lanes; without the port 0) belong to the word. ``saturated``: some lane of the word
was clamped. Latency: ``LATENCY`` cycles, one word per cycle, no back-pressure.
Rounding: half up (a tie moves toward +infinity), as ``((p >> (s-1)) + 1) >> 1``. The rounding adder takes the offset:
``((p >> (s-1)) + 2 offset + 1) >> 1`` is the rounded product plus it. Valid range: gate_shift 1 .. 63.
Source: golden ``model/ops/residual.py``.
"""

from myhdl import always, always_comb, block

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain
from radit.accel.units.lanes import any_lane, pack, signal_list
from radit.model.formats import GATE_BITS, INT8_BITS, SHIFT_BITS, X_BITS

LATENCY = 5
PRODUCT_BITS = INT8_BITS + GATE_BITS
TOTAL_BITS = PRODUCT_BITS + 1
ROUNDING_BITS = X_BITS + 2


@block
def residual_unit(
    clk, src_valid, x, branch, use_branch, joins, subtracts, gate, gate_shift, dst_valid, dst, saturated, lanes,
    offset=None,
):  # fmt: skip
    """dst = x + round(branch * gate / 2**gate_shift) + offset, or x, or the dst before + x, or - x."""
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    valid_0, valid_1, valid_2 = valids[:3]
    use_1, use_2, use_3 = uses = [flag() for _ in range(3)]
    join_1, join_2, join_3 = [flag() for _ in range(3)]
    minus_1, minus_2, minus_3 = [flag() for _ in range(3)]
    down = word(SHIFT_BITS)
    results = signal_list(signed, X_BITS, lanes)
    clamped = [flag() for _ in range(lanes)]
    rounding = 1 if offset is None else signed(ROUNDING_BITS)
    works = [
        residual_lane(
            clk, valids, x, branch, use_branch, uses, join_3, minus_3, gate, down, rounding, results[i], clamped[i], i
        )
        for i in range(lanes)
    ]
    carried = () if offset is None else carry_offset(clk, valid_0, valid_1, use_branch, use_1, offset, rounding)

    @always(clk.posedge)
    def carry():
        if valid_0:
            use_1.next = use_branch
            join_1.next = joins
            minus_1.next = subtracts
            if use_branch:
                down.next = 0
                if gate_shift > 0:
                    down.next = gate_shift - 1
        if valid_1:
            use_2.next = use_1
            join_2.next = join_1
            minus_2.next = minus_1
        if valid_2:
            use_3.next = use_2
            join_3.next = join_2
            minus_3.next = minus_2

    return delay_chain(clk, valids), works, carried, carry, pack(results, dst), any_lane(clamped, saturated)


@block
def carry_offset(clk, valid_0, valid_1, use_0, use_1, offset, rounding):
    """``rounding`` is ``2 offset + 1``, beside the shifted product of its word."""
    offset_1 = signed(X_BITS)
    doubled = signed(ROUNDING_BITS)

    @always_comb
    def double():
        doubled.next = offset_1 + offset_1

    @always(clk.posedge)
    def carry():
        if valid_0 and use_0:
            offset_1.next = offset
        if valid_1 and use_1:
            rounding.next = doubled + 1

    return double, carry


@block
def residual_lane(clk, valids, x, branch, use_0, uses, join_3, minus_3, gate, down, rounding, result, clamped, index):
    """Lane ``index``; stage k works when ``valids[k]`` is high. ``total`` stays until the next word's sum: that word
    may build on it. One adder serves all: ``a - x`` is ``~(~a + x)``. rounding: 1, or what carries an offset."""
    HIGHEST = (1 << (X_BITS - 1)) - 1
    LOWEST = -(1 << (X_BITS - 1))
    X_LOW, X_HIGH = index * X_BITS, (index + 1) * X_BITS
    BRANCH_LOW, BRANCH_HIGH = index * INT8_BITS, (index + 1) * INT8_BITS
    valid_0, valid_1, valid_2, valid_3, valid_4, _ = valids
    use_1, use_2, use_3 = uses
    x_1, x_2, x_3 = [signed(X_BITS) for _ in range(3)]
    product, shifted = signed(PRODUCT_BITS), signed(PRODUCT_BITS)
    half = signed(PRODUCT_BITS + 1)
    total = signed(TOTAL_BITS)
    limited, beyond = signed(X_BITS), flag()
    addend, exact = signed(PRODUCT_BITS), signed(TOTAL_BITS)

    @always(clk.posedge)
    def multiply():
        if valid_0:
            x_1.next = x[X_HIGH:X_LOW].signed()
            if use_0:
                product.next = branch[BRANCH_HIGH:BRANCH_LOW].signed() * gate

    @always(clk.posedge)
    def shift_down():
        if valid_1:
            x_2.next = x_1
            if use_1:
                shifted.next = product >> down
        if valid_2:
            x_3.next = x_2
            if use_2:
                half.next = shifted + rounding

    @always_comb
    def limit():
        beyond.next = total > HIGHEST or total < LOWEST
        if total > HIGHEST:
            limited.next = HIGHEST
        elif total < LOWEST:
            limited.next = LOWEST
        else:
            limited.next = total

    @always_comb
    def choose_addend():
        addend.next = 0
        if join_3:
            if minus_3:
                addend.next = ~limited
            else:
                addend.next = limited
        elif use_3:
            addend.next = half >> 1

    @always_comb
    def sum_up():
        exact.next = x_3 + addend

    @always(clk.posedge)
    def add():
        if valid_3:
            if minus_3 and join_3:
                total.next = ~exact
            else:
                total.next = exact

    @always(clk.posedge)
    def saturate():
        if valid_4:
            clamped.next = beyond
            result.next = limited

    return multiply, shift_down, limit, choose_addend, sum_up, add, saturate
