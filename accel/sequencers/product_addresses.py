"""Address arithmetic of the products with weights: three stages, one multiplication deep.

``split`` (tile -> supertile and part) -> ``multiply`` (by the words of a channel) -> ``add`` (into the command). The
loops (``product_sequencer``) start each stage; its registers hold until the next tile's.
"""

from myhdl import always_comb, always_seq, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.signals import address, dim, flag
from radit.accel.interfaces.tile_command import FROM_A, FROM_WEIGHT
from radit.accel.sequencers.product_table import BY_ROW_TILE, BY_TOKEN
from radit.accel.sequencers.word_place import word_place


class TileTerms:
    """What the addresses of a tile are the sums of.

    Signals, all of them from ``tile_terms``:
        super_tile, part: ``DIM_BITS``, supertile of the context that the token tile lies in, and its part there.
        out_rows, out_supers, out_tokens: ``ADDRESS_BITS``, where the tile's first output channel begins among words of
        row tiles, supertiles and tokens.
        q_words: ``ADDRESS_BITS``, words of Q, behind which O lies.
        tile_tokens: ``ADDRESS_BITS``, first token of the tile in the context, if it is a column tile.
        tile_cache: ``ADDRESS_BITS``, first word of the tile in the context's branch.
    Signals, from ``tile_places``, which follow the walks at once:
        in_rows, in_supers: ``ADDRESS_BITS``, where the tile lies among the words of a channel by row tiles, and by
        supertiles. context_supers: ``ADDRESS_BITS``, where the context's first one lies.
    """

    def __init__(self) -> None:
        self.super_tile, self.part = dim(), dim()
        self.out_rows, self.out_supers, self.out_tokens = (address() for _ in range(3))
        self.q_words, self.tile_tokens, self.tile_cache = (address() for _ in range(3))
        self.in_rows, self.in_supers, self.context_supers = (address() for _ in range(3))


@block
def product_addresses(clk, aresetn, loop, walk, facts, sizes, computes, cache_offset, cmd, regs, config):
    """Fill ``cmd`` for the tile at which ``loop`` and ``walk`` stand.

    loop: TileLoop. walk: ContextWalk. facts: ProductFacts. sizes: ProductSizes. computes, cache_offset:
    see ``product_sequencer``. cmd: TileCommand. regs: RegisterValues.
    """
    terms = TileTerms()
    return (
        tile_terms(
            clk=clk, aresetn=aresetn, loop=loop, swapped=facts.swapped, terms=terms, regs=regs, config=config
        ),
        tile_places(loop=loop, walk=walk, terms=terms, products=config.products),
        operand_fields(
            clk=clk, aresetn=aresetn, loop=loop, walk=walk, facts=facts, sizes=sizes, terms=terms, cmd=cmd, regs=regs
        ),
        drain_fields(
            clk=clk, aresetn=aresetn, loop=loop, walk=walk, facts=facts, sizes=sizes, terms=terms, cmd=cmd, regs=regs,
            config=config,
        ),
        cache_fields(
            clk=clk, aresetn=aresetn, loop=loop, walk=walk, terms=terms, slots=computes.slots,
            cache_offset=cache_offset, cmd=cmd, regs=regs, config=config,
        ),
    )  # fmt: skip


@block
def tile_terms(clk, aresetn, loop, swapped, terms, regs, config):
    """The first two stages."""
    LOG_ROWS, LOG_COLS, LOG_WIDE = log2_exact(config.rows), log2_exact(config.cols), log2_exact(config.wide)
    LOG_ROW_PARTS, LOG_COL_PARTS = LOG_WIDE - LOG_ROWS, LOG_WIDE - LOG_COLS
    ROW_PART_MASK, COL_PART_MASK = (1 << LOG_ROW_PARTS) - 1, (1 << LOG_COL_PARTS) - 1
    out_wide = dim()

    @always_seq(clk.posedge, reset=aresetn)
    def split():
        if loop.split:
            out_wide.next = loop.out_first >> LOG_WIDE
            if swapped:
                terms.super_tile.next = loop.tile >> LOG_COL_PARTS
                terms.part.next = loop.tile & COL_PART_MASK
            else:
                terms.super_tile.next = loop.tile >> LOG_ROW_PARTS
                terms.part.next = loop.tile & ROW_PART_MASK

    @always_seq(clk.posedge, reset=aresetn)
    def multiply():
        if loop.multiply:
            terms.out_rows.next = loop.out_first * regs.row_tiles_all
            terms.out_supers.next = loop.out_first * regs.supertiles_all
            terms.out_tokens.next = out_wide * regs.tokens_all
            terms.q_words.next = regs.hidden * regs.row_tiles_all
            terms.tile_cache.next = loop.tile * regs.hidden
            terms.tile_tokens.next = loop.tile << LOG_COLS

    return split, multiply


@block
def tile_places(loop, walk, terms, products):
    """Where the tile's words lie among those of an even channel."""
    PRODUCTS = products

    @always_comb
    def drive_context():
        terms.context_supers.next = walk.supers * PRODUCTS

    return (
        drive_context,
        word_place(first=walk.rows, number=loop.tile, dst=terms.in_rows, products=products),
        word_place(first=walk.supers, number=terms.super_tile, dst=terms.in_supers, products=products),
    )


@block
def operand_fields(clk, aresetn, loop, walk, facts, sizes, terms, cmd, regs):
    """What the array's front reads of the command: the tokens on one side, a weight tile on the other."""
    token_base, token_step = address(), dim()

    @always_comb
    def drive_token_side():
        if facts.source == FROM_A:
            token_base.next = terms.context_supers
            token_step.next = regs.supertiles_all
        else:
            token_step.next = regs.row_tiles_all
            if facts.behind_q:
                token_base.next = terms.q_words + terms.in_rows
            else:
                token_base.next = terms.in_rows

    @always_seq(clk.posedge, reset=aresetn)
    def fill_operands():
        if loop.add:
            cmd.k_len.next = sizes.depth
            cmd.last_use.next = walk.is_last and loop.is_last_tile
            cmd.a_tile.next = terms.super_tile
            cmd.row_part.next = terms.part
            cmd.col_part.next = terms.part
            if facts.swapped:
                cmd.row_source.next = FROM_WEIGHT
                cmd.row_base.next = 0
                cmd.row_step.next = 1
                cmd.col_source.next = facts.source
                cmd.col_base.next = token_base
                cmd.col_step.next = token_step
            else:
                cmd.row_source.next = facts.source
                cmd.row_base.next = token_base
                cmd.row_step.next = token_step
                cmd.col_source.next = FROM_WEIGHT
                cmd.col_base.next = 0
                cmd.col_step.next = 1

    return drive_token_side, fill_operands


@block
def drain_fields(clk, aresetn, loop, walk, facts, sizes, terms, cmd, regs, config):
    """What becomes of the tile's columns."""
    COLS, LOG_ROWS = config.cols, log2_exact(config.rows)
    ROW_PART_MASK = config.wide // config.rows - 1

    @always_seq(clk.posedge, reset=aresetn)
    def fill_columns():
        if loop.add:
            cmd.kind.next = facts.kind
            cmd.param_base.next = sizes.param_base + loop.out_first
            cmd.col_first.next = 0
            cmd.col_count.next = sizes.tile_outputs
            if facts.swapped:
                cmd.col_count.next = COLS
            elif loop.remaining < sizes.tile_outputs:
                cmd.col_count.next = loop.remaining
            # Scores and values alone have jobs.
            cmd.key_first.next = 0
            cmd.job_first.next = 0
            cmd.job_last.next = 0
            cmd.parity.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def fill_destination():
        if loop.add:
            cmd.dst_part.next = terms.part
            if facts.layout == BY_ROW_TILE:
                cmd.dst_base.next = terms.out_rows + terms.in_rows
                cmd.dst_step.next = regs.row_tiles_all
            elif facts.layout == BY_TOKEN:
                cmd.dst_base.next = terms.out_tokens + walk.tokens + terms.tile_tokens
                cmd.dst_step.next = 1
                cmd.dst_part.next = (loop.out_first >> LOG_ROWS) & ROW_PART_MASK
            else:
                cmd.dst_base.next = terms.out_supers + terms.in_supers
                cmd.dst_step.next = regs.supertiles_all

    return fill_columns, fill_destination


@block
def cache_fields(clk, aresetn, loop, walk, terms, slots, cache_offset, cmd, regs, config):
    """Where the tile's columns lie in a slot of the branch cache. slots: bit per context, high: slot 1."""
    CONTEXTS = config.max_contexts
    context_cache = address()
    to_other = flag()

    @always_comb
    def drive_to_other():
        to_other.next = 0
        for i in range(CONTEXTS):
            if walk.number == i:
                to_other.next = slots[i]

    @always_seq(clk.posedge, reset=aresetn)
    def advance_cache():
        if walk.restart:
            context_cache.next = cache_offset
        elif walk.step:
            context_cache.next = context_cache + regs.sub_block_words

    @always_seq(clk.posedge, reset=aresetn)
    def fill_cache():
        if loop.add:
            cmd.cache_address.next = context_cache + terms.tile_cache + loop.out_first
            cmd.cache_other.next = to_other

    return drive_to_other, advance_cache, fill_cache
