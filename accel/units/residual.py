"""Gated residual add, R lanes (tokens of one channel) a word.

``branch int8 -*gate Q15.0-> 24 bit -half up >> gate_shift-> + x Q15.0 -> saturated 16 bit``; with ``use_branch`` low x
passes through and the multiplier rests.

Shapes: x, dst R x 16 bit, branch R x 8 bit, lane 0 lowest; gate and gate_shift belong to the word. ``saturated``: some
lane of the word was clamped. Latency: ``LATENCY`` cycles, one word per cycle, no back-pressure.
Rounding: half up (a tie moves toward +infinity), as ``((p >> (s-1)) + 1) >> 1``. Valid range: gate_shift 1 .. 63.
Source: golden ``model/ops/residual.py``.
"""

from myhdl import Signal, always, block

from accel.units.lanes import pack, signal_list, signed, unpack, unsigned
from model.formats import GATE_BITS, INT8_BITS, SHIFT_BITS, X_BITS

LATENCY = 5
PRODUCT_BITS = INT8_BITS + GATE_BITS
TOTAL_BITS = PRODUCT_BITS + 1


@block
def residual_unit(clk, src_valid, x, branch, use_branch, gate, gate_shift, dst_valid, dst, saturated, lanes):
    """dst = x + round(branch * gate / 2**gate_shift), or x."""
    LANES = lanes
    HIGHEST = (1 << (X_BITS - 1)) - 1
    LOWEST = -(1 << (X_BITS - 1))
    valid_1, valid_2, valid_3, valid_4 = [Signal(bool(0)) for _ in range(4)]
    use_1, use_2, use_3 = [Signal(bool(0)) for _ in range(3)]
    down = unsigned(SHIFT_BITS)
    x_in, x_1, x_2, x_3 = [signal_list(signed, X_BITS, lanes) for _ in range(4)]
    branch_in = signal_list(signed, INT8_BITS, lanes)
    product = signal_list(signed, PRODUCT_BITS, lanes)
    shifted = signal_list(signed, PRODUCT_BITS, lanes)
    half = signal_list(signed, PRODUCT_BITS + 1, lanes)
    total = signal_list(signed, TOTAL_BITS, lanes)
    result = signal_list(signed, X_BITS, lanes)
    words = unpack(x, x_in, signed=True), unpack(branch, branch_in, signed=True), pack(result, dst)

    @always(clk.posedge)
    def multiply():
        valid_1.next = src_valid
        if src_valid:
            use_1.next = use_branch
            for i in range(LANES):
                x_1[i].next = x_in[i]
            if use_branch:
                down.next = 0
                if gate_shift > 0:
                    down.next = gate_shift - 1
                for i in range(LANES):
                    product[i].next = branch_in[i] * gate

    @always(clk.posedge)
    def shift_down():
        valid_2.next = valid_1
        valid_3.next = valid_2
        if valid_1:
            use_2.next = use_1
            for i in range(LANES):
                x_2[i].next = x_1[i]
            if use_1:
                for i in range(LANES):
                    shifted[i].next = product[i] >> down
        if valid_2:
            use_3.next = use_2
            for i in range(LANES):
                x_3[i].next = x_2[i]
            if use_2:
                for i in range(LANES):
                    half[i].next = shifted[i] + 1

    @always(clk.posedge)
    def add():
        valid_4.next = valid_3
        if valid_3:
            for i in range(LANES):
                if use_3:
                    total[i].next = x_3[i] + (half[i] >> 1)
                else:
                    total[i].next = x_3[i]

    @always(clk.posedge)
    def saturate():
        lane_clamped = False
        dst_valid.next = valid_4
        if valid_4:
            for i in range(LANES):
                if total[i] > HIGHEST:
                    result[i].next = HIGHEST
                    lane_clamped = True
                elif total[i] < LOWEST:
                    result[i].next = LOWEST
                    lane_clamped = True
                else:
                    result[i].next = total[i]
            saturated.next = lane_clamped

    return words, multiply, shift_down, add, saturate
