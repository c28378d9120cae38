"""Skip controller: per context and sub-block, compute or reuse.

Takes the CCU's count of a context at ``decide``, asks the DTSM, and keeps the answers of the current sub-block
(``computes``) and of the one before (``reused``, which tells the pass where its branch is).
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from accel.command import dim, flag
from accel.config import bits_for
from accel.units.dtsm import dtsm_unit


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
    decided,
    reuse,
    computes,
    reused,
    any_computes,
    index,
    regs,
    config,
):
    """Decide.

    pass_begin: pulse at the start of a pass: ``reused`` takes the decisions of the sub-block before, ``computes``
    is set for every context. first: with pass_begin, the pass has no sub-block before it. detect: low in dense runs.
    decided: pulse, ``reuse`` is the answer to ``decide``. index: of the decision, sub_block * contexts + context.
    """
    CONTEXTS = config.max_contexts
    entries = config.max_sub_blocks * config.max_contexts
    unit_index = Signal(intbv(0)[bits_for(entries) :])
    BITS = len(unit_index)
    unit_done = flag()
    product = dim()

    @always_comb
    def number():
        product.next = sub_block * regs.contexts

    @always_comb
    def add():
        index.next = product + context_number

    @always_comb
    def cut():
        unit_index.next = index[BITS:]

    unit = dtsm_unit(
        clk=clk, aresetn=aresetn, start=decide, index=unit_index, count=count, total=regs.codes_total,
        threshold=header.threshold, forced=header.force, streak_step=regs.streak_step, tight=regs.tight,
        loose=regs.loose, max_streak=regs.max_streak, new_image=new_image, done=unit_done, reuse=reuse,
        entries=entries,
    )  # fmt: skip

    @always_seq(clk.posedge, reset=aresetn)
    def remember():
        if pass_begin:
            for i in range(CONTEXTS):
                reused.next[i] = regs.contexts > i and not computes[i] and not first and detect
                computes.next[i] = regs.contexts > i
        elif unit_done:
            for i in range(CONTEXTS):
                if context_number == i:
                    computes.next[i] = not reuse

    @always_comb
    def tell():
        decided.next = unit_done
        any_computes.next = computes != 0

    return number, add, cut, unit, remember, tell
