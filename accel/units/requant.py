"""Requantization of drained accumulators, R lanes (tokens of one channel, or of one attention row) a word.

``acc Q31.0 -+bias-> 33 bit -*mult (unsigned 16 bit)-> 50 bit -half up >> shift-> Q15.0 saturated (wide)
-> int8 saturated to -127 .. 127 (narrow)``.

Shapes: acc R x 32 bit, wide R x 16 bit, narrow R x 8 bit, saturated R x 1 bit (the lane was clamped to 16 bit; clamping
to int8 is not told), lane 0 lowest. ``per_token`` low: bias, mult and shift serve
every lane of the word (per channel). High: bias counts as 0 and each lane has its own ``token_mult`` (R x 16 bit) and
``token_shift`` (R x 6 bit). All parameters are sampled together with ``src_valid``.
Latency: ``LATENCY`` cycles for all outputs, one word per cycle, no back-pressure; a stage without a word rests.
Rounding: half up (a tie moves toward +infinity), as ``((p >> (s-1)) + 1) >> 1``. Valid range: shift 1 .. 63 (0 acts as
1), any acc, bias and mult. Source: golden ``model/ops/requant.py``.
"""

from myhdl import always, block

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain
from radit.accel.units.lanes import pack, signal_list
from radit.model.formats import ACC_BITS, BIAS_BITS, INT8_BITS, INT8_MAX, MULT_BITS, SHIFT_BITS, WIDE_BITS

LATENCY = 5
TOTAL_BITS = max(ACC_BITS, BIAS_BITS) + 1
FACTOR_BITS = MULT_BITS + 1  # the unsigned mantissa with a sign bit
PRODUCT_BITS = TOTAL_BITS + FACTOR_BITS


@block
def requant_unit(
    clk, src_valid, acc, bias, mult, shift, per_token, token_mult, token_shift, dst_valid, wide, narrow, saturated,
    lanes,
):  # fmt: skip
    """wide, narrow = saturate(round((acc + bias) * mult / 2**shift))."""
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    wides = signal_list(signed, WIDE_BITS, lanes)
    narrows = signal_list(signed, INT8_BITS, lanes)
    clamped = [flag() for _ in range(lanes)]
    works = [
        requant_lane(
            clk, valids, acc, bias, mult, shift, per_token, token_mult, token_shift, wides[i], narrows[i], clamped[i], i
        )
        for i in range(lanes)
    ]
    return delay_chain(clk, valids), works, pack(wides, wide), pack(narrows, narrow), pack(clamped, saturated)


@block
def requant_lane(
    clk, valids, acc, bias, mult, shift, per_token, token_mult, token_shift, wide, narrow, clamped, index
):  # fmt: skip
    """Lane ``index``; stage k works when ``valids[k]`` is high."""
    HIGHEST = (1 << (WIDE_BITS - 1)) - 1
    LOWEST = -(1 << (WIDE_BITS - 1))
    LIMIT = INT8_MAX
    ACC_LOW, ACC_HIGH = index * ACC_BITS, (index + 1) * ACC_BITS
    MULT_LOW, MULT_HIGH = index * MULT_BITS, (index + 1) * MULT_BITS
    SHIFT_LOW, SHIFT_HIGH = index * SHIFT_BITS, (index + 1) * SHIFT_BITS
    valid_0, valid_1, valid_2, valid_3, valid_4, _ = valids
    total = signed(TOTAL_BITS)
    factor = signed(FACTOR_BITS)
    down_1, down_2 = word(SHIFT_BITS), word(SHIFT_BITS)
    product, shifted = signed(PRODUCT_BITS), signed(PRODUCT_BITS)
    half = signed(PRODUCT_BITS + 1)

    @always(clk.posedge)
    def choose_and_add():
        if valid_0:
            down_1.next = 0
            if per_token:
                total.next = acc[ACC_HIGH:ACC_LOW].signed()
                factor.next = token_mult[MULT_HIGH:MULT_LOW]
                if token_shift[SHIFT_HIGH:SHIFT_LOW] > 0:
                    down_1.next = token_shift[SHIFT_HIGH:SHIFT_LOW] - 1
            else:
                total.next = acc[ACC_HIGH:ACC_LOW].signed() + bias
                factor.next = mult
                if shift > 0:
                    down_1.next = shift - 1

    @always(clk.posedge)
    def multiply():
        if valid_1:
            product.next = total * factor
            down_2.next = down_1

    @always(clk.posedge)
    def shift_down():
        if valid_2:
            shifted.next = product >> down_2

    @always(clk.posedge)
    def add_half():
        if valid_3:
            half.next = shifted + 1

    @always(clk.posedge)
    def saturate():
        if valid_4:
            clamped.next = (half >> 1) > HIGHEST or (half >> 1) < LOWEST
            if (half >> 1) > HIGHEST:
                wide.next = HIGHEST
            elif (half >> 1) < LOWEST:
                wide.next = LOWEST
            else:
                wide.next = half >> 1
            if (half >> 1) > LIMIT:
                narrow.next = LIMIT
            elif (half >> 1) < -LIMIT:
                narrow.next = -LIMIT
            else:
                narrow.next = half >> 1

    return choose_and_add, multiply, shift_down, add_half, saturate
