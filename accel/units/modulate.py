"""adaLN modulation and activation quantization, R lanes (tokens of one channel) a word.

``y Q5.10 -*scale 16 bit-> 32 bit -half up >> mod_shift-> + shift Q9.6 -> act Q9.6 saturated 16 bit``;
``act -half up >> ACT_FRAC-> quantized int8 saturated (-127 .. 127)``.

Shapes: y, act R x 16 bit, quantized R x 8 bit, lane 0 lowest; scale, shift and mod_shift belong to the word.
``saturated``: act was clamped in some lane (clamping to int8 is not counted). Latency: ``LATENCY`` cycles, one word per
cycle, no back-pressure. Rounding: half up, as ``((v >> (s-1)) + 1) >> 1``. Valid range: mod_shift 1 .. 63.
Source: golden ``model/ops/modulate.py``.
"""

from myhdl import Signal, always, block

from accel.units.lanes import pack, signal_list, signed, unpack, unsigned
from model.formats import ACT_BITS, ACT_FRAC, INT8_BITS, INT8_MAX, LN_BITS, MOD_BITS, SHIFT_BITS

LATENCY = 7
PRODUCT_BITS = LN_BITS + MOD_BITS
TOTAL_BITS = PRODUCT_BITS + 1


@block
def modulate_unit(clk, src_valid, y, scale, shift, mod_shift, dst_valid, act, quantized, saturated, lanes):
    """act = round(y * scale / 2**mod_shift) + shift; quantized = round(act / 64)."""
    valid = Signal(bool(0))
    act_wide = signal_list(signed, ACT_BITS, lanes)
    act_saturated = Signal(bool(0))
    affine = affine_lanes(clk, src_valid, y, scale, shift, mod_shift, valid, act_wide, act_saturated, lanes)
    quantize = quantize_lanes(clk, valid, act_wide, act_saturated, dst_valid, act, quantized, saturated, lanes)
    return affine, quantize


@block
def affine_lanes(clk, src_valid, y, scale, shift, mod_shift, dst_valid, result, saturated, lanes):
    """Five stages: multiply, shift, half, add, saturate."""
    LANES = lanes
    HIGHEST = (1 << (ACT_BITS - 1)) - 1
    LOWEST = -(1 << (ACT_BITS - 1))
    valid_1, valid_2, valid_3, valid_4 = [Signal(bool(0)) for _ in range(4)]
    down = unsigned(SHIFT_BITS)
    shift_1, shift_2, shift_3 = [signed(MOD_BITS) for _ in range(3)]
    y_in = signal_list(signed, LN_BITS, lanes)
    product = signal_list(signed, PRODUCT_BITS, lanes)
    shifted = signal_list(signed, PRODUCT_BITS, lanes)
    half = signal_list(signed, PRODUCT_BITS + 1, lanes)
    total = signal_list(signed, TOTAL_BITS, lanes)
    words = unpack(y, y_in, signed=True)

    @always(clk.posedge)
    def multiply():
        valid_1.next = src_valid
        if src_valid:
            shift_1.next = shift
            down.next = 0
            if mod_shift > 0:
                down.next = mod_shift - 1
            for i in range(LANES):
                product[i].next = y_in[i] * scale

    @always(clk.posedge)
    def shift_down():
        valid_2.next = valid_1
        valid_3.next = valid_2
        if valid_1:
            shift_2.next = shift_1
            for i in range(LANES):
                shifted[i].next = product[i] >> down
        if valid_2:
            shift_3.next = shift_2
            for i in range(LANES):
                half[i].next = shifted[i] + 1

    @always(clk.posedge)
    def add():
        valid_4.next = valid_3
        if valid_3:
            for i in range(LANES):
                total[i].next = (half[i] >> 1) + shift_3

    @always(clk.posedge)
    def saturate():
        lane_clamped = False
        dst_valid.next = valid_4
        if valid_4:
            for i in range(LANES):
                if total[i] > HIGHEST:
                    result[i].next = HIGHEST
                    lane_clamped = True
                elif total[i] < LOWEST:
                    result[i].next = LOWEST
                    lane_clamped = True
                else:
                    result[i].next = total[i]
            saturated.next = lane_clamped

    return words, multiply, shift_down, add, saturate


@block
def quantize_lanes(clk, src_valid, src, src_saturated, dst_valid, act, quantized, saturated, lanes):
    """Two stages: half, saturate; ``act`` and ``saturated`` travel along."""
    LANES = lanes
    DOWN = ACT_FRAC - 1
    # Limits of half = (act >> DOWN) + 1, whose last bit is the rounding bit.
    HIGH_HALF = 2 * INT8_MAX + 1
    LOW_HALF = -2 * INT8_MAX
    valid_1 = Signal(bool(0))
    saturated_1 = Signal(bool(0))
    act_1 = signal_list(signed, ACT_BITS, lanes)
    act_2 = signal_list(signed, ACT_BITS, lanes)
    half = signal_list(signed, ACT_BITS - DOWN + 1, lanes)
    result = signal_list(signed, INT8_BITS, lanes)
    words = pack(act_2, act), pack(result, quantized)

    @always(clk.posedge)
    def round_up():
        valid_1.next = src_valid
        if src_valid:
            saturated_1.next = src_saturated
            for i in range(LANES):
                act_1[i].next = src[i]
                half[i].next = (src[i] >> DOWN) + 1

    @always(clk.posedge)
    def saturate():
        dst_valid.next = valid_1
        if valid_1:
            saturated.next = saturated_1
            for i in range(LANES):
                act_2[i].next = act_1[i]
                if half[i] > HIGH_HALF:
                    result[i].next = INT8_MAX
                elif half[i] < LOW_HALF:
                    result[i].next = -INT8_MAX
                else:
                    result[i].next = half[i] >> 1

    return words, round_up, saturate
