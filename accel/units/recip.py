"""Reciprocal of a positive integer times a gain, one per cycle: ``gain / s ~ mant * 2**-shift``.

``s -> n = bit length, m = s << (20 - n) Q0.20 in [1/2, 1) -> 128-entry seed Q1.15 (ROM) -> one Newton step
r (2 - m r), truncated to Q1.15 and clamped to 16 bit -*gain (16 bit)-> >> 16 (truncated) -> mant 16 bit``;
``shift = n + gain_shift - 1``.

Scalar: s 20 bit, gain 16 bit, gain_shift 6 bit, all sampled with ``src_valid``; mant 16 bit, shift 6 bit.
Latency: ``LATENCY`` cycles, one result per cycle, no back-pressure; a stage without a value rests.
Valid range: 1 <= s < 2**20, and ``n + gain_shift - 1 <= 63`` (n <= 20: any gain_shift 1 .. 44).
Source: Newton-Raphson on ``1/r - m``; golden ``model/ops/recip.py``.
"""

from myhdl import Signal, always, always_comb, block, concat, intbv

from accel.units.lanes import signal_list, unsigned
from model.formats import MULT_BITS, PROB_SUM_BITS, RECIP_BITS, SHIFT_BITS
from model.roms import RECIP_FIRST, RECIP_ROM

LATENCY = 10
LENGTH_BITS = PROB_SUM_BITS.bit_length()
SEED_BITS = RECIP_BITS
INDEX_BITS = (RECIP_FIRST - 1).bit_length()
FRAC = RECIP_BITS - 1
CORRECTION_BITS = RECIP_BITS + 1
NEWTON_BITS = SEED_BITS + CORRECTION_BITS
LAST_STAGE = LATENCY - 1


@block
def recip_unit(clk, src_valid, s, gain, gain_shift, dst_valid, mant, shift):
    """mant, shift = gain / s as a normalized mantissa and a right shift."""
    TOP = LATENCY - 1
    BITS = PROB_SUM_BITS
    INDEX_HIGH = PROB_SUM_BITS - 1
    INDEX_LOW = INDEX_HIGH - INDEX_BITS
    FULL_HIGH = PROB_SUM_BITS + SEED_BITS
    TWO = 2 << FRAC
    HIGHEST = (1 << RECIP_BITS) - 1
    GAIN_HIGH = RECIP_BITS + MULT_BITS
    GAIN_LOW = MULT_BITS
    valid = Signal(intbv(0)[LATENCY:])  # bit k: stage k + 1 holds a value
    length = signal_list(unsigned, LENGTH_BITS, LAST_STAGE)
    gains = signal_list(unsigned, MULT_BITS, LAST_STAGE - 1)
    gain_shifts = signal_list(unsigned, SHIFT_BITS, LAST_STAGE)
    up = unsigned(LENGTH_BITS)
    s_1, m_2, m_3, m_4 = [unsigned(PROB_SUM_BITS) for _ in range(4)]
    index = unsigned(INDEX_BITS)
    seed_4, seed_5, seed_6 = [unsigned(SEED_BITS) for _ in range(3)]
    full = unsigned(FULL_HIGH)
    correction = unsigned(CORRECTION_BITS)
    refined = unsigned(NEWTON_BITS)
    root = unsigned(RECIP_BITS)
    scaled = unsigned(GAIN_HIGH)

    @always(clk.posedge)
    def advance():
        valid.next = concat(valid[TOP:], src_valid)

    @always_comb
    def leave():
        dst_valid.next = valid[TOP]

    @always(clk.posedge)
    def carry():
        if src_valid:
            gains[0].next = gain
            gain_shifts[0].next = gain_shift
            for i in range(BITS):
                if s[i]:
                    length[0].next = i + 1
        for k in range(TOP - 2):
            if valid[k]:
                gains[k + 1].next = gains[k]
        for k in range(TOP - 1):
            if valid[k]:
                gain_shifts[k + 1].next = gain_shifts[k]
                length[k + 1].next = length[k]

    @always(clk.posedge)
    def normalize():
        if src_valid:
            s_1.next = s
            for i in range(BITS):
                if s[i]:
                    up.next = BITS - 1 - i
        if valid[0]:
            m_2.next = s_1 << up

    @always(clk.posedge)
    def look_up():
        if valid[1]:
            m_3.next = m_2
            index.next = m_2[INDEX_HIGH:INDEX_LOW]
        if valid[2]:
            m_4.next = m_3
            seed_4.next = RECIP_ROM[index]

    @always(clk.posedge)
    def refine():
        if valid[3]:
            seed_5.next = seed_4
            full.next = seed_4 * m_4
        if valid[4]:
            seed_6.next = seed_5
            correction.next = TWO - full[FULL_HIGH:BITS]
        if valid[5]:
            refined.next = seed_6 * correction

    @always(clk.posedge)
    def scale():
        if valid[6]:
            if refined[NEWTON_BITS:FRAC] > HIGHEST:
                root.next = HIGHEST
            else:
                root.next = refined[FRAC + RECIP_BITS : FRAC]
        if valid[7]:
            scaled.next = root * gains[TOP - 2]
        if valid[8]:
            mant.next = scaled[GAIN_HIGH:GAIN_LOW]
            shift.next = gain_shifts[TOP - 1] + length[TOP - 1] - 1

    return advance, leave, carry, normalize, look_up, refine, scale
