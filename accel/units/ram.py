"""On-chip memories: one write port, one registered read port.

Read-during-write of the same address returns the *old* data. ``rdata`` changes only in the cycle after ``read`` and
is held while ``read`` is low, so a consumer that stalls keeps its word and an idle memory does not toggle.
Latency 1 (``READ_LATENCY``), one read and one write per cycle, no reset (a word is undefined until written).

``word_ram``: ``depth`` words of the width of ``wdata``.
``banked_ram``: a word of W int8 lanes is split into ``W / bank`` banks of ``bank`` lanes, each a ``word_ram`` of its
own with its own write enable; with ``addressed_apart`` each bank also has its own addresses (bank 0 in the
lowest bits of ``waddr`` and ``raddr``), otherwise one address serves all.
"""

from myhdl import Signal, always, always_comb, block, intbv

from radit.accel.interfaces.signals import word
from radit.accel.units.lanes import pack, signal_list
from radit.model.formats import INT8_BITS

READ_LATENCY = 1


@block
def word_ram(clk, write, waddr, wdata, read, raddr, rdata, depth):
    """Simple dual-port memory of ``depth`` words; addresses must stay below ``depth``."""
    memory = [Signal(intbv(0)[len(wdata) :]) for _ in range(depth)]

    @always(clk.posedge)
    def transfer():
        if write:
            memory[waddr].next = wdata
        if read:
            rdata.next = memory[raddr]

    return transfer


@block
def bank_port(write, waddr, wdata, raddr, index, address_low, bank_write, bank_waddr, bank_wdata, bank_raddr):
    """Select bank ``index``'s write enable, addresses and lanes from the flat ports."""
    WIDTH = len(bank_wdata)
    HIGH = (index + 1) * WIDTH
    LOW = index * WIDTH
    ADDRESS_HIGH = address_low + len(bank_waddr)
    ADDRESS_LOW = address_low
    INDEX = index

    @always_comb
    def select():
        bank_write.next = write[INDEX]
        bank_waddr.next = waddr[ADDRESS_HIGH:ADDRESS_LOW]
        bank_wdata.next = wdata[HIGH:LOW]
        bank_raddr.next = raddr[ADDRESS_HIGH:ADDRESS_LOW]

    return select


@block
def banked_ram(clk, write, waddr, wdata, read, raddr, rdata, depth, bank, addressed_apart=False):
    """``write`` has one bit per bank, ``read`` serves all banks."""
    width = bank * INT8_BITS
    banks = len(wdata) // width
    address_bits = len(waddr) // banks if addressed_apart else len(waddr)
    writes = [Signal(bool(0)) for _ in range(banks)]
    waddrs = signal_list(word, address_bits, banks)
    wdatas = signal_list(word, width, banks)
    raddrs = signal_list(word, address_bits, banks)
    rdatas = signal_list(word, width, banks)

    ports = [
        bank_port(
            *(write, waddr, wdata, raddr, b, b * address_bits if addressed_apart else 0),
            *(writes[b], waddrs[b], wdatas[b], raddrs[b]),
        )
        for b in range(banks)
    ]
    rams = [word_ram(clk, writes[b], waddrs[b], wdatas[b], read, raddrs[b], rdatas[b], depth) for b in range(banks)]
    joined = pack(rdatas, rdata)
    return ports, rams, joined
