"""Sequencer of a sub-block: runs the program of its kind (``sub_block_programs``) step by step."""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.interfaces.signals import flag, word
from radit.accel.sequencers.sub_block_programs import ProgramTable, StepFacts
from radit.accel.sequencers.table import table_column, table_facts


@block
def sub_block_sequencer(clk, aresetn, control, prompt, kind, linear, attend, attends, core, activity, config):
    """Run the program of a sub-block.

    control: EngineControl. prompt: PromptFetch. kind: number of the program, stable from ``control.start`` to
    ``control.done``. linear: LinearPort. attend: AttendPort. attends: flag, high while attention proper gives the
    commands. core: CoreControl. activity: Activity; the phase follows ``kind`` between two sub-blocks.
    """
    table = ProgramTable(config)
    first_step, step = word(table.bits), word(table.bits)
    launch, finished, runs, settles = (flag() for _ in range(4))
    quiet, waits, facts = core.quiet, (), StepFacts()
    if config.max_text:
        quiet = flag()
        waits = await_prompt(prompt=prompt, core=core, settles=settles, quiet=quiet, activity=activity)
    steps = step_loop(
        clk=clk, aresetn=aresetn, control=control, first_step=first_step, step=step, facts=facts, launch=launch,
        finished=finished, quiet=quiet, runs=runs, settles=settles,
    )  # fmt: skip
    first = table_column(index=kind, dst=first_step, values=table.first)
    current = table_facts(index=step, facts=facts, table=table.steps)

    @always_comb
    def drive_ports():
        finished.next = linear.done or attend.done
        linear.start.next = launch and not facts.attends
        linear.product.next = facts.product
        attend.start.next = launch and facts.attends
        attends.next = runs and facts.attends
        core.attending.next = launch and facts.attends

    @always_comb
    def drive_activity():
        activity.engine_phase.next = facts.phase
        activity.settles.next = settles

    return waits, steps, first, current, drive_ports, drive_activity


@block
def await_prompt(prompt, core, settles, quiet, activity):
    """``quiet``: that of the core, and no word of the prompt is on its way. Combinational."""

    @always_comb
    def drive_quiet():
        quiet.next = core.quiet and not prompt.busy
        activity.lacks_prompt.next = settles and core.quiet and prompt.busy

    return drive_quiet


@block
def step_loop(clk, aresetn, control, first_step, step, facts, launch, finished, quiet, runs, settles):
    """Walk ``step`` through a program.

    first_step: of the program. facts: StepFacts of ``step``. launch: pulse, the step begins. finished: pulse, its last
    command is in the array. quiet: its last word is in memory. runs, settles: flags, before and after ``finished``.
    """
    phases = enum("IDLE", "RUN", "SETTLE")
    phase = Signal(phases.IDLE)
    kept_step = word(len(step))
    settle = flag()

    @always_comb
    def drive_step():
        step.next = kept_step
        if phase == phases.IDLE:
            step.next = first_step

    @always_comb
    def drive_phase():
        runs.next = phase == phases.RUN
        settles.next = phase == phases.SETTLE

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        launch.next = 0
        control.done.next = 0
        settle.next = 0
        if phase == phases.IDLE:
            if control.start:
                kept_step.next = first_step
                launch.next = 1
                phase.next = phases.RUN
        elif phase == phases.RUN:
            if finished and facts.barrier:
                settle.next = 1  # the last command may not have reached the array, which is quiet all the same
                phase.next = phases.SETTLE
            elif finished:
                kept_step.next = kept_step + 1
                launch.next = 1
        elif quiet and not settle:
            if facts.is_last:
                control.done.next = 1
                phase.next = phases.IDLE
            else:
                kept_step.next = kept_step + 1
                launch.next = 1
                phase.next = phases.RUN

    return drive_step, drive_phase, sequence
