"""GELU (tanh form) and requantization to int8, R lanes (tokens of one channel) a word.

``u Q5.10 -> index = min(|u| >> 4, 255) -> Phi(|u|) Q1.12 (ROM), 1 - Phi for u < 0 -> u * Phi Q6.22 -half up >> 12->
Q5.10 -*mult (unsigned 16 bit)-> 33 bit -half up >> shift-> int8 saturated to -127 .. 127``.

Shapes: u R x 16 bit, dst R x 8 bit, lane 0 lowest. mult and shift serve every lane and are sampled with ``src_valid``.
Latency: ``LATENCY`` cycles, one word per cycle, no back-pressure; a stage without a word rests.
Rounding: half up (a tie moves toward +infinity). Valid range: any u, shift 1 .. 63 (0 acts as 1).
Source: 0.5 u (1 + tanh(sqrt(2/pi) (u + 0.044715 u**3))), Hendrycks & Gimpel 2016; golden ``model/ops/gelu.py``.
"""

from myhdl import Signal, always, always_comb, block, concat, intbv

from accel.units.lanes import pack, signal_list, signed, unpack, unsigned
from model.formats import INT8_BITS, INT8_MAX, MULT_BITS, PHI_ENTRIES, PHI_FRAC, PHI_STEP_BITS, SHIFT_BITS, WIDE_BITS
from model.roms import PHI_ROM

LATENCY = 11
MAGNITUDE_BITS = WIDE_BITS  # |-2**15| fits unsigned
INDEX_BITS = (PHI_ENTRIES - 1).bit_length()
PHI_BITS = PHI_FRAC + 2  # 0 .. 1.0 inclusive, and a sign bit
GATED_BITS = WIDE_BITS + PHI_BITS
FACTOR_BITS = MULT_BITS + 1  # the unsigned mantissa with a sign bit
PRODUCT_BITS = WIDE_BITS + FACTOR_BITS
MULT_STAGES = 7  # stages that mult waits for the rounded u * Phi; shift waits one more


@block
def gelu_unit(clk, src_valid, u, mult, shift, dst_valid, dst, lanes):
    """dst = int8(round(gelu(u) * mult / 2**shift))."""
    LANES = lanes
    STEP = PHI_STEP_BITS
    LAST = PHI_ENTRIES - 1
    ONE = 1 << PHI_FRAC
    HALF_DOWN = PHI_FRAC - 1
    LIMIT = INT8_MAX
    TOP = LATENCY - 1
    MULT_AT = MULT_STAGES - 1
    SHIFT_AT = MULT_STAGES
    u_in, u_1, u_2, u_3, u_4 = [signal_list(signed, WIDE_BITS, lanes) for _ in range(5)]
    magnitude = signal_list(unsigned, MAGNITUDE_BITS, lanes)
    index = signal_list(unsigned, INDEX_BITS, lanes)
    phi = signal_list(unsigned, PHI_FRAC + 1, lanes)
    gate = signal_list(signed, PHI_BITS, lanes)
    gated = signal_list(signed, GATED_BITS, lanes)
    gated_half = signal_list(signed, GATED_BITS, lanes)
    activated = signal_list(signed, WIDE_BITS, lanes)
    product = signal_list(signed, PRODUCT_BITS, lanes)
    shifted = signal_list(signed, PRODUCT_BITS, lanes)
    half = signal_list(signed, PRODUCT_BITS + 1, lanes)
    result = signal_list(signed, INT8_BITS, lanes)
    factor = signal_list(signed, FACTOR_BITS, MULT_STAGES)
    down = signal_list(unsigned, SHIFT_BITS, MULT_STAGES + 1)
    valid = Signal(intbv(0)[LATENCY:])  # bit k: stage k + 1 holds a word
    words = unpack(u, u_in, signed=True), pack(result, dst)

    @always(clk.posedge)
    def advance():
        valid.next = concat(valid[TOP:], src_valid)

    @always_comb
    def leave():
        dst_valid.next = valid[TOP]

    @always(clk.posedge)
    def carry_parameters():
        if src_valid:
            factor[0].next = mult
            down[0].next = 0
            if shift > 0:
                down[0].next = shift - 1
        for k in range(MULT_AT):
            if valid[k]:
                factor[k + 1].next = factor[k]
        for k in range(SHIFT_AT):
            if valid[k]:
                down[k + 1].next = down[k]

    @always(clk.posedge)
    def take_magnitude():
        if src_valid:
            for i in range(LANES):
                u_1[i].next = u_in[i]
                if u_in[i] < 0:
                    magnitude[i].next = -u_in[i]
                else:
                    magnitude[i].next = u_in[i]

    @always(clk.posedge)
    def take_index():
        if valid[0]:
            for i in range(LANES):
                u_2[i].next = u_1[i]
                if (magnitude[i] >> STEP) > LAST:
                    index[i].next = LAST
                else:
                    index[i].next = magnitude[i] >> STEP

    @always(clk.posedge)
    def look_up():
        if valid[1]:
            for i in range(LANES):
                u_3[i].next = u_2[i]
                phi[i].next = PHI_ROM[index[i]]

    @always(clk.posedge)
    def mirror():
        if valid[2]:
            for i in range(LANES):
                u_4[i].next = u_3[i]
                if u_3[i] < 0:
                    gate[i].next = ONE - phi[i]
                else:
                    gate[i].next = phi[i]

    @always(clk.posedge)
    def gate_and_round():
        if valid[3]:
            for i in range(LANES):
                gated[i].next = u_4[i] * gate[i]
        if valid[4]:
            for i in range(LANES):
                gated_half[i].next = (gated[i] >> HALF_DOWN) + 1
        if valid[5]:
            for i in range(LANES):
                activated[i].next = gated_half[i] >> 1

    @always(clk.posedge)
    def scale():
        if valid[6]:
            for i in range(LANES):
                product[i].next = activated[i] * factor[MULT_AT]
        if valid[7]:
            for i in range(LANES):
                shifted[i].next = product[i] >> down[SHIFT_AT]
        if valid[8]:
            for i in range(LANES):
                half[i].next = shifted[i] + 1

    @always(clk.posedge)
    def saturate():
        if valid[9]:
            for i in range(LANES):
                if (half[i] >> 1) > LIMIT:
                    result[i].next = LIMIT
                elif (half[i] >> 1) < -LIMIT:
                    result[i].next = -LIMIT
                else:
                    result[i].next = half[i] >> 1

    return (
        words, advance, leave, carry_parameters, take_magnitude, take_index, look_up, mirror, gate_and_round, scale,
        saturate,
    )  # fmt: skip
