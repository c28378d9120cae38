"""Address arithmetic of attention proper: score tiles in three stages, value tiles in five.

Each stage is one multiplication or addition deep; ``AttentionSteps`` says which one works. The last stages fill the
command, whose fields hold until the next tile's.
"""

from myhdl import always_comb, always_seq, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.signals import address, dim, flag
from radit.accel.interfaces.tile_command import FROM_HIDDEN, FROM_K, FROM_PROB, FROM_V, KIND_O, KIND_SCORE
from radit.accel.sequencers.word_place import even_channel, word_place
from radit.accel.units.delay_lines import gated_register


class ScoreTile:
    """A score tile of the job that is scored: one column tile of keys.

    Signals, all of them from ``score_tile``:
        key_tile: ``DIM_BITS``, column tile in the group.
        is_last: 1 bit, the group has no later one; valid from the stage after ``score_multiply`` on.
        count: ``DIM_BITS``, columns that are drained: the last tile of a cross-attention has keys that do not count.
        Builds with text.
        head_rows, head_supers: ``ADDRESS_BITS``, where the head's first channel begins in Q and in K.
        key_super, key_part: ``DIM_BITS``, supertile of the keys in the context, and their part in it.
    Signals, from ``score_places``, which follow walks and job at once:
        query_place, key_place: ``ADDRESS_BITS``, where the tile's queries, and its keys, lie among a channel's words.
    """

    def __init__(self) -> None:
        self.key_tile, self.key_super, self.key_part, self.count = (dim() for _ in range(4))
        self.head_rows, self.head_supers = address(), address()
        self.query_place, self.key_place = address(), address()
        self.is_last = flag()


class ValueTile:
    """A value tile of the job whose values are due: the head's channels that lie in one column tile of V.

    Signals, all of them from ``value_tile``:
        first: ``DIM_BITS``, first of the channels in the column tile.
        limit, count: ``DIM_BITS``, channels left in the head, and in the column tile.
        part: ``DIM_BITS``, which lanes of V's words.
        base: ``ADDRESS_BITS``, first word of V's column tile.
        dst: ``ADDRESS_BITS``, where O's first channel begins in the hidden memory. out_channel: ``DIM_BITS``, it;
        two products only.
        is_last: 1 bit, the head has no channels behind it; valid from the stage after ``value_multiply`` on.
    """

    def __init__(self) -> None:
        self.first, self.limit, self.count, self.part, self.out_channel = (dim() for _ in range(5))
        self.base, self.dst = address(), address()
        self.is_last = flag()


@block
def score_tile(clk, aresetn, steps, job, tile, group, regs, config):
    """Walk ``tile`` through the keys of ``job``, a ScoreJob. group: AttentionGroup. regs: RegisterValues."""
    LOG_COL_PARTS = log2_exact(config.wide) - log2_exact(config.cols)
    COL_PART_MASK = (1 << LOG_COL_PARTS) - 1
    next_key, key_column, first_channel = dim(), dim(), dim()
    key_supers_all = group.key_supers_all if config.max_text else regs.supertiles_all
    if config.max_text:
        ends = count_keys(clk=clk, aresetn=aresetn, steps=steps, job=job, tile=tile, cols=config.cols)
    else:
        ends = count_tiles(clk=clk, aresetn=aresetn, steps=steps, next_key=next_key, tile=tile, group=group)
    even = even_channel(channel=job.channel, dst=first_channel, products=config.products)

    @always_seq(clk.posedge, reset=aresetn)
    def advance_key_tile():
        if steps.start:
            tile.key_tile.next = 0
        elif steps.score_taken:
            tile.key_tile.next = next_key
            if tile.is_last:
                tile.key_tile.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def split():
        if steps.score_split:
            key_column.next = job.group_col + tile.key_tile
            next_key.next = tile.key_tile + 1

    @always_seq(clk.posedge, reset=aresetn)
    def multiply():
        if steps.score_multiply:
            tile.head_rows.next = first_channel * regs.row_tiles_all
            tile.head_supers.next = first_channel * key_supers_all
            tile.key_super.next = key_column >> LOG_COL_PARTS
            tile.key_part.next = key_column & COL_PART_MASK

    return ends, even, advance_key_tile, split, multiply


@block
def count_tiles(clk, aresetn, steps, next_key, tile, group):
    """Whether ``tile`` is the last of its group. next_key: the tile behind it."""

    @always_seq(clk.posedge, reset=aresetn)
    def find_last():
        if steps.score_multiply:
            tile.is_last.next = next_key == group.col_tiles

    return find_last


@block
def count_keys(clk, aresetn, steps, job, tile, cols):
    """Whether ``tile`` is the last of ``job``, and how many keys it has for it."""
    COLS, LOG_COLS = cols, log2_exact(cols)
    left = dim()

    @always_seq(clk.posedge, reset=aresetn)
    def count_left():
        if steps.score_split:
            left.next = job.keys - (tile.key_tile << LOG_COLS)

    @always_seq(clk.posedge, reset=aresetn)
    def find_last():
        if steps.score_multiply:
            tile.is_last.next = left <= COLS
            tile.count.next = COLS
            if left < COLS:
                tile.count.next = left

    return count_left, find_last


@block
def value_tile(clk, aresetn, steps, job, tile, group, regs, config):
    """Walk ``tile`` through the column tiles that the head of ``job``, a ValueJob, lies in. group: AttentionGroup.
    regs: RegisterValues."""
    tokens_all = group.key_tokens_all if config.max_text else regs.tokens_all
    COLS, LOG_COLS = config.cols, log2_exact(config.cols)
    LOG_COL_PARTS = log2_exact(config.wide) - LOG_COLS
    COL_PART_MASK = (1 << LOG_COL_PARTS) - 1
    channel, end_channel, next_channel, out_channel, column, super_tile, out_first = (dim() for _ in range(7))
    even = even_channel(channel=out_channel, dst=out_first, products=config.products)
    keeps = ()
    if config.products > 1:
        keeps = gated_register(clk=clk, enable=steps.value_range, src=out_channel, dst=tile.out_channel)

    @always_comb
    def drive_is_last():
        tile.is_last.next = next_channel >= end_channel

    @always_seq(clk.posedge, reset=aresetn)
    def advance_channel():
        if steps.value_split:
            channel.next = job.channel
            end_channel.next = job.channel + regs.head_dim
            out_channel.next = job.channel + regs.hidden  # O lies behind Q
        elif steps.value_taken:
            channel.next = next_channel
            out_channel.next = next_channel + regs.hidden

    @always_seq(clk.posedge, reset=aresetn)
    def find_range():
        if steps.value_range:
            column.next = channel >> LOG_COLS
            tile.first.next = channel & (COLS - 1)
            tile.dst.next = out_first * regs.row_tiles_all

    @always_seq(clk.posedge, reset=aresetn)
    def split():
        if steps.value_multiply:
            next_channel.next = channel - tile.first + COLS
            tile.limit.next = end_channel - channel
            tile.count.next = COLS - tile.first
            super_tile.next = column >> LOG_COL_PARTS
            tile.part.next = column & COL_PART_MASK

    @always_seq(clk.posedge, reset=aresetn)
    def multiply():
        if steps.value_add:
            tile.base.next = super_tile * tokens_all

    return even, keeps, drive_is_last, advance_channel, find_range, split, multiply


@block
def operand_fields(clk, aresetn, steps, walk, jobs, tiles, count, cmd, group, regs, config):
    """What the array's front reads of the command.

    steps: AttentionSteps. walk: ContextWalk. jobs: AttentionJobs. tiles: AttentionTiles. count: JobCount. cmd:
    TileCommand. group: AttentionGroup. regs: RegisterValues.
    """
    LOG_ROW_PARTS = log2_exact(config.wide // config.rows)
    KEY_DEPTH = config.padded_keys  # the probability memory's half of a job
    scored, valued, score, value = jobs.scored, jobs.valued, tiles.score, tiles.value
    keys, kept = valued.keys, ()
    if not config.max_text:
        keys = dim()
        kept = keep_keys(clk=clk, aresetn=aresetn, steps=steps, keys=keys, group=group, cols=config.cols)
    supers_all = group.key_supers_all if config.max_text else regs.supertiles_all
    places = (
        word_place(
            first=walk.rows, number=scored.row_tile, channel=scored.channel, dst=score.query_place,
            products=config.products,
        ),
        word_place(
            first=walk.supers, number=score.key_super, channel=scored.channel, dst=score.key_place,
            products=config.products,
        ),
    )  # fmt: skip

    @always_seq(clk.posedge, reset=aresetn)
    def fill_operands():
        cmd.last_use.next = 0  # no weights
        cmd.row_part.next = 0
        if steps.score_add:
            cmd.row_source.next = FROM_HIDDEN
            cmd.row_base.next = score.head_rows + score.query_place
            cmd.row_step.next = regs.row_tiles_all
            cmd.col_source.next = FROM_K
            cmd.col_base.next = score.head_supers + score.key_place
            cmd.col_step.next = supers_all
            cmd.col_part.next = score.key_part
            cmd.k_len.next = regs.head_dim
            cmd.a_tile.next = 0
        elif steps.value_add:
            cmd.row_source.next = FROM_PROB
            cmd.row_step.next = 1
            cmd.col_source.next = FROM_V
            cmd.col_step.next = 1
            cmd.col_part.next = value.part
            cmd.k_len.next = keys
            cmd.a_tile.next = valued.row_tile >> LOG_ROW_PARTS
        elif steps.value_place:
            cmd.col_base.next = value.base + valued.tokens
            cmd.row_base.next = 0
            if count.is_odd:
                cmd.row_base.next = KEY_DEPTH

    return places, kept, fill_operands


@block
def keep_keys(clk, aresetn, steps, keys, group, cols):
    """``keys`` of a value tile, where all jobs have as many."""
    LOG_COLS = log2_exact(cols)

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        if steps.start:
            keys.next = group.col_tiles << LOG_COLS

    return keep


@block
def drain_fields(clk, aresetn, steps, jobs, tiles, count, cmd, regs, config):
    """What becomes of the tile's columns. The arguments are those of ``operand_fields``."""
    COLS, LOG_COLS = config.cols, log2_exact(config.cols)
    ROW_PART_MASK = config.wide // config.rows - 1
    scored, valued, score, value = jobs.scored, jobs.valued, tiles.score, tiles.value
    value_part, value_place = dim(), address()
    score_count = score.count if config.max_text else COLS
    place = word_place(
        first=valued.rows, number=value_part, channel=value.out_channel, dst=value_place, products=config.products
    )

    @always_comb
    def drive_part():
        value_part.next = valued.row_tile & ROW_PART_MASK

    @always_seq(clk.posedge, reset=aresetn)
    def fill_drain():
        # No parameters, no branch.
        cmd.param_base.next = 0
        cmd.cache_address.next = 0
        cmd.cache_other.next = 0
        if steps.score_add:
            cmd.kind.next = KIND_SCORE
            cmd.dst_part.next = scored.row_tile & ROW_PART_MASK
            cmd.col_first.next = 0
            cmd.col_count.next = score_count
            cmd.key_first.next = score.key_tile << LOG_COLS
            cmd.job_first.next = score.key_tile == 0
            cmd.job_last.next = score.is_last
            cmd.parity.next = 0
        elif steps.value_add:
            cmd.kind.next = KIND_O
            cmd.dst_base.next = value.dst + value_place
            cmd.dst_step.next = regs.row_tiles_all
            cmd.dst_part.next = value_part
            cmd.col_first.next = value.first
            cmd.col_count.next = value.count
            if value.limit < value.count:
                cmd.col_count.next = value.limit
        elif steps.value_place:
            cmd.parity.next = count.is_odd

    return place, drive_part, fill_drain
