"""Error meter: adds up what the reuses of an image cost, per context, and says whether one more is affordable.

``spent = min(error + (weight * count >> 8), 2**31 - 1)``, ``affordable = spent <= limit``; ``keep`` moves the error of
context ``number`` to ``spent``; ``new_image`` clears every context's.

Shapes: scalars; error, spent, limit 31 bit, ``cost = weight * count >> 8`` 32 bit, from the DTSM's multiplier, valid in
the cycle after ``start``. number is stable from ``start`` to ``keep``, limit always. Latency: ``LATENCY`` cycles from
start until ``spent`` and ``affordable`` are valid, and stay so until the next start; ``keep`` comes after that.
``shown`` is the error of context ``show``, combinational.
Rounding: cut (floor). Valid range: all values. Source: golden ``model/ops/meter.py``.
"""

from myhdl import always, always_comb, always_seq, block

from radit.accel.interfaces.signals import flag, word
from radit.model.formats import COUNT_BITS, ERROR_BITS, ERROR_CUT, ERROR_WEIGHT_BITS

LATENCY = 4
COST_BITS = ERROR_WEIGHT_BITS + COUNT_BITS - ERROR_CUT
TOTAL_BITS = max(ERROR_BITS, COST_BITS) + 1


@block
def meter_unit(
    clk, aresetn, new_image, start, number, cost, limit, keep, spent, affordable, show, shown, contexts
):  # fmt: skip
    """One adder, shared by the contexts."""
    CONTEXTS, WORD = contexts, ERROR_BITS
    FULL = (1 << ERROR_BITS) - 1
    step_1, step_2, step_3 = (flag() for _ in range(3))
    error, errors = word(ERROR_BITS), [word(ERROR_BITS) for _ in range(contexts)]
    total = word(TOTAL_BITS)

    @always_comb
    def look_up():
        error.next = 0
        shown.next = 0
        for i in range(CONTEXTS):
            if number == i:
                error.next = errors[i]
            if show == i:
                shown.next = errors[i]

    @always_seq(clk.posedge, reset=aresetn)
    def follow():
        step_1.next = start
        step_2.next = step_1
        step_3.next = step_2

    @always(clk.posedge)
    def add():
        if step_1:
            total.next = error + cost
        if step_2:
            spent.next = total[WORD:]
            if total > FULL:
                spent.next = FULL
        if step_3:
            affordable.next = spent <= limit

    @always_seq(clk.posedge, reset=aresetn)
    def remember():
        if new_image:
            for i in range(CONTEXTS):
                errors[i].next = 0
        elif keep:
            for i in range(CONTEXTS):
                if number == i:
                    errors[i].next = spent

    return look_up, follow, add, remember
