"""adaLN modulation and activation quantization, R lanes (tokens of one channel) a word.

``y Q5.10 -*scale 16 bit-> 32 bit -half up >> mod_shift-> + shift Q9.6 -> act Q9.6 saturated 16 bit``;
``act -half up >> ACT_FRAC-> quantized int8 saturated (-127 .. 127)``.

Shapes: y, act R x 16 bit, quantized R x 8 bit, lane 0 lowest; scale, shift and mod_shift belong to the word.
``saturated``: act was clamped in some lane (clamping to int8 is not counted). Latency: ``LATENCY`` cycles, one word per
cycle, no back-pressure. Rounding: half up, as ``((v >> (s-1)) + 1) >> 1``; of act together with
the shift, ``((v >> (s-1)) + (2 * shift + 1)) >> 1``. Valid range: mod_shift 1 .. 63.
Source: golden ``model/ops/modulate.py``.
"""

from myhdl import always, block, concat

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain
from radit.accel.units.lanes import any_lane, pack, signal_list
from radit.model.formats import ACT_BITS, ACT_FRAC, INT8_BITS, INT8_MAX, LN_BITS, MOD_BITS, SHIFT_BITS

LATENCY = 7
PRODUCT_BITS = LN_BITS + MOD_BITS
LIFTED_BITS = MOD_BITS + 1
TOTAL_BITS = PRODUCT_BITS + 1


@block
def modulate_unit(clk, src_valid, y, scale, shift, mod_shift, dst_valid, act, quantized, saturated, lanes):
    """act = round(y * scale / 2**mod_shift) + shift; quantized = round(act / 64)."""
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    valid_0, valid_1, valid_2 = valids[:3]
    scale_1 = signed(MOD_BITS)
    down_1, down_2 = word(SHIFT_BITS), word(SHIFT_BITS)
    shift_1, shift_2 = signed(MOD_BITS), signed(MOD_BITS)
    lifted = word(LIFTED_BITS)
    acts = signal_list(signed, ACT_BITS, lanes)
    results = signal_list(signed, INT8_BITS, lanes)
    clamped = [flag() for _ in range(lanes)]
    works = [
        modulate_lane(clk, valids, y, scale_1, down_2, lifted, acts[i], results[i], clamped[i], i) for i in range(lanes)
    ]
    WHOLE = MOD_BITS

    @always(clk.posedge)
    def carry():
        if valid_0:
            scale_1.next = scale
            shift_1.next = shift
            down_1.next = 0
            if mod_shift > 0:
                down_1.next = mod_shift - 1
        if valid_1:
            down_2.next = down_1
            shift_2.next = shift_1
        if valid_2:
            lifted.next = concat(shift_2[WHOLE:], True)

    words = pack(acts, act), pack(results, quantized), any_lane(clamped, saturated)
    return delay_chain(clk, valids), works, carry, words


@block
def modulate_lane(clk, valids, y, scale_1, down_2, lifted, act, result, clamped, index):
    """Lane ``index``; stage k works when ``valids[k]`` is high.

    y and scale come from memories and wait in registers before they are multiplied. lifted: the word's shift and behind
    it the half that rounds, at stage 3.
    """
    HIGHEST = (1 << (ACT_BITS - 1)) - 1
    LOWEST = -(1 << (ACT_BITS - 1))
    OVER, UNDER = 2 * (HIGHEST + 1), 2 * LOWEST
    LIFTED = LIFTED_BITS
    ROUND_DOWN = ACT_FRAC - 1
    # Limits of act_half = (act >> ROUND_DOWN) + 1, whose last bit is the rounding bit.
    HIGH_HALF = 2 * INT8_MAX + 1
    LOW_HALF = -2 * INT8_MAX
    LIMIT = INT8_MAX
    Y_LOW, Y_HIGH = index * LN_BITS, (index + 1) * LN_BITS
    valid_0, valid_1, valid_2, valid_3, valid_4, valid_5, valid_6, _ = valids
    y_1 = signed(LN_BITS)
    product, shifted = signed(PRODUCT_BITS), signed(PRODUCT_BITS)
    total = signed(TOTAL_BITS)  # with a bit of fraction
    act_5, act_6 = signed(ACT_BITS), signed(ACT_BITS)
    clamped_5, clamped_6 = flag(), flag()
    act_half = signed(ACT_BITS - ROUND_DOWN + 1)

    @always(clk.posedge)
    def multiply():
        if valid_0:
            y_1.next = y[Y_HIGH:Y_LOW].signed()
        if valid_1:
            product.next = y_1 * scale_1
        if valid_2:
            shifted.next = product >> down_2
        if valid_3:
            total.next = shifted + lifted[LIFTED:].signed()

    @always(clk.posedge)
    def saturate():
        if valid_4:
            clamped_5.next = total >= OVER or total < UNDER
            if total >= OVER:
                act_5.next = HIGHEST
            elif total < UNDER:
                act_5.next = LOWEST
            else:
                act_5.next = total >> 1

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
