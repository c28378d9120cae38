"""Compress-and-Compare Unit: 4-bit codes of the modulated input, compared with the stored ones, R lanes a word.

``a Q9.6 -> |a| -> level 0..7 = number of boundaries b1 <= .. <= b7 that |a| reaches -> code = sign << 3 | level``
(level 0 has no sign); ``count += number of lanes whose code differs from the stored one``.

Shapes: act R x 16 bit, stored and codes R x 4 bit, lane 0 lowest; b1 .. b7 16 bit. ``clear`` travels with the words: it
forgets everything that entered before its cycle, and may come with the first word of an input or any time before.
Latency: codes ``LATENCY`` cycles, one word per cycle, no back-pressure; count is final ``COUNT_LATENCY`` cycles after
the last src_valid (one cycle after its dst_valid). Rounding: none. Valid range: 0 <= b1 <= .. <= b7 < 2**15,
boundaries stable while words are in flight, fewer than 2**24 changed codes. Source: golden ``model/ops/ccu.py``.
"""

from myhdl import Signal, always, always_comb, always_seq, block, intbv

from accel.units.lanes import pack, signal_list, signed, unpack, unsigned
from model.formats import ACT_BITS, CODE_BITS, CODE_LEVELS, COUNT_BITS

LATENCY = 3
COUNT_LATENCY = LATENCY + 1
LEVEL_BITS = CODE_BITS - 1


@block
def ccu_unit(
    clk, aresetn, src_valid, act, b1, b2, b3, b4, b5, b6, b7, stored, clear, dst_valid, codes, count, lanes
):  # fmt: skip
    """codes of the lanes, and the number of changed codes since ``clear``."""
    valid_2, valid_3 = Signal(bool(0)), Signal(bool(0))
    clear_2, clear_3 = Signal(bool(0)), Signal(bool(0))
    found = signal_list(unsigned, CODE_BITS, lanes)
    stored_2 = unsigned(lanes * CODE_BITS)
    changed = unsigned(lanes.bit_length())
    encoder = encode_lanes(
        clk, src_valid, act, b1, b2, b3, b4, b5, b6, b7, stored, clear, valid_2, found, stored_2, clear_2, lanes
    )
    compare = compare_lanes(clk, valid_2, found, stored_2, clear_2, valid_3, codes, changed, clear_3, lanes)
    counter = count_changes(clk, aresetn, valid_3, changed, clear_3, count)

    @always(clk.posedge)
    def mark():
        dst_valid.next = valid_2

    return encoder, compare, counter, mark


@block
def encode_lanes(
    clk, src_valid, act, b1, b2, b3, b4, b5, b6, b7, stored, clear, dst_valid, code, dst_stored, dst_clear, lanes
):  # fmt: skip
    """Two stages: magnitude, then level and sign."""
    LANES = lanes
    SIGN = 1 << LEVEL_BITS
    valid_1, clear_1 = Signal(bool(0)), Signal(bool(0))
    stored_1 = unsigned(lanes * CODE_BITS)
    act_in = signal_list(signed, ACT_BITS, lanes)
    magnitude = signal_list(unsigned, ACT_BITS, lanes)
    sign = signal_list(unsigned, CODE_BITS, lanes)
    words = unpack(act, act_in, signed=True)

    @always(clk.posedge)
    def split():
        valid_1.next = src_valid
        clear_1.next = clear
        if src_valid:
            stored_1.next = stored
            for i in range(LANES):
                if act_in[i] < 0:
                    magnitude[i].next = -act_in[i]
                    sign[i].next = SIGN
                else:
                    magnitude[i].next = act_in[i]
                    sign[i].next = 0

    @always(clk.posedge)
    def encode():
        dst_valid.next = valid_1
        dst_clear.next = clear_1
        if valid_1:
            dst_stored.next = stored_1
            for i in range(LANES):
                if magnitude[i] >= b7:
                    code[i].next = sign[i] | 7
                elif magnitude[i] >= b6:
                    code[i].next = sign[i] | 6
                elif magnitude[i] >= b5:
                    code[i].next = sign[i] | 5
                elif magnitude[i] >= b4:
                    code[i].next = sign[i] | 4
                elif magnitude[i] >= b3:
                    code[i].next = sign[i] | 3
                elif magnitude[i] >= b2:
                    code[i].next = sign[i] | 2
                elif magnitude[i] >= b1:
                    code[i].next = sign[i] | 1
                else:
                    code[i].next = 0

    return words, split, encode


assert CODE_LEVELS == 7, "The encoder compares with seven boundaries."


@block
def compare_lanes(clk, src_valid, code, stored, clear, dst_valid, codes, changed, dst_clear, lanes):
    """One stage: the codes as a word, and the number of lanes that changed."""
    LANES = lanes
    stored_in = signal_list(unsigned, CODE_BITS, lanes)
    code_out = signal_list(unsigned, CODE_BITS, lanes)
    words = unpack(stored, stored_in, signed=False), pack(code_out, codes)

    @always(clk.posedge)
    def compare():
        lanes_changed = intbv(0, min=0, max=LANES + 1)
        dst_valid.next = src_valid
        dst_clear.next = clear
        if src_valid:
            lanes_changed[:] = 0
            for i in range(LANES):
                code_out[i].next = code[i]
                if code[i] != stored_in[i]:
                    lanes_changed[:] = lanes_changed + 1
            changed.next = lanes_changed

    return words, compare


@block
def count_changes(clk, aresetn, src_valid, changed, clear, count):
    """Accumulate; a clear that comes with a word forgets only what came before it."""
    total = unsigned(COUNT_BITS)

    @always_seq(clk.posedge, reset=aresetn)
    def accumulate():
        if clear:
            total.next = 0
            if src_valid:
                total.next = changed
        elif src_valid:
            total.next = total + changed

    @always_comb
    def present():
        count.next = total

    return accumulate, present
