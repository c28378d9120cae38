"""Memories of an array with two products: two of half the depth, so that a read gives a pair of words at once.

Words at even addresses lie in one, words at odd addresses in the other; which words are a pair stands in
``accel/array/pair_steps.py``. Writes, and reads of the pass, reach one of them.
"""

from myhdl import ConcatSignal, always_comb, block

from radit.accel.config import bits_for
from radit.accel.interfaces.memory_ports import ReadPort, WritePort
from radit.accel.interfaces.signals import ADDRESS_BITS, word
from radit.accel.memory.on_chip import hidden_memory, narrow_memory, wide_memory


@block
def half_write(write, half, is_odd):
    """``half``: what of ``write``, both WritePorts, goes to the memory of even, or of odd, addresses. Combinational."""

    @always_comb
    def drive_even():
        half.enable.next = write.enable and not write.addr[0]

    @always_comb
    def drive_odd():
        half.enable.next = write.enable and write.addr[0]

    @always_comb
    def drive_word():
        half.addr.next = write.addr[ADDRESS_BITS:1]
        half.data.next = write.data

    return drive_odd if is_odd else drive_even, drive_word


@block
def half_part(write, half):
    """Which lanes of a wide word ``write`` reaches, for ``half`` as well. Combinational."""

    @always_comb
    def drive_part():
        half.part.next = write.part

    return drive_part


@block
def pair_read(read, halves):
    """Read both ``halves`` of a pair, ReadPorts, for ``read``, which answers with both. Combinational."""
    both = ConcatSignal(halves[1].data, halves[0].data)
    asks = [half_read(read=read, half=half) for half in halves]

    @always_comb
    def drive_data():
        read.data.next = both

    return asks, drive_data


@block
def half_read(read, half):
    """The memory that ``half`` reads is read with every pair. Combinational."""

    @always_comb
    def drive_half():
        half.enable.next = read.enable
        half.addr.next = read.addr[ADDRESS_BITS:1]

    return drive_half


@block
def pair_narrow_memory(clk, write, read, depth):
    """``narrow_memory`` of so many words, read in pairs."""
    writes, reads = _ports(write, read)
    return (
        [half_write(write=write, half=writes[i], is_odd=bool(i)) for i in range(2)],
        pair_read(read=read, halves=reads),
        [narrow_memory(clk=clk, write=writes[i], read=reads[i], depth=depth // 2) for i in range(2)],
    )


@block
def pair_hidden_memory(clk, write, placed, tile, group, read, config):
    """``hidden_memory``, read in pairs."""
    writes, reads = _ports(write, read)
    has_parts = config.frame_banks > 1  # and tells their lanes apart
    return (
        [half_write(write=write, half=writes[i], is_odd=bool(i)) for i in range(2)],
        [half_part(write=write, half=half) for half in writes if has_parts],
        pair_read(read=read, halves=reads),
        [
            hidden_memory(
                clk=clk, write=writes[i], placed=placed, tile=tile, group=group, read=reads[i], config=config.half
            )
            for i in range(2)
        ],
    )  # fmt: skip


@block
def pair_wide_memory(clk, write, read, depth, bank, config):
    """``wide_memory`` of so many words, read in pairs."""
    writes, reads = _ports(write, read)
    return (
        [half_write(write=write, half=writes[i], is_odd=bool(i)) for i in range(2)],
        [half_part(write=write, half=writes[i]) for i in range(2)],
        pair_read(read=read, halves=reads),
        [
            addressed_memory(clk=clk, write=writes[i], read=reads[i], depth=depth // 2, bank=bank, config=config.half)
            for i in range(2)
        ],
    )


@block
def addressed_memory(clk, write, read, depth, bank, config):
    """``wide_memory`` behind a ReadPort."""
    BITS = bits_for(depth)
    raddr = word(BITS)

    @always_comb
    def drive_address():
        raddr.next = read.addr[BITS:]

    memory = wide_memory(
        clk=clk, write=write, read_enable=read.enable, raddr=raddr, rdata=read.data, depth=depth, bank=bank,
        config=config,
    )  # fmt: skip
    return drive_address, memory


def _ports(write: WritePort, read: ReadPort) -> tuple[list[WritePort], list[ReadPort]]:
    """Ports of the halves."""
    return [WritePort(len(write.data)) for _ in range(2)], [ReadPort(len(read.data) // 2) for _ in range(2)]
