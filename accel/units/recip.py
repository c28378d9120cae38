"""Reciprocal of a positive integer times a gain, one per cycle: ``gain / s ~ mant * 2**-shift``.

``s -> n = bit length, m = s << (20 - n) Q0.20 in [1/2, 1) -> 128-entry seed Q1.15 (ROM) -> one Newton step
r (2 - m r), truncated to Q1.15 and clamped to 16 bit -*gain (16 bit)-> >> 16 (truncated) -> mant 16 bit``;
``shift = n + gain_shift - 1``.

Scalar: s 20 bit, gain 16 bit, gain_shift 6 bit, all sampled with ``src_valid``; mant 16 bit, shift 6 bit.
Latency: ``LATENCY`` cycles, one result per cycle, no back-pressure; a stage without a value rests.
Valid range: 1 <= s < 2**20, and ``n + gain_shift - 1 <= 63`` (n <= 20: any gain_shift 1 .. 44).
Source: Newton-Raphson on ``1/r - m``; golden ``model/ops/recip.py``.
"""

from myhdl import always, block

from radit.accel.interfaces.signals import flag, word
from radit.accel.units.delay_lines import delay_chain, gated_chain
from radit.accel.units.lanes import signal_list
from radit.model.formats import MULT_BITS, PROB_SUM_BITS, RECIP_BITS, SHIFT_BITS
from radit.model.roms import RECIP_FIRST, RECIP_ROM

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
    valids = [src_valid, *(flag() for _ in range(TOP))]
    valid_0, valid_1, valid_2, valid_3, valid_4, valid_5, valid_6, valid_7, valid_8, valid_9 = valids
    lengths = signal_list(word, LENGTH_BITS, LAST_STAGE)
    gains = [gain, *signal_list(word, MULT_BITS, LAST_STAGE - 1)]
    gain_shifts = [gain_shift, *signal_list(word, SHIFT_BITS, LAST_STAGE)]
    first_length, last_length = lengths[0], lengths[-1]
    last_gain, last_gain_shift = gains[-1], gain_shifts[-1]
    up = word(LENGTH_BITS)
    s_1, m_2, m_3, m_4 = [word(PROB_SUM_BITS) for _ in range(4)]
    index = word(INDEX_BITS)
    seed_4, seed_5, seed_6 = [word(SEED_BITS) for _ in range(3)]
    full = word(FULL_HIGH)
    correction = word(CORRECTION_BITS)
    refined = word(NEWTON_BITS)
    root = word(RECIP_BITS)
    scaled = word(GAIN_HIGH)

    advance = delay_chain(clk, [*valids, dst_valid])
    carried = (
        gated_chain(clk, valids, gains),
        gated_chain(clk, valids, gain_shifts),
        gated_chain(clk, valids[1:], lengths),
    )

    @always(clk.posedge)
    def measure():
        if src_valid:
            for i in range(BITS):
                if s[i]:
                    first_length.next = i + 1

    @always(clk.posedge)
    def normalize():
        if src_valid:
            s_1.next = s
            for i in range(BITS):
                if s[i]:
                    up.next = BITS - 1 - i
        if valid_1:
            m_2.next = s_1 << up

    @always(clk.posedge)
    def look_up():
        if valid_2:
            m_3.next = m_2
            index.next = m_2[INDEX_HIGH:INDEX_LOW]
        if valid_3:
            m_4.next = m_3
            seed_4.next = RECIP_ROM[index]

    @always(clk.posedge)
    def refine():
        if valid_4:
            seed_5.next = seed_4
            full.next = seed_4 * m_4
        if valid_5:
            seed_6.next = seed_5
            correction.next = TWO - full[FULL_HIGH:BITS]
        if valid_6:
            refined.next = seed_6 * correction

    @always(clk.posedge)
    def scale():
        if valid_7:
            if refined[NEWTON_BITS:FRAC] > HIGHEST:
                root.next = HIGHEST
            else:
                root.next = refined[FRAC + RECIP_BITS : FRAC]
        if valid_8:
            scaled.next = root * last_gain
        if valid_9:
            mant.next = scaled[GAIN_HIGH:GAIN_LOW]
            shift.next = last_gain_shift + last_length - 1

    return advance, carried, measure, normalize, look_up, refine, scale
