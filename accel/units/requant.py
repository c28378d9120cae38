"""Requantization of drained accumulators, R lanes (tokens of one channel, or of one attention row) a word.

``acc Q31.0 -+bias-> 33 bit -*mult (unsigned 16 bit)-> 50 bit -half up >> shift-> Q15.0 saturated (wide)
-> int8 saturated to -127 .. 127 (narrow)``.

Shapes: acc R x 32 bit, wide R x 16 bit, narrow R x 8 bit, lane 0 lowest. ``per_token`` low: bias, mult and shift serve
every lane of the word (per channel). High: bias counts as 0 and each lane has its own ``token_mult`` (R x 16 bit) and
``token_shift`` (R x 6 bit). All parameters are sampled together with ``src_valid``.
Latency: ``LATENCY`` cycles for both outputs, one word per cycle, no back-pressure; a stage without a word rests.
Rounding: half up (a tie moves toward +infinity), as ``((p >> (s-1)) + 1) >> 1``. Valid range: shift 1 .. 63 (0 acts as
1), any acc, bias and mult. Source: golden ``model/ops/requant.py``.
"""

from myhdl import Signal, always, block

from accel.units.lanes import pack, signal_list, signed, unpack, unsigned
from model.formats import ACC_BITS, BIAS_BITS, INT8_BITS, INT8_MAX, MULT_BITS, SHIFT_BITS, WIDE_BITS

LATENCY = 5
TOTAL_BITS = max(ACC_BITS, BIAS_BITS) + 1
FACTOR_BITS = MULT_BITS + 1  # the unsigned mantissa with a sign bit
PRODUCT_BITS = TOTAL_BITS + FACTOR_BITS


@block
def requant_unit(
    clk, src_valid, acc, bias, mult, shift, per_token, token_mult, token_shift, dst_valid, wide, narrow, lanes
):  # fmt: skip
    """wide, narrow = saturate(round((acc + bias) * mult / 2**shift))."""
    LANES = lanes
    HIGHEST = (1 << (WIDE_BITS - 1)) - 1
    LOWEST = -(1 << (WIDE_BITS - 1))
    LIMIT = INT8_MAX
    acc_in = signal_list(signed, ACC_BITS, lanes)
    token_mult_in = signal_list(unsigned, MULT_BITS, lanes)
    token_shift_in = signal_list(unsigned, SHIFT_BITS, lanes)
    total = signal_list(signed, TOTAL_BITS, lanes)
    factor = signal_list(signed, FACTOR_BITS, lanes)
    down_1, down_2 = [signal_list(unsigned, SHIFT_BITS, lanes) for _ in range(2)]
    product = signal_list(signed, PRODUCT_BITS, lanes)
    shifted = signal_list(signed, PRODUCT_BITS, lanes)
    half = signal_list(signed, PRODUCT_BITS + 1, lanes)
    rounded_wide = signal_list(signed, WIDE_BITS, lanes)
    rounded_narrow = signal_list(signed, INT8_BITS, lanes)
    valid_1, valid_2, valid_3, valid_4 = [Signal(bool(0)) for _ in range(4)]
    words = (
        unpack(acc, acc_in, signed=True),
        unpack(token_mult, token_mult_in, signed=False),
        unpack(token_shift, token_shift_in, signed=False),
        pack(rounded_wide, wide),
        pack(rounded_narrow, narrow),
    )

    @always(clk.posedge)
    def choose_and_add():
        valid_1.next = src_valid
        if src_valid:
            for i in range(LANES):
                down_1[i].next = 0
                if per_token:
                    total[i].next = acc_in[i]
                    factor[i].next = token_mult_in[i]
                    if token_shift_in[i] > 0:
                        down_1[i].next = token_shift_in[i] - 1
                else:
                    total[i].next = acc_in[i] + bias
                    factor[i].next = mult
                    if shift > 0:
                        down_1[i].next = shift - 1

    @always(clk.posedge)
    def multiply():
        valid_2.next = valid_1
        if valid_1:
            for i in range(LANES):
                product[i].next = total[i] * factor[i]
                down_2[i].next = down_1[i]

    @always(clk.posedge)
    def shift_down():
        valid_3.next = valid_2
        if valid_2:
            for i in range(LANES):
                shifted[i].next = product[i] >> down_2[i]

    @always(clk.posedge)
    def add_half():
        valid_4.next = valid_3
        if valid_3:
            for i in range(LANES):
                half[i].next = shifted[i] + 1

    @always(clk.posedge)
    def saturate():
        dst_valid.next = valid_4
        if valid_4:
            for i in range(LANES):
                if (half[i] >> 1) > HIGHEST:
                    rounded_wide[i].next = HIGHEST
                elif (half[i] >> 1) < LOWEST:
                    rounded_wide[i].next = LOWEST
                else:
                    rounded_wide[i].next = half[i] >> 1
                if (half[i] >> 1) > LIMIT:
                    rounded_narrow[i].next = LIMIT
                elif (half[i] >> 1) < -LIMIT:
                    rounded_narrow[i].next = -LIMIT
                else:
                    rounded_narrow[i].next = half[i] >> 1

    return words, choose_and_add, multiply, shift_down, add_half, saturate
