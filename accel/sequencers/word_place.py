"""Where words lie that the array reads: side by side, or in pairs where its cells have two products.

The pairs are those of ``accel/array/pair_steps.py``: word n of channel c at ``(c // 2 * step + n) * 2 + c % 2``. The
words of an even channel begin at ``c * step``, as they do side by side.
"""

from myhdl import always_comb, block

from radit.accel.interfaces.signals import DIM_BITS, address


@block
def word_place(first, number, dst, products, channel=None):
    """``dst``: address of word ``first + number`` behind that of the (even) channel's word 0. Combinational.

    channel: whose word it is; an odd one's lies behind that of the channel before. None: an even one's.
    """
    total = address()

    @always_comb
    def drive_total():
        total.next = first + number

    if products == 1:

        @always_comb
        def drive_place():
            dst.next = total

        return drive_total, drive_place
    if channel is None:

        @always_comb
        def drive_even_place():
            dst.next = total + total

        return drive_total, drive_even_place

    @always_comb
    def drive_pair_place():
        if channel[0]:
            dst.next = total + total + 1
        else:
            dst.next = total + total

    return drive_total, drive_pair_place


@block
def even_channel(channel, dst, products):
    """``dst``: the channel at which the addresses of ``channel`` begin, its own or that of its pair. Combinational."""
    MASK = (1 << DIM_BITS) - products

    @always_comb
    def drive_channel():
        dst.next = channel & MASK

    return drive_channel
