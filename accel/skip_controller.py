"""Skip controller: per context and sub-block, compute or reuse.

Takes the CCU's count of a context at ``decide``, asks the DTSM, and keeps the answers of the current sub-block
(``computes``, ``slots``) and of the one before (``reused``, ``forecasts``, ``slots_before``, its slopes), which tell
the pass where its branch is and what becomes of it.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from accel.command import dim, flag
from accel.config import bits_for
from accel.units.dtsm import dtsm_unit
from model.formats import SLOPE_BITS


@block
def skip_controller(
    clk,
    aresetn,
    pass_begin,
    first,
    detect,
    decide,
    context_number,
    count,
    sub_block,
    header,
    new_image,
    front_context,
    decided,
    reuse,
    slope,
    computes,
    slots,
    reused,
    forecasts,
    slots_before,
    slope_before,
    any_computes,
    index,
    regs,
    config,
):
    """Decide.

    pass_begin: pulse at the start of a pass: ``reused`` takes the decisions of the sub-block before, ``computes``
    is set for every context. first: with pass_begin, the pass has no sub-block before it. detect: low in dense runs.
    decided: pulse, ``reuse`` and ``slope`` are the answer to ``decide``. index: of the decision, sub_block * contexts +
    context. slots: bit per context, the cache's slot of its latest branch, or of the one that is to be computed.
    forecasts: bit per context of the sub-block before whose slope is not 0; slope_before: that of ``front_context``.
    """
    CONTEXTS = config.max_contexts
    entries = config.max_sub_blocks * config.max_contexts
    unit_index = Signal(intbv(0)[bits_for(entries) :])
    BITS = len(unit_index)
    unit_done, slot, lead = flag(), flag(), flag()
    product = dim()
    slopes, kept_slopes = ([Signal(intbv(0)[SLOPE_BITS:]) for _ in range(CONTEXTS)] for _ in range(2))

    @always_comb
    def number():
        product.next = sub_block * regs.contexts

    @always_comb
    def add():
        index.next = product + context_number

    @always_comb
    def cut():
        unit_index.next = index[BITS:]

    @always_comb
    def look_back():
        lead.next = 0
        for i in range(CONTEXTS):
            if context_number == i and reused[i]:
                lead.next = 1

    unit = dtsm_unit(
        clk=clk, aresetn=aresetn, start=decide, index=unit_index, count=count, total=regs.codes_total,
        threshold=header.threshold, forced=header.force, follows=header.follow, lead=lead,
        gain=header.slope_gain, streak_step=regs.streak_step, tight=regs.tight, loose=regs.loose,
        max_streak=regs.max_streak, slope_max=regs.slope_max, new_image=new_image, done=unit_done, reuse=reuse,
        slope=slope, slot=slot, entries=entries,
    )  # fmt: skip

    @always_seq(clk.posedge, reset=aresetn)
    def remember():
        if pass_begin:
            for i in range(CONTEXTS):
                reused.next[i] = regs.contexts > i and not computes[i] and not first and detect
                forecasts.next[i] = not first and detect and slopes[i] != 0
                slots_before.next[i] = slots[i]
                kept_slopes[i].next = slopes[i]
                computes.next[i] = regs.contexts > i
                slopes[i].next = 0
        elif unit_done:
            for i in range(CONTEXTS):
                if context_number == i:
                    computes.next[i] = not reuse
                    slots.next[i] = slot
                    slopes[i].next = slope

    @always_comb
    def look_up():
        slope_before.next = 0
        for i in range(CONTEXTS):
            if front_context == i:
                slope_before.next = kept_slopes[i]

    @always_comb
    def tell():
        decided.next = unit_done
        any_computes.next = computes != 0

    return number, add, cut, look_back, unit, remember, look_up, tell
