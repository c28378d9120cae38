"""Compress-and-Compare Unit: 4-bit codes of the modulated input, compared with the stored ones, R lanes a word.

``a Q9.6 -> |a| -> level 0..7 = number of boundaries b1 <= .. <= b7 that |a| reaches -> code = sign << 3 | level``
(level 0 has no sign); ``count += number of lanes whose code differs from the stored one``.

A lane finds the level bit by bit: three comparisons, each with the boundary that the bits before choose. It negates
nothing: with the sign s and m = a, or the complement -a - 1 of a negative a, |a| >= b is 2 m + s >= 2 b - 1.

Shapes: act R x 16 bit, stored and codes R x 4 bit, lane 0 lowest; b1 .. b7 16 bit. ``clear`` travels with the words: it
forgets everything that entered before its cycle, and may come with the first word of an input or any time before.
Latency: codes ``LATENCY`` cycles, one word per cycle, no back-pressure; count is final ``COUNT_LATENCY`` cycles after
the last src_valid (one cycle after its dst_valid). Rounding: none. Valid range: 0 <= b1 <= .. <= b7 < 2**15,
boundaries stable while words are in flight, fewer than 2**24 changed codes. Source: golden ``model/ops/ccu.py``.
"""

from myhdl import always, always_comb, always_seq, block, concat, intbv

from accel.units.lanes import bit, pack, signal_list, step, steps, unsigned
from model.formats import ACT_BITS, CODE_BITS, CODE_LEVELS, COUNT_BITS

LATENCY = 3
COUNT_LATENCY = LATENCY + 1


@block
def ccu_unit(
    clk, aresetn, src_valid, act, b1, b2, b3, b4, b5, b6, b7, stored, clear, dst_valid, codes, count, lanes
):  # fmt: skip
    """codes of the lanes, and the number of changed codes since ``clear``."""
    valids = [src_valid, *(bit() for _ in range(LATENCY))]
    clears = [clear, *(bit() for _ in range(LATENCY))]
    code = signal_list(unsigned, CODE_BITS, lanes)
    changes = [bit() for _ in range(lanes)]
    changed = unsigned(lanes)
    boundaries, bounds = [b1, b2, b3, b4, b5, b6, b7], signal_list(unsigned, ACT_BITS, CODE_LEVELS)
    doubled = [double(clk, boundaries[i], bounds[i]) for i in range(CODE_LEVELS)]
    works = [ccu_lane(clk, valids, act, *bounds, stored, code[i], changes[i], i) for i in range(lanes)]
    words = pack(code, codes), pack(changes, changed)
    counter = count_changes(clk, aresetn, valids[-1], changed, clears[-1], count)
    mark = step(clk, valids[-2], dst_valid)
    return steps(clk, valids), steps(clk, clears), doubled, works, words, counter, mark


@block
def double(clk, boundary, bound):
    """bound = 2 boundary - 1, or 0 where the boundary is 0, which every magnitude reaches."""

    @always(clk.posedge)
    def subtract():
        bound.next = 0
        if boundary != 0:
            bound.next = boundary + boundary - 1

    return subtract


@block
def ccu_lane(clk, valids, act, b1, b2, b3, b4, b5, b6, b7, stored, code, change, index):
    """Lane ``index``: magnitude and sign, then the code, then whether it differs from the stored one."""
    ACT_LOW, ACT_SIGN = index * ACT_BITS, (index + 1) * ACT_BITS - 1
    CODE_LOW, CODE_HIGH = index * CODE_BITS, (index + 1) * CODE_BITS
    ONES = (1 << (ACT_BITS - 1)) - 1
    bare, magnitude = unsigned(ACT_BITS - 1), unsigned(ACT_BITS - 1)
    reached, second, third = [unsigned(ACT_BITS) for _ in range(3)]
    sign, bit_2, bit_1, bit_0 = [bit() for _ in range(4)]
    found, stored_1, stored_2 = [unsigned(CODE_BITS) for _ in range(3)]
    valid_0, valid_1, _, _ = valids

    @always_comb
    def fold():
        bare.next = act[ACT_SIGN:ACT_LOW]
        if act[ACT_SIGN]:
            bare.next = act[ACT_SIGN:ACT_LOW] ^ ONES

    @always(clk.posedge)
    def split():
        if valid_0:
            stored_1.next = stored[CODE_HIGH:CODE_LOW]
            magnitude.next = bare
            sign.next = act[ACT_SIGN]

    @always_comb
    def join():
        reached.next = concat(magnitude, sign)

    @always_comb
    def choose():
        if bit_2:
            second.next = b6
        else:
            second.next = b2
        if bit_2 and bit_1:
            third.next = b7
        elif bit_2:
            third.next = b5
        elif bit_1:
            third.next = b3
        else:
            third.next = b1

    @always(clk.posedge)
    def encode():
        stored_2.next = stored_1
        if valid_1:
            found.next = 0
            if bit_2 or bit_1 or bit_0:
                found.next = concat(sign, bit_2, bit_1, bit_0)

    @always(clk.posedge)
    def compare():
        code.next = found
        change.next = found != stored_2

    tests = reach(reached, b4, bit_2), reach(reached, second, bit_1), reach(reached, third, bit_0)
    return fold, split, join, choose, tests, encode, compare


@block
def reach(value, bound, dst):
    """dst = value >= bound, by the highest bit where they differ: a ripple of multiplexers, no carry look-ahead."""
    BITS = len(value)

    @always_comb
    def ripple():
        found = bool(1)
        for i in range(BITS):
            if value[i] != bound[i]:
                found = value[i]
        dst.next = found

    return ripple


assert CODE_LEVELS == 7, "The encoder compares with seven boundaries."


@block
def count_changes(clk, aresetn, src_valid, changed, clear, count):
    """Accumulate the flags of the changed lanes; a clear that comes with a word forgets only what came before it."""
    LANES = len(changed)
    total = unsigned(COUNT_BITS)

    @always_seq(clk.posedge, reset=aresetn)
    def accumulate():
        lanes_changed = intbv(0, min=0, max=LANES + 1)
        if src_valid:
            lanes_changed[:] = 0
            for i in range(LANES):
                if changed[i]:
                    lanes_changed[:] = lanes_changed + 1
            if clear:
                total.next = lanes_changed
            else:
                total.next = total + lanes_changed
        elif clear:
            total.next = 0

    @always_comb
    def present():
        count.next = total

    return accumulate, present
