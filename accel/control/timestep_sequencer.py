"""Timestep sequencer: pass, decide, compute or skip, sub-block after sub-block.

A sub-block that follows the one before it is decided first; if no context computes it, its pass only adds. With
``whole`` the decisions of the first hold for the timestep; if no context computes, the last pass comes next.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from accel.interfaces.conditioning import HEADER_BEATS
from accel.interfaces.signals import address, dim, flag


class Progress:
    """Where the timestep stands and the addresses that belong to the current sub-block."""

    def __init__(self) -> None:
        self.sub_block = dim()
        self.first_pass = flag()  # x comes from the host
        self.last_pass = flag()  # x goes to the host
        self.half = flag()  # of the conditioning memories
        self.fetch_half = flag()
        self.fetch_base = address()
        self.weight_addr = address()
        self.weight_words = address()
        self.param_addr = address()
        self.param_entries = dim()
        self.offset = address()  # of the sub-block's context 0 in cache and history
        self.offset_before = address()  # of the sub-block before
        self.follows = flag()  # decided before its pass, without codes
        self.light = flag()  # no context computes it: its pass only adds
        self.attention = flag()
        self.odd_block = flag()
        self.advances = flag()  # the sub-block is over: nothing of it is on its way any more


@block
def timestep_sequencer(
    clk,
    aresetn,
    start,
    running,
    whole,
    fetch,
    loaded,
    take,
    pass_begin,
    pass_start,
    pass_done,
    any_computes,
    compute_start,
    engine_done,
    writers_idle,
    history_idle,
    fetch_weights,
    write_history,
    decided,
    reuse,
    forced,
    follows,
    follow,
    followed,
    at,
    activity,
    regs,
):
    """Run one timestep on ``start`` (pulse); ``running`` until everything is written.

    Pulses out: fetch (conditioning), take (its header), pass_begin and follow (skip controller), pass_start,
    fetch_weights (and parameters), compute_start (engine), write_history (after the decisions). Pulses in: followed,
    pass_done, engine_done. forced, follows: of the header.
    Weights are asked for as soon as it is sure that some context computes: at the start of the pass in dense runs,
    ``forced`` timesteps and where the timestep is decided, else with the first decision (``decided``, not ``reuse``).
    """
    phases = enum(
        "IDLE",
        "LOAD",
        "TAKE_OVER",
        "DECIDE_FIRST",
        "OPEN_PASS",
        "PASS",
        "SKIP_OR_COMPUTE",
        "COMPUTE",
        "ADVANCE",
        "FINISH",
    )
    phase = Signal(phases.IDLE)
    next_block = dim()
    vector_beats, step, attention_entries, mlp_entries = dim(), address(), dim(), dim()
    guard, led, fetched = flag(), flag(), flag()

    @always_comb
    def sizes():
        vector_beats.next = regs.contexts * regs.hidden
        step.next = regs.contexts * regs.sub_block_words
        attention_entries.next = regs.hidden + regs.hidden + regs.hidden
        mlp_entries.next = regs.mlp + regs.hidden
        next_block.next = at.sub_block + 1

    @always_comb
    def describe():
        at.first_pass.next = at.sub_block == 0
        at.last_pass.next = at.sub_block == regs.sub_blocks
        at.half.next = at.sub_block[0]
        at.follows.next = regs.policy and at.sub_block != regs.sub_blocks and (follows or (whole and at.sub_block != 0))
        at.light.next = regs.policy and at.sub_block != regs.sub_blocks and follows and not any_computes
        at.attention.next = not at.sub_block[0]
        at.odd_block.next = at.sub_block[1]
        if at.sub_block[0]:
            at.weight_words.next = regs.mlp_words
            at.param_entries.next = mlp_entries
        else:
            at.weight_words.next = regs.attention_words
            at.param_entries.next = attention_entries
        running.next = phase != phases.IDLE
        at.advances.next = phase == phases.ADVANCE
        activity.computing.next = phase == phases.COMPUTE
        activity.loads.next = phase == phases.LOAD and not loaded
        activity.writes.next = phase == phases.FINISH or (phase == phases.LOAD and not history_idle)

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        fetch.next = 0
        take.next = 0
        follow.next = 0
        pass_begin.next = 0
        pass_start.next = 0
        fetch_weights.next = 0
        compute_start.next = 0
        write_history.next = 0
        guard.next = 0
        if phase == phases.IDLE:
            if start:
                at.sub_block.next = 0
                at.weight_addr.next = regs.weight_base
                at.param_addr.next = regs.param_base
                at.offset.next = 0
                at.offset_before.next = 0
                at.fetch_base.next = regs.mod_base
                at.fetch_half.next = 0
                fetch.next = 1
                guard.next = 1
                phase.next = phases.LOAD
        elif phase == phases.LOAD:
            # guard: the loader has not yet seen the fetch of a moment ago.
            if loaded and history_idle and not guard and not fetch:
                take.next = 1
                pass_begin.next = 1
                phase.next = phases.TAKE_OVER
        elif phase == phases.TAKE_OVER:
            led.next = 0
            fetched.next = 0
            phase.next = phases.OPEN_PASS
        elif phase == phases.DECIDE_FIRST:
            if decided and not reuse and not fetched:
                fetch_weights.next = 1
                fetched.next = 1
            if followed:
                led.next = 1
                phase.next = phases.OPEN_PASS
        elif phase == phases.OPEN_PASS and at.follows and not led and not whole:
            follow.next = 1
            phase.next = phases.DECIDE_FIRST
        elif phase == phases.OPEN_PASS:
            pass_start.next = 1
            if not at.last_pass:
                if not fetched and (not regs.policy or forced or (whole and not at.first_pass)):
                    fetch_weights.next = 1
                    fetched.next = 1
                fetch.next = 1
                at.fetch_base.next = at.fetch_base + vector_beats + HEADER_BEATS
                at.fetch_half.next = not at.fetch_half
            phase.next = phases.PASS
        elif phase == phases.PASS:
            if decided and not reuse and not fetched:
                fetch_weights.next = 1
                fetched.next = 1
            if pass_done:
                if at.last_pass:
                    phase.next = phases.FINISH
                else:
                    phase.next = phases.SKIP_OR_COMPUTE
        elif phase == phases.SKIP_OR_COMPUTE:
            if any_computes:
                compute_start.next = 1
                write_history.next = 1
                phase.next = phases.COMPUTE
            else:
                phase.next = phases.ADVANCE
        elif phase == phases.COMPUTE:
            if engine_done:
                phase.next = phases.ADVANCE
        elif phase == phases.ADVANCE:
            if whole and not any_computes:
                at.sub_block.next = regs.sub_blocks
            else:
                at.sub_block.next = next_block
            at.weight_addr.next = at.weight_addr + at.weight_words
            at.param_addr.next = at.param_addr + at.param_entries
            at.offset_before.next = at.offset
            at.offset.next = at.offset + step
            guard.next = 1
            phase.next = phases.LOAD
        elif phase == phases.FINISH:
            if writers_idle and history_idle:
                phase.next = phases.IDLE

    return sizes, describe, sequence
