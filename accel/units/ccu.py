"""Compress-and-Compare Unit: 4-bit codes of the modulated input, compared with the stored ones, R lanes a word.

``a Q9.6 -cut 3-> Q9.3 -> m = itself, or its complement where a < 0 -> level 0..7 = number of boundaries b1 <= .. <= b7
that m reaches -> code = sign << 3 | level`` (level 0 has no sign);
``count += number of lanes whose code differs from the stored one``.

A lane finds the level bit by bit: three comparisons, each with the boundary that the bits before choose; the first in
one cycle, the other two in the next. Lanes see zeros while no word is valid.

Shapes: act R x 16 bit, stored and codes R x 4 bit, lane 0 lowest; b1 .. b7 10 bit. ``clear`` travels with the words: it
forgets everything that entered before its cycle, and may come with the first word of an input or any time before.
Latency: codes ``LATENCY`` cycles, one word per cycle, no back-pressure; count is final ``COUNT_LATENCY`` cycles after
the last src_valid. Rounding: cut (floor). Valid range: 1 <= b1 <= .. <= b7, stable while words are in flight;
fewer than 2**24 changed codes. Source: golden ``model/ops/ccu.py``.
"""

from myhdl import Signal, always, always_comb, always_seq, block, concat, intbv

from radit.accel.interfaces.signals import flag, word
from radit.accel.units.delay_lines import register
from radit.accel.units.lanes import pack, signal_list
from radit.model.formats import ACT_BITS, BOUNDARY_BITS, CODE_BITS, CODE_CUT, CODE_LEVELS, COUNT_BITS

LATENCY = 2
COUNT_LATENCY = LATENCY + 2
MAGNITUDE_BITS = ACT_BITS - 1 - CODE_CUT


@block
def ccu_unit(
    clk, aresetn, src_valid, act, b1, b2, b3, b4, b5, b6, b7, stored, clear, dst_valid, codes, count, lanes
):  # fmt: skip
    """codes of the lanes, and the number of changed codes since ``clear``."""
    code = signal_list(word, CODE_BITS, lanes)
    changes = [flag() for _ in range(lanes)]
    changed = word(lanes)
    valid_1, clear_1, valid_2, clear_2 = flag(), flag(), flag(), flag()
    works = [
        ccu_lane(clk, src_valid, valid_1, act, b1, b2, b3, b4, b5, b6, b7, stored, code[i], changes[i], i)
        for i in range(lanes)
    ]
    words = pack(code, codes), pack(changes, changed)
    marks = register(clk, src_valid, valid_1), register(clk, clear, clear_1)
    later = register(clk, valid_1, valid_2), register(clk, clear_1, clear_2)
    counter = count_changes(clk, aresetn, valid_2, changed, clear_2, count)

    @always_comb
    def tell():
        dst_valid.next = valid_2

    return works, words, marks, later, counter, tell


@block
def ccu_lane(clk, src_valid, valid_1, act, b1, b2, b3, b4, b5, b6, b7, stored, code, change, index):
    """Lane ``index``: magnitude, sign and highest bit of the level; then the code, and whether it differs from the
    stored one.

    The comparison, by the highest bit where both differ, stands here three times: as a block of its own it would be
    simulated in every cycle, and a function has another name in the Verilog of every conversion.
    """
    ACT_LOW, ACT_SIGN = index * ACT_BITS + CODE_CUT, (index + 1) * ACT_BITS - 1
    CODE_LOW, CODE_HIGH = index * CODE_BITS, (index + 1) * CODE_BITS
    ONES = (1 << MAGNITUDE_BITS) - 1
    BITS, BOUND = MAGNITUDE_BITS, BOUNDARY_BITS
    folded, negative = word(MAGNITUDE_BITS), flag()
    magnitude, sign, met = word(MAGNITUDE_BITS), flag(), word(CODE_BITS)
    second, high = word(BOUNDARY_BITS), flag()

    @always_comb
    def fold():
        negative.next = act[ACT_SIGN] and src_valid
        folded.next = 0
        if src_valid and act[ACT_SIGN]:
            folded.next = act[ACT_SIGN:ACT_LOW] ^ ONES
        elif src_valid:
            folded.next = act[ACT_SIGN:ACT_LOW]

    @always(clk.posedge)
    def keep():
        reached = bool(1)
        if src_valid:
            for i in range(BOUND):
                if folded[i] != b4[i]:
                    reached = folded[i]
            for i in range(BOUND, BITS):
                if folded[i]:
                    reached = bool(1)
            magnitude.next = folded
            sign.next = negative
            high.next = reached
            met.next = stored[CODE_HIGH:CODE_LOW]

    @always_comb
    def choose():
        if high:
            second.next = b6
        else:
            second.next = b2

    @always(clk.posedge)
    def compare():
        middle = bool(1)
        low = bool(1)
        third = intbv(0)[BOUND:]
        found = intbv(0)[CODE_BITS:]
        if valid_1:
            for i in range(BOUND):
                if magnitude[i] != second[i]:
                    middle = magnitude[i]
            for i in range(BOUND, BITS):
                if magnitude[i]:
                    middle = bool(1)
            if high and middle:
                third[:] = b7
            elif high:
                third[:] = b5
            elif middle:
                third[:] = b3
            else:
                third[:] = b1
            for i in range(BOUND):
                if magnitude[i] != third[i]:
                    low = magnitude[i]
            for i in range(BOUND, BITS):
                if magnitude[i]:
                    low = bool(1)
            found[:] = 0
            if high or middle or low:
                found[:] = concat(sign, high, middle, low)
            code.next = found
            change.next = found != met

    return fold, keep, choose, compare


assert CODE_LEVELS == 7, "The encoder compares with seven boundaries."


@block
def count_changes(clk, aresetn, src_valid, changed, clear, count):
    """Accumulate the flags of the changed lanes, their sum first; a clear that comes with a word forgets only what came
    before it."""
    LANES = len(changed)
    lanes_changed, total = Signal(intbv(0, min=0, max=LANES + 1)), word(COUNT_BITS)
    clear_1 = flag()

    @always(clk.posedge)
    def add():
        found = intbv(0, min=0, max=LANES + 1)
        found[:] = 0
        for i in range(LANES):
            if changed[i]:
                found[:] = found + 1
        lanes_changed.next = 0
        if src_valid:
            lanes_changed.next = found

    mark = register(clk, clear, clear_1)

    @always_seq(clk.posedge, reset=aresetn)
    def accumulate():
        if clear_1:
            total.next = lanes_changed
        else:
            total.next = total + lanes_changed

    @always_comb
    def present():
        count.next = total

    return add, mark, accumulate, present
