"""Sequencer of the linear layers: every product whose one side is a weight tile.

For output tile, computing context, token tile (the order in which the weights stream): one tile command. A weight
tile is released after its last use, so that it is fetched once for all contexts. V is computed transposed
(weights as rows, tokens as columns), which makes its drained words rows of V for the value product.
"""

from myhdl import Signal, always_comb, always_seq, block, enum, intbv

from accel.config import log2_exact
from accel.interfaces.signals import address, dim, flag
from accel.interfaces.tile_command import FROM_A, FROM_HIDDEN, FROM_WEIGHT, KIND_BRANCH, KIND_H, KIND_K, KIND_Q, KIND_V

# The products, in the order in which the engines ask for them.
PRODUCT_Q, PRODUCT_K, PRODUCT_V, PRODUCT_PROJECTION, PRODUCT_FC1, PRODUCT_FC2 = range(6)
PRODUCT_BITS = 3


@block
def linear_sequencer(clk, aresetn, start, product, done, active, slots, cache_offset, regs, cmd, config):
    """Emit the tile commands of one product.

    start: pulse, with ``product``; done: pulse after the last command was accepted. active: bit per context that
    computes. slots: bit per context, the slot of the cache that its branch goes to. cache_offset: word address of
    context 0's branch in a slot. regs: the dimension registers.
    """
    ROWS, COLS = config.rows, config.cols
    LOG_ROWS, LOG_COLS = log2_exact(ROWS), log2_exact(COLS)
    LOG_WIDE = log2_exact(config.wide)
    LOG_ROW_PARTS = LOG_WIDE - LOG_ROWS
    LOG_COL_PARTS = LOG_WIDE - LOG_COLS
    ROW_PART_MASK = (1 << LOG_ROW_PARTS) - 1
    COL_PART_MASK = (1 << LOG_COL_PARTS) - 1
    CONTEXTS = config.max_contexts

    phases = enum("IDLE", "LOOK", "SPLIT", "MULTIPLY", "ADD", "OFFER", "ADVANCE")
    phase = Signal(phases.IDLE)
    which = Signal(intbv(0)[PRODUCT_BITS:])
    swapped = flag()  # V: weights are the rows
    out_first, out_size, remaining, k_len, param_first = (dim() for _ in range(5))
    tile, tiles, next_tile = (dim() for _ in range(3))
    ctx, last_context = dim(), dim()
    context_rows, context_supers, context_tokens, context_cache = (address() for _ in range(4))
    out_rows, out_supers, out_tokens, tile_cache, tile_tokens, output_rows = (address() for _ in range(6))
    super_tile, part, out_wide = dim(), dim(), dim()
    computes, to_other = flag(), flag()

    @always_comb
    def look_up():
        computes.next = 0
        to_other.next = 0
        for i in range(CONTEXTS):
            if ctx == i:
                computes.next = active[i]
                to_other.next = slots[i]
        cmd.valid.next = phase == phases.OFFER

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        done.next = 0
        if phase == phases.IDLE:
            if start:
                which.next = product
                swapped.next = product == PRODUCT_V
                out_first.next = 0
                k_len.next = regs.hidden
                remaining.next = regs.hidden
                param_first.next = 0
                out_size.next = COLS
                tiles.next = regs.row_tiles
                if product == PRODUCT_K:
                    param_first.next = regs.hidden
                elif product == PRODUCT_V:
                    out_size.next = ROWS
                    tiles.next = regs.col_tiles
                elif product == PRODUCT_PROJECTION:
                    param_first.next = regs.hidden + regs.hidden
                elif product == PRODUCT_FC1:
                    remaining.next = regs.mlp
                elif product == PRODUCT_FC2:
                    k_len.next = regs.mlp
                    param_first.next = regs.mlp
                for i in range(CONTEXTS):
                    if active[i]:
                        last_context.next = i
                ctx.next = 0
                tile.next = 0
                context_rows.next = 0
                context_supers.next = 0
                context_tokens.next = 0
                context_cache.next = cache_offset
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if computes:
                phase.next = phases.SPLIT
            else:
                ctx.next = ctx + 1
                context_rows.next = context_rows + regs.row_tiles
                context_supers.next = context_supers + (regs.row_tiles >> LOG_ROW_PARTS)
                context_tokens.next = context_tokens + (regs.row_tiles << LOG_ROWS)
                context_cache.next = context_cache + regs.sub_block_words
        elif phase == phases.SPLIT:
            out_wide.next = out_first >> LOG_WIDE
            if swapped:
                super_tile.next = tile >> LOG_COL_PARTS
                part.next = tile & COL_PART_MASK
            else:
                super_tile.next = tile >> LOG_ROW_PARTS
                part.next = tile & ROW_PART_MASK
            next_tile.next = tile + 1
            phase.next = phases.MULTIPLY
        elif phase == phases.MULTIPLY:
            out_rows.next = out_first * regs.row_tiles_all
            out_supers.next = out_first * regs.supertiles_all
            out_tokens.next = out_wide * regs.tokens_all
            output_rows.next = regs.hidden * regs.row_tiles_all
            tile_cache.next = tile * regs.hidden
            tile_tokens.next = tile << LOG_COLS
            phase.next = phases.ADD
        elif phase == phases.ADD:
            cmd.k_len.next = k_len
            cmd.a_tile.next = super_tile
            cmd.last_use.next = (ctx == last_context) and (next_tile == tiles)
            cmd.col_first.next = 0
            cmd.param_base.next = param_first + out_first
            cmd.job_first.next = 0
            cmd.job_last.next = 0
            cmd.parity.next = 0
            cmd.key_first.next = 0
            cmd.cache_address.next = context_cache + tile_cache + out_first
            cmd.cache_other.next = to_other
            cmd.row_part.next = part
            cmd.col_part.next = part
            if remaining < out_size:
                cmd.col_count.next = remaining
            else:
                cmd.col_count.next = out_size
            phase.next = phases.OFFER
            # Operands.
            cmd.row_source.next = FROM_A
            cmd.row_base.next = context_supers
            cmd.row_step.next = regs.supertiles_all
            cmd.col_source.next = FROM_WEIGHT
            cmd.col_base.next = 0
            cmd.col_step.next = 1
            if swapped:
                cmd.row_source.next = FROM_WEIGHT
                cmd.row_base.next = 0
                cmd.row_step.next = 1
                cmd.col_source.next = FROM_A
                cmd.col_base.next = context_supers
                cmd.col_step.next = regs.supertiles_all
                cmd.col_count.next = COLS
            elif which == PRODUCT_PROJECTION or which == PRODUCT_FC2:
                cmd.row_source.next = FROM_HIDDEN
                cmd.row_base.next = context_rows + tile
                if which == PRODUCT_PROJECTION:  # O lies behind Q
                    cmd.row_base.next = output_rows + context_rows + tile
                cmd.row_step.next = regs.row_tiles_all
            # Destination.
            cmd.dst_part.next = part
            cmd.dst_base.next = out_rows + context_rows + tile
            cmd.dst_step.next = regs.row_tiles_all
            cmd.kind.next = KIND_Q
            if which == PRODUCT_K:
                cmd.kind.next = KIND_K
                cmd.dst_base.next = out_supers + context_supers + super_tile
                cmd.dst_step.next = regs.supertiles_all
            elif which == PRODUCT_PROJECTION or which == PRODUCT_FC2:
                cmd.kind.next = KIND_BRANCH
                cmd.dst_base.next = out_supers + context_supers + super_tile
                cmd.dst_step.next = regs.supertiles_all
            elif which == PRODUCT_FC1:
                cmd.kind.next = KIND_H
            elif swapped:
                cmd.kind.next = KIND_V
                cmd.dst_base.next = out_tokens + context_tokens + tile_tokens
                cmd.dst_step.next = 1
                cmd.dst_part.next = (out_first >> LOG_ROWS) & ROW_PART_MASK
        elif phase == phases.OFFER:
            if cmd.ready:
                phase.next = phases.ADVANCE
        elif phase == phases.ADVANCE:
            phase.next = phases.SPLIT
            tile.next = next_tile
            if next_tile == tiles:
                tile.next = 0
                ctx.next = ctx + 1
                context_rows.next = context_rows + regs.row_tiles
                context_supers.next = context_supers + (regs.row_tiles >> LOG_ROW_PARTS)
                context_tokens.next = context_tokens + (regs.row_tiles << LOG_ROWS)
                context_cache.next = context_cache + regs.sub_block_words
                phase.next = phases.LOOK
                if ctx == last_context:
                    ctx.next = 0
                    context_rows.next = 0
                    context_supers.next = 0
                    context_tokens.next = 0
                    context_cache.next = cache_offset
                    out_first.next = out_first + out_size
                    if remaining <= out_size:
                        phase.next = phases.IDLE
                        done.next = 1
                    else:
                        remaining.next = remaining - out_size

    return look_up, sequence
