"""Sequencer of attention proper: scores and values, one job per context, head and query row tile.

Job i: score tiles (Q of the row tile against K of every column tile of the group), the softmax unit works on them
as they drain, then value tiles (numerators against V). The scores of job i+1 are issued before the values of job
i, so that the array works while the softmax unit does. Groups bound which keys a row tile meets.

The loops advance one step per cycle and tell ``attention_jobs`` and ``attention_addresses`` what they work on.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.interfaces.signals import flag
from radit.accel.sequencers.attention_addresses import (
    ScoreTile,
    ValueTile,
    drain_fields,
    operand_fields,
    score_tile,
    value_tile,
)
from radit.accel.sequencers.attention_jobs import (
    AttentionSteps,
    JobCount,
    ScoreJob,
    ValueJob,
    count_jobs,
    job_keys,
    score_jobs,
    value_jobs,
)
from radit.accel.sequencers.context_walk import ContextWalk, context_walk

PHASES = enum(
    "IDLE", "LOOK", "S_SPLIT", "S_MULTIPLY", "S_ADD", "S_OFFER", "NEXT_JOB", "AWAIT",
    "V_SPLIT", "V_RANGE", "V_MULTIPLY", "V_ADD", "V_PLACE", "V_OFFER", "CHOOSE",
)  # fmt: skip


class AttentionJobs:
    """The two jobs at work: ``scored``, a ScoreJob, and ``valued``, a ValueJob."""

    def __init__(self) -> None:
        self.scored, self.valued = ScoreJob(), ValueJob()


class AttentionTiles:
    """A tile of either: ``score``, a ScoreTile, and ``value``, a ValueTile."""

    def __init__(self) -> None:
        self.score, self.value = ScoreTile(), ValueTile()


@block
def attention_sequencer(clk, aresetn, port, progress, computes, softmax_done, group, activity, regs, config):
    """Emit the score and value tiles of a sub-block.

    port: AttendPort. progress: Progress. computes: ComputeSet. softmax_done: pulse per finished job. group:
    AttentionGroup. activity: Activity. regs: RegisterValues.
    """
    steps, count, walk, jobs, tiles = AttentionSteps(), JobCount(), ContextWalk(), AttentionJobs(), AttentionTiles()
    keys, counting = None, ()
    if config.max_text:
        keys = group
        counting = job_keys(walk=walk, job=jobs.scored, progress=progress, group=group, regs=regs, config=config)
    return (
        counting,
        attention_loops(
            clk=clk, aresetn=aresetn, port=port, steps=steps, walk=walk, jobs=jobs, tiles=tiles, count=count,
            activity=activity,
        ),
        context_walk(clk=clk, aresetn=aresetn, walk=walk, computes=computes, regs=regs, config=config, keys=keys),
        score_jobs(clk=clk, aresetn=aresetn, steps=steps, walk=walk, job=jobs.scored, group=group, regs=regs),
        value_jobs(
            clk=clk, aresetn=aresetn, steps=steps, walk=walk, scored=jobs.scored, job=jobs.valued, config=config
        ),
        count_jobs(clk=clk, aresetn=aresetn, steps=steps, softmax_done=softmax_done, count=count),
        score_tile(
            clk=clk, aresetn=aresetn, steps=steps, job=jobs.scored, tile=tiles.score, group=group, regs=regs,
            config=config,
        ),
        value_tile(
            clk=clk, aresetn=aresetn, steps=steps, job=jobs.valued, tile=tiles.value, group=group, regs=regs,
            config=config,
        ),
        operand_fields(
            clk=clk, aresetn=aresetn, steps=steps, walk=walk, jobs=jobs, tiles=tiles, count=count, cmd=port.cmd,
            group=group, regs=regs, config=config,
        ),
        drain_fields(
            clk=clk, aresetn=aresetn, steps=steps, jobs=jobs, tiles=tiles, count=count, cmd=port.cmd, regs=regs,
            config=config,
        ),
    )  # fmt: skip


@block
def attention_loops(clk, aresetn, port, steps, walk, jobs, tiles, count, activity):
    """Scores of one job, then values of the one before; offer one command after the other."""
    phase = Signal(PHASES.IDLE)
    has_pending, exhausted = flag(), flag()
    phase_walk = attention_phases(
        clk=clk, aresetn=aresetn, phase=phase, port=port, walk=walk, tiles=tiles, count=count, has_pending=has_pending,
        exhausted=exhausted,
    )  # fmt: skip

    @always_comb
    def drive_jobs():
        steps.start.next = phase == PHASES.IDLE and port.start
        steps.skip_context.next = phase == PHASES.LOOK and not walk.computes
        steps.next_job.next = phase == PHASES.NEXT_JOB
        steps.take_last.next = phase == PHASES.CHOOSE and exhausted and has_pending
        steps.begin_values.next = phase == PHASES.AWAIT and count.ready

    @always_comb
    def drive_stages():
        steps.score_split.next = phase == PHASES.S_SPLIT
        steps.score_multiply.next = phase == PHASES.S_MULTIPLY
        steps.score_add.next = phase == PHASES.S_ADD
        steps.value_split.next = phase == PHASES.V_SPLIT
        steps.value_range.next = phase == PHASES.V_RANGE
        steps.value_multiply.next = phase == PHASES.V_MULTIPLY
        steps.value_add.next = phase == PHASES.V_ADD
        steps.value_place.next = phase == PHASES.V_PLACE

    @always_comb
    def drive_offers():
        port.cmd.valid.next = phase == PHASES.S_OFFER or phase == PHASES.V_OFFER
        steps.score_taken.next = phase == PHASES.S_OFFER and port.cmd.ready
        steps.value_taken.next = phase == PHASES.V_OFFER and port.cmd.ready
        activity.awaits_softmax.next = phase == PHASES.AWAIT and not count.ready

    @always_seq(clk.posedge, reset=aresetn)
    def remember_jobs():
        if steps.start:
            has_pending.next = 0
            exhausted.next = 0
        elif steps.next_job:
            has_pending.next = 1
            if jobs.scored.is_last:
                exhausted.next = 1
        elif steps.take_last:
            has_pending.next = 0

    return phase_walk, drive_jobs, drive_stages, drive_offers, remember_jobs


@block
def attention_phases(clk, aresetn, phase, port, walk, tiles, count, has_pending, exhausted):
    """The state of ``attention_loops``. has_pending: a scored job waits for its values. exhausted: none is to score."""

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        port.done.next = 0
        if phase == PHASES.IDLE:
            if port.start:
                phase.next = PHASES.LOOK
        elif phase == PHASES.LOOK:
            if walk.computes:
                phase.next = PHASES.S_SPLIT
        elif phase == PHASES.S_SPLIT:
            phase.next = PHASES.S_MULTIPLY
        elif phase == PHASES.S_MULTIPLY:
            phase.next = PHASES.S_ADD
        elif phase == PHASES.S_ADD:
            phase.next = PHASES.S_OFFER
        elif phase == PHASES.S_OFFER:
            if port.cmd.ready:
                phase.next = PHASES.S_SPLIT
                if tiles.score.is_last:
                    phase.next = PHASES.NEXT_JOB
        elif phase == PHASES.NEXT_JOB:
            phase.next = PHASES.CHOOSE
            if has_pending:
                phase.next = PHASES.AWAIT
        elif phase == PHASES.AWAIT:
            if count.ready:
                phase.next = PHASES.V_SPLIT
        elif phase == PHASES.V_SPLIT:
            phase.next = PHASES.V_RANGE
        elif phase == PHASES.V_RANGE:
            phase.next = PHASES.V_MULTIPLY
        elif phase == PHASES.V_MULTIPLY:
            phase.next = PHASES.V_ADD
        elif phase == PHASES.V_ADD:
            phase.next = PHASES.V_PLACE
        elif phase == PHASES.V_PLACE:
            phase.next = PHASES.V_OFFER
        elif phase == PHASES.V_OFFER:
            if port.cmd.ready:
                phase.next = PHASES.V_RANGE
                if tiles.value.is_last:
                    phase.next = PHASES.CHOOSE
        elif not exhausted:
            phase.next = PHASES.LOOK
        elif has_pending:
            phase.next = PHASES.AWAIT
        else:
            phase.next = PHASES.IDLE
            port.done.next = 1

    return sequence
