"""Walks a sub-block's words in the order of the streaming pass: context, row tile, channel."""

from myhdl import always_comb, always_seq, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.signals import address, dim, flag


class Position:
    """Where a walk stands: the word that its next step takes; driven by ``walker``.

    context: dim, its number. first_channel, last_channel: flag, it is the row tile's first, or last.
    row_addr: address, channel * row_tiles_all + row tile: in x memory. super_addr: address, channel * supertiles_all +
    supertile, or in pairs: in A memory. part: dim, of the supertile's word. cond_addr: address, of its gate, scale and
    shift. last_of_context: flag, the context's last word. last: flag, the sub-block's last word.
    """

    def __init__(self) -> None:
        self.context = dim()
        self.first_channel = flag()
        self.last_channel = flag()
        self.row_addr = address()
        self.super_addr = address()
        self.part = dim()
        self.cond_addr = address()
        self.last_of_context = flag()
        self.last = flag()


@block
def walker(clk, aresetn, restart, step, cond_base, regs, position, config):
    """Advance ``position`` on ``step``; ``restart`` (pulse) returns to the first word.

    cond_base: address of context 0's channel 0 in the conditioning memories.
    """
    LOG_PARTS = log2_exact(config.wide // config.rows)
    PART_MASK = (1 << LOG_PARTS) - 1
    row_tile, tile_next, channels_left, tiles_left, contexts_left = (dim() for _ in range(5))
    cond_first = address()
    places = super_addresses if config.products == 1 else pair_addresses
    addressing = places(
        clk=clk, aresetn=aresetn, restart=restart, step=step, tile_next=tile_next, regs=regs, position=position,
        log_parts=LOG_PARTS,
    )  # fmt: skip

    @always_comb
    def describe():
        position.last_channel.next = channels_left == 1
        position.last_of_context.next = channels_left == 1 and tiles_left == 1
        position.last.next = channels_left == 1 and tiles_left == 1 and contexts_left == 1
        position.part.next = row_tile & PART_MASK
        tile_next.next = row_tile + 1

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if restart:
            position.context.next = 0
            position.row_addr.next = 0
            position.cond_addr.next = cond_base
            position.first_channel.next = 1
            cond_first.next = cond_base
            row_tile.next = 0
            channels_left.next = regs.hidden
            tiles_left.next = regs.row_tiles
            contexts_left.next = regs.contexts
        elif step:
            position.first_channel.next = position.last_channel
            if position.last_channel:
                channels_left.next = regs.hidden
                row_tile.next = tile_next
                position.row_addr.next = tile_next
                position.cond_addr.next = cond_first
                if tiles_left == 1:
                    tiles_left.next = regs.row_tiles
                    contexts_left.next = contexts_left - 1
                    position.context.next = position.context + 1
                    cond_first.next = cond_first + regs.hidden
                    position.cond_addr.next = cond_first + regs.hidden
                else:
                    tiles_left.next = tiles_left - 1
            else:
                channels_left.next = channels_left - 1
                position.row_addr.next = position.row_addr + regs.row_tiles_all
                position.cond_addr.next = position.cond_addr + 1

    return addressing, describe, advance


@block
def super_addresses(clk, aresetn, restart, step, tile_next, regs, position, log_parts):
    """``position.super_addr``. tile_next: the row tile behind the one at hand."""
    LOG_PARTS = log_parts

    @always_seq(clk.posedge, reset=aresetn)
    def advance_address():
        if restart:
            position.super_addr.next = 0
        elif step:
            if position.last_channel:
                position.super_addr.next = tile_next >> LOG_PARTS
            else:
                position.super_addr.next = position.super_addr + regs.supertiles_all

    return advance_address


@block
def pair_addresses(clk, aresetn, restart, step, tile_next, regs, position, log_parts):
    """The same where words lie in pairs: (channel // 2 * supertiles_all + supertile) * 2 + channel % 2."""
    LOG_PARTS = log_parts
    super_next = address()

    @always_comb
    def drive_next():
        super_next.next = tile_next >> LOG_PARTS

    @always_seq(clk.posedge, reset=aresetn)
    def advance_address():
        if restart:
            position.super_addr.next = 0
        elif step:
            if position.last_channel:
                position.super_addr.next = super_next + super_next
            elif position.super_addr[0]:
                position.super_addr.next = position.super_addr + regs.supertiles_all + regs.supertiles_all - 1
            else:
                position.super_addr.next = position.super_addr + 1

    return drive_next, advance_address
