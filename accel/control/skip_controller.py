"""Skip controller: per context and sub-block, compute or reuse.

Takes the CCU's count of a context from the pass, asks the DTSM, and keeps the answers of the current sub-block
(``ComputeSet``) and of the one before (``ReuseSet``), which tell the pass where its branch is and what becomes of it. A
sub-block that follows the one before it, or the first one the plan, is decided before its pass, all contexts in turn.
"""

from myhdl import Signal, always_comb, always_seq, block, enum, intbv

from radit.accel.config import bits_for
from radit.accel.interfaces.signals import DIM_BITS, dim, flag, word
from radit.accel.units.dtsm import dtsm_unit
from radit.model.formats import SLOPE_BITS


class Turn:
    """The decision at hand.

    start: flag, a pulse, the DTSM is to decide. context: dim, for which. leads: flag, the context reused the sub-block
    before, or is to reuse the first one by the plan. Driven by ``take_turns`` and ``look_back``.
    done: flag, a pulse, it has decided. slot: flag, of the cache, that the context's result goes to or is in. Driven by
    the DTSM.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.context = dim()
        self.leads = flag()
        self.done = flag()
        self.slot = flag()


@block
def look_back(progress, reuses, header, turn, config):
    """What the context of this turn did in the sub-block before, or is to do in the first one by the plan."""
    CONTEXTS = config.max_contexts

    @always_comb
    def find_lead():
        turn.leads.next = 0
        if progress.first_pass:
            if turn.context[0]:
                turn.leads.next = not header.plan[1]
            else:
                turn.leads.next = not header.plan[0]
        for i in range(CONTEXTS):
            if not progress.first_pass and turn.context == i and reuses.contexts[i]:
                turn.leads.next = 1

    return find_lead


@block
def take_turns(clk, aresetn, follow, decisions, progress, turn, regs, config):
    """Whose turn it is: the context that the pass asks for, or, after ``follow.start``, every context without a
    count."""
    CONTEXTS, RANGE = config.max_contexts, 1 << DIM_BITS
    request, decision = decisions.request, decisions.decision
    phases = enum("PASS", "ASK", "AWAIT")
    phase = Signal(phases.PASS)
    first_index, own_turn, next_turn = dim(), dim(), dim()

    @always_comb
    def index_sub_block():
        total = intbv(0, min=0, max=RANGE)
        total[:] = 0
        for i in range(CONTEXTS):
            if regs.contexts > i:
                total[:] = total + progress.sub_block
        first_index.next = total

    @always_comb
    def choose_context():
        turn.start.next = request.valid or phase == phases.ASK
        next_turn.next = own_turn + 1
        if phase == phases.PASS:
            turn.context.next = request.context
            decision.counted.next = request.count
        else:
            turn.context.next = own_turn
            decision.counted.next = 0

    @always_comb
    def index_decision():
        decision.index.next = first_index + turn.context

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        follow.done.next = 0
        if phase == phases.PASS:
            if follow.start:
                own_turn.next = 0
                phase.next = phases.ASK
        elif phase == phases.ASK:
            phase.next = phases.AWAIT
        elif phase == phases.AWAIT:
            if turn.done:
                if next_turn == regs.contexts:
                    follow.done.next = 1
                    phase.next = phases.PASS
                else:
                    own_turn.next = next_turn
                    phase.next = phases.ASK

    return index_sub_block, choose_context, index_decision, sequence


@block
def keep_decisions(clk, aresetn, streaming_pass, progress, mode, decisions, turn, regs, config):
    """The decisions of the current sub-block, and from ``streaming_pass.begin`` on those of the one before.

    With ``mode.stream_scope`` the decisions of the first pass hold until the last: all of them are the same
    sub-block's.
    """
    CONTEXTS = config.max_contexts
    computes, reuses, decision = decisions.computes, decisions.reuses, decisions.decision
    slopes, slopes_before = ([word(SLOPE_BITS) for _ in range(CONTEXTS)] for _ in range(2))

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        if streaming_pass.begin:
            for i in range(CONTEXTS):
                reuses.contexts.next[i] = (
                    regs.contexts > i and not computes.contexts[i] and not progress.first_pass and regs.policy
                )
                reuses.forecasts.next[i] = not progress.first_pass and regs.policy and slopes[i] != 0
                reuses.slots.next[i] = computes.slots[i]
                slopes_before[i].next = slopes[i]
                if progress.first_pass or not mode.stream_scope:
                    computes.contexts.next[i] = regs.contexts > i
                    slopes[i].next = 0
        elif turn.done:
            for i in range(CONTEXTS):
                if turn.context == i:
                    computes.contexts.next[i] = not decision.reuse
                    computes.slots.next[i] = turn.slot
                    slopes[i].next = decision.slope

    @always_comb
    def choose_slope():
        reuses.slope.next = 0
        for i in range(CONTEXTS):
            if reuses.front_context == i:
                reuses.slope.next = slopes_before[i]

    @always_comb
    def report():
        decision.valid.next = turn.done
        computes.any.next = computes.contexts != 0

    return keep, choose_slope, report


@block
def skip_controller(clk, aresetn, host, streaming_pass, follow, progress, mode, decisions, header, regs, config):
    """Decide. streaming_pass: PassControl. follow: FollowControl."""
    entries = config.max_sub_blocks * config.max_contexts
    unit_index = word(bits_for(entries))
    BITS = len(unit_index)
    turn, decision = Turn(), decisions.decision
    turns = take_turns(
        clk=clk, aresetn=aresetn, follow=follow, decisions=decisions, progress=progress, turn=turn, regs=regs,
        config=config,
    )  # fmt: skip
    leads = look_back(progress=progress, reuses=decisions.reuses, header=header, turn=turn, config=config)
    sets = keep_decisions(
        clk=clk, aresetn=aresetn, streaming_pass=streaming_pass, progress=progress, mode=mode, decisions=decisions,
        turn=turn, regs=regs, config=config,
    )  # fmt: skip

    @always_comb
    def cut_index():
        unit_index.next = decision.index[BITS:]

    unit = dtsm_unit(
        clk=clk, aresetn=aresetn, start=turn.start, index=unit_index, count=decision.counted, total=regs.codes_total,
        threshold=header.threshold, forced=header.force, follows=header.follow, lead=turn.leads,
        gain=header.slope_gain, streak_step=regs.streak_step, tight=regs.tight, loose=regs.loose,
        max_streak=regs.max_streak, slope_max=regs.slope_max, new_image=host.new_image, done=turn.done,
        reuse=decision.reuse, slope=decision.slope, slot=turn.slot, entries=entries,
    )  # fmt: skip
    return turns, leads, sets, cut_index, unit
