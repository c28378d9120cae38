"""Skip controller: per context and sub-block, compute or reuse.

Takes the CCU's count of a context at ``decide``, asks the DTSM, and keeps the answers of the current sub-block
(``computes``, ``slots``) and of the one before (``reused``, ``forecasts``, ``slots_before``, its slopes), which tell
the pass where its branch is and what becomes of it. A sub-block that follows the one before it is decided before its
pass, at ``follow``, all contexts in turn.
"""

from myhdl import Signal, always_comb, always_seq, block, enum, intbv

from accel.config import bits_for
from accel.interfaces.signals import DIM_BITS, dim, flag
from accel.units.dtsm import dtsm_unit
from accel.units.meter import COST_BITS, meter_unit
from model.formats import SLOPE_BITS


@block
def skip_controller(
    clk,
    aresetn,
    pass_begin,
    first,
    whole,
    detect,
    decide,
    context_number,
    count,
    follow,
    followed,
    sub_block,
    header,
    new_image,
    front_context,
    decided,
    counted,
    reuse,
    slope,
    spent,
    error,
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
    is set for every context. first: with pass_begin, the pass has no sub-block before it. whole: the decisions of the
    first pass hold until the last, all of them are the same sub-block's. detect: low in dense runs.
    follow: pulse, decide for every context without a count; followed: pulse, done.
    decided: pulse, ``reuse`` and ``slope`` are the answer to ``decide``, or to one turn of ``follow``, on ``counted``
    changed codes, which leaves ``spent`` in the error meter if it is a reuse. error: of context ``regs.error_context``.
    index: of the decision, sub_block * contexts + context. slots: bit per context, the cache's slot of its latest
    branch, or of the one that is to be computed. forecasts: bit per context of the sub-block before whose slope is not
    0; slope_before: that of ``front_context``.
    """
    CONTEXTS, RANGE = config.max_contexts, 1 << DIM_BITS
    entries = config.max_sub_blocks * config.max_contexts
    unit_index = Signal(intbv(0)[bits_for(entries) :])
    BITS = len(unit_index)
    unit_done, slot, lead, unit_start, affordable, reused_now = (flag() for _ in range(6))
    first_number, turn, next_turn, at_context = (dim() for _ in range(4))
    phases = enum("PASS", "ASK", "AWAIT")
    phase = Signal(phases.PASS)
    cost = Signal(intbv(0)[COST_BITS:])
    slopes, kept_slopes = ([Signal(intbv(0)[SLOPE_BITS:]) for _ in range(CONTEXTS)] for _ in range(2))

    @always_comb
    def number():
        at = intbv(0, min=0, max=RANGE)
        at[:] = 0
        for i in range(CONTEXTS):
            if regs.contexts > i:
                at[:] = at + sub_block
        first_number.next = at

    @always_comb
    def choose():
        unit_start.next = decide or phase == phases.ASK
        next_turn.next = turn + 1
        if phase == phases.PASS:
            at_context.next = context_number
            counted.next = count
        else:
            at_context.next = turn
            counted.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def take_turns():
        followed.next = 0
        if phase == phases.PASS:
            if follow:
                turn.next = 0
                phase.next = phases.ASK
        elif phase == phases.ASK:
            phase.next = phases.AWAIT
        elif phase == phases.AWAIT:
            if unit_done:
                if next_turn == regs.contexts:
                    followed.next = 1
                    phase.next = phases.PASS
                else:
                    turn.next = next_turn
                    phase.next = phases.ASK

    @always_comb
    def add():
        index.next = first_number + at_context

    @always_comb
    def cut():
        unit_index.next = index[BITS:]

    @always_comb
    def look_back():
        lead.next = 0
        for i in range(CONTEXTS):
            if at_context == i and reused[i]:
                lead.next = 1

    unit = dtsm_unit(
        clk=clk, aresetn=aresetn, start=unit_start, index=unit_index, count=counted, total=regs.codes_total,
        threshold=header.threshold, forced=header.force, follows=header.follow, lead=lead,
        affordable=affordable, error_weight=header.error_weight, gain=header.slope_gain, streak_step=regs.streak_step,
        tight=regs.tight, loose=regs.loose, max_streak=regs.max_streak, slope_max=regs.slope_max, new_image=new_image,
        done=unit_done, reuse=reuse, slope=slope, slot=slot, cost=cost, entries=entries,
    )  # fmt: skip

    meter = meter_unit(
        clk=clk, aresetn=aresetn, new_image=new_image, start=unit_start, number=at_context, cost=cost,
        limit=regs.error_max, keep=reused_now, spent=spent, affordable=affordable,
        show=regs.error_context, shown=error, contexts=config.max_contexts,
    )  # fmt: skip

    @always_comb
    def book():
        reused_now.next = unit_done and reuse

    @always_seq(clk.posedge, reset=aresetn)
    def remember():
        if pass_begin:
            for i in range(CONTEXTS):
                reused.next[i] = regs.contexts > i and not computes[i] and not first and detect
                forecasts.next[i] = not first and detect and slopes[i] != 0
                slots_before.next[i] = slots[i]
                kept_slopes[i].next = slopes[i]
                if first or not whole:
                    computes.next[i] = regs.contexts > i
                    slopes[i].next = 0
        elif unit_done:
            for i in range(CONTEXTS):
                if at_context == i:
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

    return number, choose, take_turns, add, cut, look_back, unit, meter, book, remember, look_up, tell
