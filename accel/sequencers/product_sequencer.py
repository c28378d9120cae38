"""Sequencer of the products with weights: every product whose one side is a weight tile.

For output tile, computing context, token tile (the order in which the weights stream): one tile command. A weight
tile is released after its last use, so that it is fetched once for all contexts. V is computed transposed
(weights as rows, tokens as columns), which makes its drained words rows of V for the value product.

The loops advance one step per cycle and tell the address arithmetic (``product_addresses``) which stage it works on.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.interfaces.signals import dim, flag
from radit.accel.sequencers.context_walk import ContextWalk, context_walk
from radit.accel.sequencers.product_addresses import product_addresses
from radit.accel.sequencers.product_table import AT_HIDDEN, AT_MLP, AT_TWICE_HIDDEN, MLP, ProductFacts, built_products
from radit.accel.sequencers.table import table_facts


class ProductSizes:
    """How far the loops of a product go.

    Signals, all of them from ``product_sizes``:
        outputs: ``DIM_BITS``, output channels; follows the product at once. The others are registers, loaded at start.
        depth: ``DIM_BITS``, K.
        tile_outputs: ``DIM_BITS``, output channels of a weight tile.
        token_tiles: ``DIM_BITS``, token tiles of a context.
        param_base: ``DIM_BITS``, parameter entry of output channel 0.
    """

    def __init__(self) -> None:
        self.outputs, self.depth, self.tile_outputs, self.token_tiles, self.param_base = (dim() for _ in range(5))


class TileLoop:
    """Where the loops of a product stand.

    Signals, all of them from ``product_loops``:
        split, multiply, add: 1 bit; the stage of the address arithmetic that works in this cycle.
        out_first: ``DIM_BITS``, first output channel of the weight tile.
        remaining: ``DIM_BITS``, output channels from it on.
        tile: ``DIM_BITS``, token tile in the context.
        is_last_tile: 1 bit, the context has no later token tile; valid from the stage after ``split`` on.
    """

    def __init__(self) -> None:
        self.split, self.multiply, self.add, self.is_last_tile = (flag() for _ in range(4))
        self.out_first, self.remaining, self.tile = (dim() for _ in range(3))


@block
def product_sequencer(clk, aresetn, port, computes, cache_offset, regs, config):
    """Emit the tile commands of one product.

    port: LinearPort. computes: ComputeSet. cache_offset: word address of context 0's branch in a slot of the cache.
    regs: RegisterValues.
    """
    facts, sizes, loop, walk = ProductFacts(), ProductSizes(), TileLoop(), ContextWalk()
    return (
        table_facts(index=port.product, facts=facts, table=built_products(config)),
        product_sizes(clk=clk, aresetn=aresetn, start=port.start, facts=facts, sizes=sizes, regs=regs, config=config),
        product_loops(clk=clk, aresetn=aresetn, port=port, sizes=sizes, walk=walk, loop=loop),
        context_walk(clk=clk, aresetn=aresetn, walk=walk, computes=computes, regs=regs, config=config),
        product_addresses(
            clk=clk, aresetn=aresetn, loop=loop, walk=walk, facts=facts, sizes=sizes, computes=computes,
            cache_offset=cache_offset, cmd=port.cmd, regs=regs, config=config,
        ),
    )  # fmt: skip


@block
def product_sizes(clk, aresetn, start, facts, sizes, regs, config):
    """The sizes of the product that ``facts`` describe, from its ``start`` (pulse) on."""
    ROWS, COLS = config.rows, config.cols

    @always_comb
    def drive_outputs():
        sizes.outputs.next = regs.hidden
        if facts.outputs == MLP:
            sizes.outputs.next = regs.mlp

    @always_seq(clk.posedge, reset=aresetn)
    def load_sizes():
        if start:
            sizes.depth.next = regs.hidden
            if facts.depth == MLP:
                sizes.depth.next = regs.mlp
            sizes.tile_outputs.next = COLS
            sizes.token_tiles.next = regs.row_tiles
            if facts.swapped:
                sizes.tile_outputs.next = ROWS
                sizes.token_tiles.next = regs.col_tiles
            sizes.param_base.next = 0
            if facts.params == AT_HIDDEN:
                sizes.param_base.next = regs.hidden
            elif facts.params == AT_TWICE_HIDDEN:
                sizes.param_base.next = regs.hidden + regs.hidden
            elif facts.params == AT_MLP:
                sizes.param_base.next = regs.mlp

    return drive_outputs, load_sizes


@block
def product_loops(clk, aresetn, port, sizes, walk, loop):
    """Output tiles, contexts, token tiles: offer one command after the other."""
    phases = enum("IDLE", "LOOK", "SPLIT", "MULTIPLY", "ADD", "OFFER", "ADVANCE")
    phase = Signal(phases.IDLE)
    next_tile = dim()
    leaves = flag()  # the context

    @always_comb
    def drive_stages():
        loop.split.next = phase == phases.SPLIT
        loop.multiply.next = phase == phases.MULTIPLY
        loop.add.next = phase == phases.ADD
        loop.is_last_tile.next = next_tile == sizes.token_tiles
        port.cmd.valid.next = phase == phases.OFFER
        leaves.next = phase == phases.ADVANCE and next_tile == sizes.token_tiles

    @always_comb
    def drive_walk():
        walk.restart.next = (phase == phases.IDLE and port.start) or (leaves and walk.is_last)
        walk.step.next = (phase == phases.LOOK and not walk.computes) or (leaves and not walk.is_last)

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        port.done.next = 0
        if phase == phases.IDLE:
            if port.start:
                loop.out_first.next = 0
                loop.remaining.next = sizes.outputs
                loop.tile.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if walk.computes:
                phase.next = phases.SPLIT
        elif phase == phases.SPLIT:
            next_tile.next = loop.tile + 1
            phase.next = phases.MULTIPLY
        elif phase == phases.MULTIPLY:
            phase.next = phases.ADD
        elif phase == phases.ADD:
            phase.next = phases.OFFER
        elif phase == phases.OFFER:
            if port.cmd.ready:
                phase.next = phases.ADVANCE
        elif phase == phases.ADVANCE:
            phase.next = phases.SPLIT
            loop.tile.next = next_tile
            if leaves:
                loop.tile.next = 0
                phase.next = phases.LOOK
                if walk.is_last:
                    loop.out_first.next = loop.out_first + sizes.tile_outputs
                    if loop.remaining <= sizes.tile_outputs:
                        phase.next = phases.IDLE
                        port.done.next = 1
                    else:
                        loop.remaining.next = loop.remaining - sizes.tile_outputs

    return drive_stages, drive_walk, sequence
