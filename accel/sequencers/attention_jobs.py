"""The jobs of attention proper: one per context, head and query row tile; its scores first, then its values."""

from myhdl import always_comb, always_seq, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.signals import address, dim, flag, word
from radit.accel.memory.prompt import text_keys
from radit.accel.units.delay_lines import gated_register

JOB_BITS = 2  # of the number of a job, modulo 4: at most two are on their way


class AttentionSteps:
    """What happens in this cycle.

    Signals, 1 bit each, all of them from ``attention_loops``:
        start: the first job begins.
        skip_context: the context at hand does not compute.
        score_split, score_multiply, score_add: the stage of a score tile's addresses that works.
        score_taken: a score tile is accepted.
        next_job: the scored job waits for its values, the next one moves up.
        take_last: no job is left to score, the last one's values are due.
        begin_values: the numerators of the job whose values are due are there.
        value_split, value_range, value_multiply, value_add, value_place: the stage of a value tile's addresses.
        value_taken: a value tile is accepted.
    """

    def __init__(self) -> None:
        self.start, self.skip_context, self.next_job, self.take_last, self.begin_values = (flag() for _ in range(5))
        self.score_split, self.score_multiply, self.score_add, self.score_taken = (flag() for _ in range(4))
        self.value_split, self.value_range, self.value_multiply, self.value_add = (flag() for _ in range(4))
        self.value_place, self.value_taken = (flag() for _ in range(2))


class ScoreJob:
    """The job whose scores are due.

    Signals, all of them from ``score_jobs``:
        channel: ``DIM_BITS``, first channel of its head.
        row_tile: ``DIM_BITS``, of its queries, in the context.
        group_col: ``DIM_BITS``, first column tile of its attention group, in the context.
        is_last: 1 bit, no other job follows; valid from the stage after ``score_split`` on.
    Signal of builds with text, from ``job_keys``:
        keys: ``DIM_BITS``, keys of its context whose scores are drained.
    """

    def __init__(self) -> None:
        self.channel, self.row_tile, self.group_col, self.keys = (dim() for _ in range(4))
        self.is_last = flag()


class ValueJob:
    """The job whose values are due.

    Signals, all of them from ``value_jobs``:
        channel: ``DIM_BITS``, first channel of its head.
        row_tile: ``DIM_BITS``, of its queries, in the context.
        rows: ``ADDRESS_BITS``, first row tile of its context.
        tokens: ``ADDRESS_BITS``, first token of its attention group.
        keys: ``DIM_BITS``, as of its ScoreJob; builds with text.
    """

    def __init__(self) -> None:
        self.channel, self.row_tile, self.keys = dim(), dim(), dim()
        self.rows, self.tokens = address(), address()


class JobCount:
    """How far softmax and values are.

    Signals, all of them from ``count_jobs``:
        ready: 1 bit, the numerators of the job whose values are due are there.
        is_odd: 1 bit, of the job whose values were begun: its numerators lie in the upper half of their memory.
    """

    def __init__(self) -> None:
        self.ready, self.is_odd = flag(), flag()


@block
def score_jobs(clk, aresetn, steps, walk, job, group, regs):
    """Walk ``job`` through contexts, heads and row tiles.

    steps: AttentionSteps. walk: ContextWalk, which this drives. job: ScoreJob. group: AttentionGroup. regs:
    RegisterValues.
    """
    head, row_in_group = dim(), dim()
    next_row, next_in_group, next_head = (dim() for _ in range(3))
    ends_head, ends_context = flag(), flag()

    @always_comb
    def drive_ends():
        ends_head.next = next_row == regs.row_tiles
        ends_context.next = next_row == regs.row_tiles and next_head == regs.heads
        job.is_last.next = next_row == regs.row_tiles and next_head == regs.heads and walk.is_last

    @always_comb
    def drive_walk():
        walk.restart.next = steps.start
        walk.step.next = steps.skip_context or (steps.next_job and ends_context)

    @always_seq(clk.posedge, reset=aresetn)
    def look_ahead():
        if steps.score_split:
            next_row.next = job.row_tile + 1
            next_in_group.next = row_in_group + 1
            next_head.next = head + 1

    @always_seq(clk.posedge, reset=aresetn)
    def advance_job():
        if steps.start:
            head.next = 0
            job.channel.next = 0
            job.row_tile.next = 0
            row_in_group.next = 0
            job.group_col.next = 0
        elif steps.next_job:
            job.row_tile.next = next_row
            row_in_group.next = next_in_group
            if next_in_group == group.row_tiles:
                row_in_group.next = 0
                job.group_col.next = job.group_col + group.col_tiles
            if ends_head:
                job.row_tile.next = 0
                row_in_group.next = 0
                job.group_col.next = 0
                head.next = next_head
                job.channel.next = job.channel + regs.head_dim
            if ends_context:
                head.next = 0
                job.channel.next = 0

    return drive_ends, drive_walk, look_ahead, advance_job


@block
def value_jobs(clk, aresetn, steps, walk, scored, job, config):
    """Keep the scored job until the next one is scored, then hand it to ``job``.

    steps: AttentionSteps. walk: ContextWalk. scored: ScoreJob. job: ValueJob.
    """
    LOG_COLS = log2_exact(config.cols)
    pending, handed = ValueJob(), flag()
    keeps = ()
    if config.max_text:
        keeps = (
            gated_register(clk=clk, enable=steps.next_job, src=scored.keys, dst=pending.keys),
            gated_register(clk=clk, enable=handed, src=pending.keys, dst=job.keys),
        )

    @always_comb
    def drive_handed():
        handed.next = steps.next_job or steps.take_last

    @always_seq(clk.posedge, reset=aresetn)
    def keep_scored():
        if steps.next_job:
            pending.channel.next = scored.channel
            pending.row_tile.next = scored.row_tile
            pending.rows.next = walk.rows
            pending.tokens.next = walk.tokens + (scored.group_col << LOG_COLS)

    @always_seq(clk.posedge, reset=aresetn)
    def hand_over():
        if handed:
            job.channel.next = pending.channel
            job.row_tile.next = pending.row_tile
            job.rows.next = pending.rows
            job.tokens.next = pending.tokens

    return keeps, drive_handed, keep_scored, hand_over


@block
def job_keys(walk, job, progress, group, regs, config):
    """``job.keys``: text tokens of the context in a cross-attention, else the group's, padded. Combinational."""
    LOG_COLS = log2_exact(config.cols)
    texts = dim()
    choice = text_keys(number=walk.number, dst=texts, regs=regs, config=config)

    @always_comb
    def drive_keys():
        job.keys.next = group.col_tiles << LOG_COLS
        if progress.crosses:
            job.keys.next = texts

    return choice, drive_keys


@block
def count_jobs(clk, aresetn, steps, softmax_done, count):
    """Count jobs modulo 4. softmax_done: pulse per job whose numerators are in memory."""
    LAST = (1 << JOB_BITS) - 1
    done, valued = word(JOB_BITS), word(JOB_BITS)

    @always_comb
    def drive_count():
        count.ready.next = done != valued
        count.is_odd.next = not valued[0]  # ``valued`` counts the job at work

    @always_seq(clk.posedge, reset=aresetn)
    def count_done():
        if steps.start:
            done.next = 0
        elif softmax_done:
            if done == LAST:
                done.next = 0
            else:
                done.next = done + 1

    @always_seq(clk.posedge, reset=aresetn)
    def count_valued():
        if steps.start:
            valued.next = 0
        elif steps.begin_values:
            if valued == LAST:
                valued.next = 0
            else:
                valued.next = valued + 1

    return drive_count, count_done, count_valued
