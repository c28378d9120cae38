"""Walks a sub-block's words in the order of the streaming pass: context, row tile, channel."""

from myhdl import Signal, always_comb, always_seq, block, intbv

from accel.config import log2_exact
from accel.interfaces.signals import ADDRESS_BITS, address, dim, flag


class Position:
    """Where the walk stands: the word that the next ``step`` takes."""

    def __init__(self) -> None:
        self.context = dim()
        self.channel = dim()
        self.row_addr = address()  # channel * row_tiles_all + row tile: x and hidden memory
        self.super_addr = address()  # channel * supertiles_all + supertile: A memory
        self.part = dim()  # of the supertile
        self.cond_addr = address()  # context * D + channel, from cond_base on
        self.first_channel = flag()
        self.last_channel = flag()
        self.last_of_context = flag()
        self.last = flag()


@block
def walker(clk, aresetn, restart, step, cond_base, regs, at, config):
    """Advance ``at`` on ``step``; ``restart`` (pulse) returns to the first word."""
    LOG_PARTS = log2_exact(config.wide // config.rows)
    PART_MASK = (1 << LOG_PARTS) - 1
    row_tile, tile_next, channels_left, tiles_left, contexts_left = (dim() for _ in range(5))
    cond_first = Signal(intbv(0)[ADDRESS_BITS:])

    @always_comb
    def tell():
        at.last_channel.next = channels_left == 1
        at.last_of_context.next = channels_left == 1 and tiles_left == 1
        at.last.next = channels_left == 1 and tiles_left == 1 and contexts_left == 1
        at.part.next = row_tile & PART_MASK
        tile_next.next = row_tile + 1

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if restart:
            at.context.next = 0
            at.channel.next = 0
            at.row_addr.next = 0
            at.super_addr.next = 0
            at.cond_addr.next = cond_base
            at.first_channel.next = 1
            cond_first.next = cond_base
            row_tile.next = 0
            channels_left.next = regs.hidden
            tiles_left.next = regs.row_tiles
            contexts_left.next = regs.contexts
        elif step:
            at.first_channel.next = at.last_channel
            if at.last_channel:
                at.channel.next = 0
                channels_left.next = regs.hidden
                row_tile.next = tile_next
                at.row_addr.next = tile_next
                at.super_addr.next = tile_next >> LOG_PARTS
                at.cond_addr.next = cond_first
                if tiles_left == 1:
                    tiles_left.next = regs.row_tiles
                    contexts_left.next = contexts_left - 1
                    at.context.next = at.context + 1
                    cond_first.next = cond_first + regs.hidden
                    at.cond_addr.next = cond_first + regs.hidden
                else:
                    tiles_left.next = tiles_left - 1
            else:
                at.channel.next = at.channel + 1
                channels_left.next = channels_left - 1
                at.row_addr.next = at.row_addr + regs.row_tiles_all
                at.super_addr.next = at.super_addr + regs.supertiles_all
                at.cond_addr.next = at.cond_addr + 1

    return tell, advance
