"""The front's steps with two products: a cycle takes a pair of channels, an even one and the odd one behind it.

Words of such memories lie in pairs: that of channel c, step s and offset o at address ``(c // 2 * s + o) * 2 + c % 2``,
and tokens, keys and weights in their natural order. A tile begins or ends within a pair where a head has an odd number
of channels: the other channel of that pair is not the tile's and counts as zero.
"""

from myhdl import always_comb, always_seq, block

from radit.accel.interfaces.signals import DIM_BITS, word
from radit.accel.interfaces.tile_command import FROM_WEIGHT


@block
def pair_counter(clk, aresetn, accept, cmd, tile, k_left, k_len, last_k, last_use):
    """How much of the tile is left, and which channels of the pair are the tile's.

    tile: RunningTile. k_left, k_len: channels. last_k, last_use: as of ``tile_counter``.
    """

    @always_comb
    def drive_last():
        # A tile that begins within a pair has an odd number of channels, as the heads before it have: never two.
        last_k.next = k_left == 1 or k_left == 2
        tile.lacks_odd.next = k_left == 1 and not tile.lacks_even

    @always_seq(clk.posedge, reset=aresetn)
    def count_k():
        if accept:
            tile.busy.next = 1
            tile.first.next = 1
            tile.lacks_even.next = cmd.row_base[0]
            k_left.next = cmd.k_len
            k_len.next = cmd.k_len
            last_use.next = cmd.last_use
        elif tile.finishing:
            tile.busy.next = 0
        elif tile.issue:
            tile.first.next = 0
            tile.lacks_even.next = 0
            if tile.lacks_even:
                k_left.next = k_left - 1
            else:
                k_left.next = k_left - 2

    return drive_last, count_k


@block
def pair_addresses(clk, aresetn, accept, cmd, tile):
    """The addresses of the first words of pairs; the arguments are those of ``tile_addresses``."""
    row_step, col_step = word(DIM_BITS + 1), word(DIM_BITS + 1)

    @always_seq(clk.posedge, reset=aresetn)
    def keep_fields():
        if accept:
            tile.row_source.next = cmd.row_source
            tile.col_source.next = cmd.col_source
            tile.row_part.next = cmd.row_part
            tile.col_part.next = cmd.col_part
            tile.a_tile.next = cmd.a_tile
            row_step.next = cmd.row_step + cmd.row_step
            col_step.next = cmd.col_step + cmd.col_step

    @always_seq(clk.posedge, reset=aresetn)
    def step_addresses():
        if accept:
            tile.row_addr.next = cmd.row_base
            tile.col_addr.next = cmd.col_base
            if cmd.row_source == FROM_WEIGHT:
                tile.row_addr.next = tile.released
            if cmd.col_source == FROM_WEIGHT:
                tile.col_addr.next = tile.released
        elif tile.issue and not tile.finishing:
            tile.row_addr.next = tile.row_addr + row_step
            tile.col_addr.next = tile.col_addr + col_step

    return keep_fields, step_addresses
