"""GELU (tanh form) and requantization to int8, R lanes (tokens of one channel) a word.

``u Q5.10 -> index = min(|u| >> 4, 255) -> Phi(|u|) Q1.12 (ROM), 1 - Phi for u < 0 -> u * Phi Q6.22 -half up >> 12->
Q5.10 -*mult (unsigned 10 bit)-> 27 bit -half up >> shift-> int8 saturated to -127 .. 127``.

Shapes: u R x 16 bit, dst R x 8 bit, lane 0 lowest. mult and shift serve every lane and are sampled with ``src_valid``.
Latency: ``LATENCY`` cycles, one word per cycle, no back-pressure; a stage without a word rests.
Rounding: half up (a tie moves toward +infinity). Valid range: any u, shift 1 .. 63 (0 acts as 1).
Source: 0.5 u (1 + tanh(sqrt(2/pi) (u + 0.044715 u**3))), Hendrycks & Gimpel 2016; golden ``model/ops/gelu.py``.
"""

from myhdl import always, always_comb, block

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain, gated_chain
from radit.accel.units.lanes import pack, signal_list
from radit.model.formats import (
    AFTER_BITS,
    INT8_BITS,
    INT8_MAX,
    PHI_ENTRIES,
    PHI_FRAC,
    PHI_STEP_BITS,
    SHIFT_BITS,
    WIDE_BITS,
)
from radit.model.roms import PHI_ROM

LATENCY = 11
MAGNITUDE_BITS = WIDE_BITS  # |-2**15| fits unsigned
INDEX_BITS = (PHI_ENTRIES - 1).bit_length()
PHI_BITS = PHI_FRAC + 2  # 0 .. 1.0 inclusive, and a sign bit
GATED_BITS = WIDE_BITS + PHI_BITS
FACTOR_BITS = AFTER_BITS + 1  # the unsigned multiplier with a sign bit
PRODUCT_BITS = WIDE_BITS + FACTOR_BITS
MULT_STAGES = 7  # stages that mult waits for the rounded u * Phi; shift waits one more


@block
def gelu_unit(clk, src_valid, u, mult, shift, dst_valid, dst, lanes):
    """dst = int8(round(gelu(u) * mult / 2**shift))."""
    valids = [src_valid, *(flag() for _ in range(LATENCY - 1)), dst_valid]
    factors = [mult, *(word(AFTER_BITS) for _ in range(MULT_STAGES))]
    downs = [word(SHIFT_BITS) for _ in range(MULT_STAGES + 2)]
    results = signal_list(signed, INT8_BITS, lanes)
    first_down = downs[0]

    @always_comb
    def lessen():
        first_down.next = 0
        if shift > 0:
            first_down.next = shift - 1

    parameters = (
        gated_chain(clk, valids, factors),
        gated_chain(clk, valids, downs),
    )
    works = [gelu_lane(clk, valids, u, factors[-1], downs[-1], results[i], i) for i in range(lanes)]
    return delay_chain(clk, valids), lessen, parameters, works, pack(results, dst)


@block
def gelu_lane(clk, valids, u, mult, down, result, index):
    """Lane ``index``; stage k works when ``valids[k]`` is high."""
    STEP = PHI_STEP_BITS
    LAST = PHI_ENTRIES - 1
    ONE = 1 << PHI_FRAC
    HALF_DOWN = PHI_FRAC - 1
    LIMIT = INT8_MAX
    LOW, HIGH = index * WIDE_BITS, (index + 1) * WIDE_BITS
    valid_0, valid_1, valid_2, valid_3, valid_4, valid_5, valid_6, valid_7, valid_8, valid_9, valid_10, _ = valids
    u_1, u_2, u_3, u_4 = [signed(WIDE_BITS) for _ in range(4)]
    magnitude = word(MAGNITUDE_BITS)
    entry = word(INDEX_BITS)
    phi = word(PHI_FRAC + 1)
    gate = signed(PHI_BITS)
    gated, gated_half = signed(GATED_BITS), signed(GATED_BITS)
    activated = signed(WIDE_BITS)
    factor = signed(FACTOR_BITS)
    product, shifted = signed(PRODUCT_BITS), signed(PRODUCT_BITS)
    half = signed(PRODUCT_BITS + 1)

    @always(clk.posedge)
    def take_magnitude():
        if valid_0:
            u_1.next = u[HIGH:LOW].signed()
            if u[HIGH:LOW].signed() < 0:
                magnitude.next = -u[HIGH:LOW].signed()
            else:
                magnitude.next = u[HIGH:LOW].signed()

    @always(clk.posedge)
    def take_index():
        if valid_1:
            u_2.next = u_1
            if (magnitude >> STEP) > LAST:
                entry.next = LAST
            else:
                entry.next = magnitude >> STEP

    @always(clk.posedge)
    def look_up():
        if valid_2:
            u_3.next = u_2
            phi.next = PHI_ROM[entry]

    @always(clk.posedge)
    def mirror():
        if valid_3:
            u_4.next = u_3
            if u_3 < 0:
                gate.next = ONE - phi
            else:
                gate.next = phi

    @always(clk.posedge)
    def gate_and_round():
        if valid_4:
            gated.next = u_4 * gate
        if valid_5:
            gated_half.next = (gated >> HALF_DOWN) + 1
        if valid_6:
            activated.next = gated_half >> 1

    @always_comb
    def extend():
        factor.next = mult

    @always(clk.posedge)
    def scale():
        if valid_7:
            product.next = activated * factor
        if valid_8:
            shifted.next = product >> down
        if valid_9:
            half.next = shifted + 1

    @always(clk.posedge)
    def saturate():
        if valid_10:
            if (half >> 1) > LIMIT:
                result.next = LIMIT
            elif (half >> 1) < -LIMIT:
                result.next = -LIMIT
            else:
                result.next = half >> 1

    return take_magnitude, take_index, look_up, mirror, gate_and_round, extend, scale, saturate
