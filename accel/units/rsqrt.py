"""Reciprocal square root of a positive integer, fully pipelined.

``1/sqrt(w) ~ mant * 2**-15 * 2**-q``: ``w -> m * 4**q, m Q0.16 in [1/4, 1) -> seed Q1.15 from a 192-entry ROM -> one
Newton step seed * (3 - m * seed**2) / 2 -> mant Q1.15``.

Shapes: w 54 bit, mant 16 bit, q 5 bit. Latency: ``LATENCY`` cycles (five to normalize by pairs of bits, seven for the
Newton step), one root per cycle, no back-pressure. Rounding: every product is cut (floor); mant saturates at 65535.
Relative error below 2**-14. Valid range: 1 <= w < 2**54. Source: golden ``model/ops/rsqrt.py``.

``form_variance`` makes what LayerNorm takes the root of (``model/ops/layernorm.py``).
"""

from myhdl import Constant, Signal, always, always_comb, block, concat, intbv

from radit.accel.interfaces.signals import signed, word
from radit.model.formats import RSQRT_BITS, SEED_INDEX_BITS, SQUARE_BITS, SUM_BITS, VAR_BITS
from radit.model.roms import RSQRT_FIRST, RSQRT_ROM

NORMALIZE_STEPS = (16, 8, 4, 2, 1)  # pairs of bits
LATENCY = len(NORMALIZE_STEPS) + 7
Q_BITS = 5
MAX_Q = VAR_BITS // 2
FRAC = RSQRT_BITS - 1
SEED_SQUARE_BITS = RSQRT_BITS + 1  # seed**2, Q2.15
CORRECTION_BITS = RSQRT_BITS + 1  # 3 - m * seed**2, Q2.15

PRODUCT_BITS = VAR_BITS + 1  # D * s2 and s1**2
SQUARE_PART = 18  # bits of s2 that meet D in one multiplier


@block
def normalize_step(clk, src_valid, w, zeros, dst_valid, shifted, counted, pairs):
    """Shift out ``pairs`` leading pairs of bits if they are zero, and count them."""
    PAIRS = pairs
    TOP = len(w)
    KEEP = TOP - 2 * pairs

    @always(clk.posedge)
    def step():
        dst_valid.next = src_valid
        if src_valid:
            if w[TOP:KEEP] == 0:
                shifted.next = w[KEEP:] << (2 * PAIRS)
                counted.next = zeros + PAIRS
            else:
                shifted.next = w
                counted.next = zeros

    return step


@block
def newton(clk, src_valid, w, zeros, dst_valid, mant, q):
    """Seed and one Newton step for a normalized w."""
    TOP = VAR_BITS
    M_LOW = VAR_BITS - RSQRT_BITS
    INDEX_LOW = VAR_BITS - SEED_INDEX_BITS
    THREE = 3 << FRAC
    HIGHEST = (1 << RSQRT_BITS) - 1
    FIRST = RSQRT_FIRST
    LAST_Q = MAX_Q
    SQUARE_TOP = 2 * RSQRT_BITS
    PRODUCT_TOP = SEED_SQUARE_BITS + RSQRT_BITS
    RESULT_TOP = RSQRT_BITS + CORRECTION_BITS
    STEP = RSQRT_BITS
    valid_1, valid_2, valid_3, valid_4, valid_5, valid_6 = [Signal(bool(0)) for _ in range(6)]
    q_1, q_2, q_3, q_4, q_5, q_6 = [word(Q_BITS) for _ in range(6)]
    m_1, m_2, m_3 = [word(RSQRT_BITS) for _ in range(3)]
    seed_2, seed_3, seed_4, seed_5 = [word(RSQRT_BITS) for _ in range(4)]
    index = word(SEED_INDEX_BITS)
    square = word(SQUARE_TOP)
    product = word(PRODUCT_TOP)
    correction = word(CORRECTION_BITS)
    result = word(RESULT_TOP)

    @always(clk.posedge)
    def look_up():
        valid_1.next = src_valid
        valid_2.next = valid_1
        if src_valid:
            index.next = w[TOP:INDEX_LOW] - FIRST
            m_1.next = w[TOP:M_LOW]
            q_1.next = LAST_Q - zeros
        if valid_1:
            seed_2.next = RSQRT_ROM[index]
            m_2.next = m_1
            q_2.next = q_1

    @always(clk.posedge)
    def multiply():
        valid_3.next = valid_2
        valid_4.next = valid_3
        if valid_2:
            square.next = seed_2 * seed_2
            seed_3.next = seed_2
            m_3.next = m_2
            q_3.next = q_2
        if valid_3:
            product.next = square[SQUARE_TOP:FRAC] * m_3
            seed_4.next = seed_3
            q_4.next = q_3

    @always(clk.posedge)
    def correct():
        valid_5.next = valid_4
        valid_6.next = valid_5
        dst_valid.next = valid_6
        if valid_4:
            correction.next = THREE - product[PRODUCT_TOP:STEP]
            seed_5.next = seed_4
            q_5.next = q_4
        if valid_5:
            result.next = seed_5 * correction
            q_6.next = q_5
        if valid_6:
            q.next = q_6
            mant.next = result[RESULT_TOP:STEP]
            if result[RESULT_TOP - 1]:
                mant.next = HIGHEST

    return look_up, multiply, correct


@block
def rsqrt_unit(clk, src_valid, w, dst_valid, mant, q):
    """w -> (mant, q) with 1/sqrt(w) ~ mant * 2**-(15 + q)."""
    count = len(NORMALIZE_STEPS)
    valids = [src_valid, *(Signal(bool(0)) for _ in range(count))]
    values = [w, *(word(VAR_BITS) for _ in range(count))]
    zeros = [Constant(intbv(0)[Q_BITS:]), *(word(Q_BITS) for _ in range(count))]
    steps = [
        normalize_step(clk, valids[i], values[i], zeros[i], valids[i + 1], values[i + 1], zeros[i + 1], pairs)
        for i, pairs in enumerate(NORMALIZE_STEPS)
    ]
    root = newton(clk, valids[count], values[count], zeros[count], dst_valid, mant, q)
    return steps, root


@block
def form_variance(clk, hidden, eps, scan, scan_1, scan_2, scan_3, index, held_sums, held_squares, w):
    """``w = D * s2 - s1**2 + eps`` of lane ``index``, four cycles later; stage k works when ``scan_k`` is high.

    Both products are made of parts that fit a multiplier of an FPGA, and wait in registers before they are added. Parts
    that do not overlap stand side by side: lowest and highest of ``D * s2``, the squares of both halves of ``|s1|``.
    """
    SUM, SQUARE = SUM_BITS, SQUARE_BITS
    HALF, PART, PARTS = SUM_BITS // 2, SQUARE_PART, 2 * SQUARE_PART
    APART = SQUARE_PART - len(hidden)
    chosen, size_1, square_1 = signed(SUM_BITS), word(SUM_BITS), word(SQUARE_BITS)
    low_2, middle_2 = [word(len(hidden) + SQUARE_PART) for _ in range(2)]
    high_2 = word(PRODUCT_BITS - 2 * SQUARE_PART)
    low_square_2, cross_2 = word(SUM_BITS), word(SUM_BITS)
    high_square_2 = word(PRODUCT_BITS - SUM_BITS)
    product_3, square_3 = [word(PRODUCT_BITS) for _ in range(2)]

    @always_comb
    def choose():
        chosen.next = held_sums[index]

    @always(clk.posedge)
    def read():
        if scan:
            if chosen < 0:
                size_1.next = -chosen
            else:
                size_1.next = chosen
            square_1.next = held_squares[index]

    @always(clk.posedge)
    def multiply():
        if scan_1:
            low_2.next = hidden * square_1[PART:]
            middle_2.next = hidden * square_1[PARTS:PART]
            high_2.next = hidden * square_1[SQUARE:PARTS]
            low_square_2.next = size_1[HALF:] * size_1[HALF:]
            cross_2.next = size_1[SUM:HALF] * size_1[HALF:]
            high_square_2.next = size_1[SUM:HALF] * size_1[SUM:HALF]

    @always(clk.posedge)
    def add():
        if scan_2:
            product_3.next = concat(high_2, intbv(0)[APART:], low_2) + concat(middle_2, intbv(0)[PART:])
            square_3.next = concat(high_square_2, low_square_2) + concat(cross_2, intbv(0)[HALF:], False)
        if scan_3:
            w.next = product_3 - square_3 + eps

    return choose, read, multiply, add
