"""Timestep sequencer: pass, decide, compute or skip, sub-block after sub-block.

A sub-block that follows the one before it, or the first one the plan, is decided first; if no context computes it, its
pass only adds. With ``stream_scope`` the decisions of the first hold for the timestep; if no context computes, the last
pass comes next.
"""

from myhdl import Signal, always, always_comb, always_seq, block, enum

from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.accel.interfaces.control import OperandFetch
from radit.accel.interfaces.signals import address, dim, flag


class Steps:
    """What happens in this cycle, one flag each.

    begins: the timestep starts. takes_over: the loaded conditioning becomes the current sub-block's; renews: the cycle
    after. decides_first: its decisions come before its pass; asks: they are asked for. opens: its pass starts.
    decides: decisions may come. computes: its engine starts. Driven by ``run_phases``, ``decides_first`` by
    ``start_parts``.
    loaded: the conditioning is there, and the codes of the sub-block before are written; driven by ``start_parts``.
    """

    def __init__(self) -> None:
        self.begins = flag()
        self.takes_over = flag()
        self.renews = flag()
        self.decides_first = flag()
        self.asks = flag()
        self.opens = flag()
        self.decides = flag()
        self.computes = flag()
        self.loaded = flag()


@block
def locate_operands(clk, aresetn, steps, mode, control, computes, progress, regs, config):
    """Number of the current sub-block, and where its weights, parameters, conditioning and results lie."""
    fetch, conditioning = control.fetch, control.conditioning
    next_block, vector_beats = dim(), dim()
    results = address()
    choice = size_operands(fetch=fetch, progress=progress, regs=regs, config=config)

    @always_comb
    def look_ahead():
        next_block.next = progress.sub_block + 1

    @always(clk.posedge)
    def size_parts():  # of registers that have stood still since before START
        vector_beats.next = regs.contexts * regs.hidden
        results.next = regs.contexts * regs.sub_block_words

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if steps.begins:
            progress.sub_block.next = 0
            fetch.weight_addr.next = regs.weight_base
            fetch.param_addr.next = regs.param_base
            progress.offset.next = 0
            progress.offset_before.next = 0
            conditioning.base.next = regs.mod_base
            conditioning.half.next = 0
        elif steps.opens and not progress.last_pass:
            conditioning.base.next = conditioning.base + vector_beats + HEADER_BEATS
            conditioning.half.next = not conditioning.half
        elif progress.advances:
            if mode.stream_scope and not computes.any:
                progress.sub_block.next = regs.sub_blocks
            else:
                progress.sub_block.next = next_block
            fetch.weight_addr.next = fetch.weight_addr + fetch.weight_words
            fetch.param_addr.next = fetch.param_addr + fetch.param_entries
            progress.offset_before.next = progress.offset
            progress.offset.next = progress.offset + results

    return choice, look_ahead, size_parts, advance


@block
def size_operands(fetch, progress, regs, config):
    """How much a sub-block fetches. Combinational."""
    others = OperandFetch() if config.max_text else fetch
    sizes = size_two_kinds(fetch=others, progress=progress, regs=regs)
    if not config.max_text:
        return sizes
    return sizes, size_cross(others=others, fetch=fetch, progress=progress, regs=regs)


@block
def size_two_kinds(fetch, progress, regs):
    """How much an attention, or an MLP, fetches. Combinational."""
    attention_entries, mlp_entries = dim(), dim()

    @always_comb
    def count_entries():
        attention_entries.next = regs.hidden + regs.hidden + regs.hidden
        mlp_entries.next = regs.mlp + regs.hidden

    @always_comb
    def choose_sizes():
        if progress.attention:
            fetch.weight_words.next = regs.attention_words
            fetch.param_entries.next = attention_entries
        else:
            fetch.weight_words.next = regs.mlp_words
            fetch.param_entries.next = mlp_entries

    return count_entries, choose_sizes


@block
def size_cross(others, fetch, progress, regs):
    """``fetch`` is that of the ``others``, or of a cross-attention. Combinational."""

    @always_comb
    def choose_sizes():
        fetch.weight_words.next = others.weight_words
        fetch.param_entries.next = others.param_entries
        if progress.crosses:
            fetch.weight_words.next = regs.cross_words
            fetch.param_entries.next = regs.hidden + regs.hidden

    return choose_sizes


@block
def number_blocks(progress):
    """Kind of the current sub-block and parity of its block, where blocks are attention and MLP. Combinational."""

    @always_comb
    def read_number():
        progress.attention.next = not progress.sub_block[0]
        progress.odd_block.next = progress.sub_block[1]

    return read_number


@block
def walk_blocks(clk, aresetn, steps, progress, regs):
    """The same where blocks may have a cross-attention in between."""

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if steps.begins:
            progress.attention.next = 1
            progress.crosses.next = 0
            progress.odd_block.next = 0
        elif progress.advances:
            progress.attention.next = 0
            progress.crosses.next = 0
            if progress.attention:
                if progress.odd_block:
                    progress.crosses.next = regs.cross_odd
                else:
                    progress.crosses.next = regs.cross_even
            elif not progress.crosses:
                progress.attention.next = 1
                progress.odd_block.next = not progress.odd_block

    return advance


@block
def order_prompt(clk, aresetn, steps, progress, prompt, regs):
    """Ask for the prompt's keys and values when a cross-attention starts, and know where they lie."""
    words = address()

    @always_comb
    def count_words():
        words.next = regs.contexts * regs.prompt_words

    @always_seq(clk.posedge, reset=aresetn)
    def order():
        prompt.start.next = steps.computes and progress.crosses
        if steps.begins:
            prompt.base.next = regs.prompt_base
        elif progress.advances and progress.crosses:
            prompt.base.next = prompt.base + words

    return count_words, order


@block
def fetch_operands(clk, aresetn, steps, mode, fetch, decision, header, progress, regs):
    """Ask for weights and parameters as soon as it is sure that some context computes, once in a sub-block: at the
    start of the pass in dense runs, in forced timesteps and where the timestep is decided, else with the first
    decision to compute."""
    fetched = flag()

    @always_seq(clk.posedge, reset=aresetn)
    def start_fetch():
        fetch.start.next = 0
        if steps.renews:
            fetched.next = 0
        elif steps.opens and not progress.last_pass:
            if not fetched and (not regs.policy or header.force or (mode.stream_scope and not progress.first_pass)):
                fetch.start.next = 1
                fetched.next = 1
        elif steps.decides:
            if decision.valid and not decision.reuse and not fetched:
                fetch.start.next = 1
                fetched.next = 1

    return start_fetch


@block
def describe_progress(mode, control, computes, header, progress, regs):
    """What follows from the sub-block's number. Combinational."""

    @always_comb
    def number_passes():
        progress.first_pass.next = progress.sub_block == 0
        progress.last_pass.next = progress.sub_block == regs.sub_blocks
        control.conditioning.current_half.next = progress.sub_block[0]

    @always_comb
    def look_ahead():
        progress.follows.next = (
            regs.policy
            and progress.sub_block != regs.sub_blocks
            and (header.follow or (mode.stream_scope and progress.sub_block != 0))
        )
        progress.adds_only.next = (
            regs.policy and progress.sub_block != regs.sub_blocks and header.follow and not computes.any
        )

    return number_passes, look_ahead


@block
def run_phases(clk, aresetn, host, control, computes, progress, steps, activity):
    """The phases of a sub-block, one after the other."""
    phases = enum(
        "IDLE", "LOAD", "TAKE_OVER", "DECIDE_FIRST", "OPEN_PASS", "PASS", "CHOOSE", "COMPUTE", "ADVANCE", "FINISH"
    )
    phase = Signal(phases.IDLE)
    conditioning, write_back = control.conditioning, control.write_back

    @always_comb
    def announce_steps():
        steps.begins.next = phase == phases.IDLE and host.start
        steps.takes_over.next = phase == phases.LOAD and steps.loaded
        steps.renews.next = phase == phases.TAKE_OVER
        steps.asks.next = phase == phases.OPEN_PASS and steps.decides_first
        steps.opens.next = phase == phases.OPEN_PASS and not steps.decides_first
        steps.decides.next = phase == phases.DECIDE_FIRST or phase == phases.PASS
        steps.computes.next = phase == phases.CHOOSE and computes.any
        progress.advances.next = phase == phases.ADVANCE
        host.running.next = phase != phases.IDLE

    @always_comb
    def report_activity():
        activity.computing.next = phase == phases.COMPUTE
        activity.loads.next = phase == phases.LOAD and not conditioning.loaded
        activity.writes.next = phase == phases.FINISH or (phase == phases.LOAD and not write_back.history_idle)

    @always_seq(clk.posedge, reset=aresetn)
    def step_phase():
        if steps.begins or phase == phases.ADVANCE:
            phase.next = phases.LOAD
        elif steps.takes_over:
            phase.next = phases.TAKE_OVER
        elif steps.renews:
            phase.next = phases.OPEN_PASS
        elif steps.asks:
            phase.next = phases.DECIDE_FIRST
        elif steps.opens:
            phase.next = phases.PASS
        elif phase == phases.DECIDE_FIRST:
            if control.follow.done:
                phase.next = phases.OPEN_PASS
        elif phase == phases.PASS:
            if control.streaming_pass.done:
                if progress.last_pass:
                    phase.next = phases.FINISH
                else:
                    phase.next = phases.CHOOSE
        elif phase == phases.CHOOSE:
            if computes.any:
                phase.next = phases.COMPUTE
            else:
                phase.next = phases.ADVANCE
        elif phase == phases.COMPUTE:
            if control.engine.done:
                phase.next = phases.ADVANCE
        elif phase == phases.FINISH:
            if write_back.cache_idle and write_back.history_idle:
                phase.next = phases.IDLE

    return announce_steps, report_activity, step_phase


@block
def start_parts(clk, aresetn, mode, control, progress, steps):
    """Start what each step stands for, in the cycle after it."""
    conditioning, streaming_pass, write_back = control.conditioning, control.streaming_pass, control.write_back
    decided_first = flag()
    guard = flag()  # the loader has not yet seen the fetch of a moment ago

    @always_comb
    def check_loaded():
        steps.loaded.next = conditioning.loaded and write_back.history_idle and not guard and not conditioning.fetch

    @always_comb
    def choose_opening():
        steps.decides_first.next = (
            progress.follows and not decided_first and (progress.first_pass or not mode.stream_scope)
        )

    @always_seq(clk.posedge, reset=aresetn)
    def start():
        guard.next = steps.begins or progress.advances
        conditioning.fetch.next = steps.begins or (steps.opens and not progress.last_pass)
        conditioning.take.next = steps.takes_over
        streaming_pass.begin.next = steps.takes_over
        streaming_pass.start.next = steps.opens
        control.follow.start.next = steps.asks
        control.engine.start.next = steps.computes
        write_back.start_history.next = steps.computes
        if steps.renews:
            decided_first.next = 0
        elif steps.decides and control.follow.done:
            decided_first.next = 1

    return check_loaded, choose_opening, start


@block
def timestep_sequencer(clk, aresetn, host, mode, control, decisions, header, progress, activity, regs, config):
    """Run one timestep on ``host.start``; ``host.running`` until everything is written.

    control: TimestepControl, all parts that are started and waited for. activity: what the sequencer waits for.
    """
    steps, computes = Steps(), decisions.computes
    phases = run_phases(
        clk=clk, aresetn=aresetn, host=host, control=control, computes=computes, progress=progress, steps=steps,
        activity=activity,
    )  # fmt: skip
    starting = start_parts(clk=clk, aresetn=aresetn, mode=mode, control=control, progress=progress, steps=steps)
    description = describe_progress(
        mode=mode, control=control, computes=computes, header=header, progress=progress, regs=regs
    )
    if config.max_text:
        kinds = (
            walk_blocks(clk=clk, aresetn=aresetn, steps=steps, progress=progress, regs=regs),
            order_prompt(clk=clk, aresetn=aresetn, steps=steps, progress=progress, prompt=control.prompt, regs=regs),
        )
    else:
        kinds = number_blocks(progress=progress)
    addresses = locate_operands(
        clk=clk, aresetn=aresetn, steps=steps, mode=mode, control=control, computes=computes, progress=progress,
        regs=regs, config=config,
    )  # fmt: skip
    fetching = fetch_operands(
        clk=clk, aresetn=aresetn, steps=steps, mode=mode, fetch=control.fetch, decision=decisions.decision,
        header=header, progress=progress, regs=regs,
    )  # fmt: skip
    return phases, starting, description, kinds, addresses, fetching
