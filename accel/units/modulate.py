"""adaLN modulation and activation quantization, R lanes (tokens of one channel) a word.

``y Q5.10 -*scale 16 bit-> 32 bit -half up >> mod_shift-> + shift Q9.6 -> act Q9.6 saturated 16 bit``;
``act -half up >> ACT_FRAC-> quantized int8 saturated (-127 .. 127)``.

Shapes: y, act R x 16 bit, quantized R x 8 bit, lane 0 lowest; scale, shift and mod_shift belong to the word.
``saturated``: act was clamped in some lane (clamping to int8 is not counted). Latency: ``LATENCY`` cycles, one word per
cycle, no back-pressure. Rounding: half up, as ``((v >> (s-1)) + 1) >> 1``. Valid range: mod_shift 1 .. 63.
Source: golden ``model/ops/modulate.py``.
"""

from myhdl import always, block

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain
from radit.accel.units.lanes import any_lane, pack, signal_list
from radit.model.formats import ACT_BITS, ACT_FRAC, INT8_BITS, INT8_MAX, LN_BITS, MOD_BITS, SHIFT_BITS

LATENCY = 7
PRODUCT_BITS = LN_BITS + MOD_BITS
TOTAL_BITS = PRODUCT_BITS + 1


@block
def modulate_unit(clk, src_valid, y, scale, shift, mod_shift, dst_valid, act, quantized, saturated, lanes):
    """act = round(y * scale / 2**mod_shift) + shift; quantized = round(act / 64)."""
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    valid_0, valid_1, valid_2 = valids[:3]
    down = word(SHIFT_BITS)
    shift_1, shift_2, shift_3 = [signed(MOD_BITS) for _ in range(3)]
    acts = signal_list(signed, ACT_BITS, lanes)
    results = signal_list(signed, INT8_BITS, lanes)
    clamped = [flag() for _ in range(lanes)]
    works = [
        modulate_lane(clk, valids, y, scale, down, shift_3, acts[i], results[i], clamped[i], i) for i in range(lanes)
    ]

    @always(clk.posedge)
    def carry():
        if valid_0:
            shift_1.next = shift
            down.next = 0
            if mod_shift > 0:
                down.next = mod_shift - 1
        if valid_1:
            shift_2.next = shift_1
        if valid_2:
            shift_3.next = shift_2

    words = pack(acts, act), pack(results, quantized), any_lane(clamped, saturated)
    return delay_chain(clk, valids), works, carry, words


@block
def modulate_lane(clk, valids, y, scale, down, shift, act, result, clamped, index):
    """Lane ``index``; stage k works when ``valids[k]`` is high. ``shift`` belongs to stage 3."""
    HIGHEST = (1 << (ACT_BITS - 1)) - 1
    LOWEST = -(1 << (ACT_BITS - 1))
    ROUND_DOWN = ACT_FRAC - 1
    # Limits of act_half = (act >> ROUND_DOWN) + 1, whose last bit is the rounding bit.
    HIGH_HALF = 2 * INT8_MAX + 1
    LOW_HALF = -2 * INT8_MAX
    LIMIT = INT8_MAX
    Y_LOW, Y_HIGH = index * LN_BITS, (index + 1) * LN_BITS
    valid_0, valid_1, valid_2, valid_3, valid_4, valid_5, valid_6, _ = valids
    product, shifted = signed(PRODUCT_BITS), signed(PRODUCT_BITS)
    half = signed(PRODUCT_BITS + 1)
    total = signed(TOTAL_BITS)
    act_5, act_6 = signed(ACT_BITS), signed(ACT_BITS)
    clamped_5, clamped_6 = flag(), flag()
    act_half = signed(ACT_BITS - ROUND_DOWN + 1)

    @always(clk.posedge)
    def multiply():
        if valid_0:
            product.next = y[Y_HIGH:Y_LOW].signed() * scale
        if valid_1:
            shifted.next = product >> down
        if valid_2:
            half.next = shifted + 1
        if valid_3:
            total.next = (half >> 1) + shift

    @always(clk.posedge)
    def saturate():
        if valid_4:
            clamped_5.next = total > HIGHEST or total < LOWEST
            if total > HIGHEST:
                act_5.next = HIGHEST
            elif total < LOWEST:
                act_5.next = LOWEST
            else:
                act_5.next = total

    @always(clk.posedge)
    def quantize():
        if valid_5:
            clamped_6.next = clamped_5
            act_6.next = act_5
            act_half.next = (act_5 >> ROUND_DOWN) + 1
        if valid_6:
            clamped.next = clamped_6
            act.next = act_6
            if act_half > HIGH_HALF:
                result.next = LIMIT
            elif act_half < LOW_HALF:
                result.next = -LIMIT
            else:
                result.next = act_half >> 1

    return multiply, saturate, quantize
