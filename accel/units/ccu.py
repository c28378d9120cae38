"""Compress-and-Compare Unit: 4-bit codes of the modulated input, compared with the stored ones, R lanes a word.

``a Q9.6 -> |a| -> level 0..7 = number of boundaries b1 <= .. <= b7 that |a| reaches -> code = sign << 3 | level``
(level 0 has no sign); ``count += number of lanes whose code differs from the stored one``.

Shapes: act R x 16 bit, stored and codes R x 4 bit, lane 0 lowest; b1 .. b7 16 bit. ``clear`` travels with the words: it
forgets everything that entered before its cycle, and may come with the first word of an input or any time before.
Latency: codes ``LATENCY`` cycles, one word per cycle, no back-pressure; count is final ``COUNT_LATENCY`` cycles after
the last src_valid (one cycle after its dst_valid). Rounding: none. Valid range: 0 <= b1 <= .. <= b7 < 2**15,
boundaries stable while words are in flight, fewer than 2**24 changed codes. Source: golden ``model/ops/ccu.py``.
"""

from myhdl import always, always_comb, always_seq, block, intbv

from accel.units.lanes import bit, pack, signal_list, step, steps, unsigned
from model.formats import ACT_BITS, CODE_BITS, CODE_LEVELS, COUNT_BITS

LATENCY = 3
COUNT_LATENCY = LATENCY + 1
LEVEL_BITS = CODE_BITS - 1


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
    works = [
        ccu_lane(clk, valids, act, b1, b2, b3, b4, b5, b6, b7, stored, code[i], changes[i], i) for i in range(lanes)
    ]
    words = pack(code, codes), pack(changes, changed)
    counter = count_changes(clk, aresetn, valids[-1], changed, clears[-1], count)
    mark = step(clk, valids[-2], dst_valid)
    return steps(clk, valids), steps(clk, clears), works, words, counter, mark


@block
def ccu_lane(clk, valids, act, b1, b2, b3, b4, b5, b6, b7, stored, code, change, index):
    """Lane ``index``: magnitude and sign, then the code, then whether it differs from the stored one."""
    SIGN = 1 << LEVEL_BITS
    ACT_LOW, ACT_HIGH = index * ACT_BITS, (index + 1) * ACT_BITS
    CODE_LOW, CODE_HIGH = index * CODE_BITS, (index + 1) * CODE_BITS
    valid_0, valid_1, valid_2, _ = valids
    magnitude = unsigned(ACT_BITS)
    sign, found, stored_1, stored_2 = [unsigned(CODE_BITS) for _ in range(4)]

    @always(clk.posedge)
    def split():
        if valid_0:
            stored_1.next = stored[CODE_HIGH:CODE_LOW]
            if act[ACT_HIGH:ACT_LOW].signed() < 0:
                magnitude.next = -act[ACT_HIGH:ACT_LOW].signed()
                sign.next = SIGN
            else:
                magnitude.next = act[ACT_HIGH:ACT_LOW].signed()
                sign.next = 0

    @always(clk.posedge)
    def encode():
        if valid_1:
            stored_2.next = stored_1
            if magnitude >= b7:
                found.next = sign | 7
            elif magnitude >= b6:
                found.next = sign | 6
            elif magnitude >= b5:
                found.next = sign | 5
            elif magnitude >= b4:
                found.next = sign | 4
            elif magnitude >= b3:
                found.next = sign | 3
            elif magnitude >= b2:
                found.next = sign | 2
            elif magnitude >= b1:
                found.next = sign | 1
            else:
                found.next = 0

    @always(clk.posedge)
    def compare():
        if valid_2:
            code.next = found
            change.next = found != stored_2

    return split, encode, compare


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
