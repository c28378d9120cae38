"""A memory, shared in time: the pass (branch out, input in) and the array (operands out, branch in)."""

from myhdl import ConcatSignal, always, always_comb, block

from radit.accel.config import bits_for
from radit.accel.interfaces.array_ports import OperandPorts
from radit.accel.interfaces.memory_ports import ReadPort, WritePort
from radit.accel.interfaces.signals import ADDRESS_BITS, address, dim, flag, word
from radit.accel.memory.on_chip import bank_address, bank_addresses, wide_memory
from radit.accel.memory.pairs import half_part, half_write, pair_read
from radit.model.formats import INT8_BITS


@block
def places_apart(operands, group, dst, banks, config):
    """Addresses of the banks that an operand's supertile lies in. operands: OperandPorts. group: AttentionGroup."""
    base, no_part = address(), dim()
    places = bank_addresses(
        base=base, tile=operands.a_tile, part=no_part, group=group, dst=dst, banks=banks, lanes=config.bank,
        log_parts=0, log_rows=0,
    )  # fmt: skip

    @always_comb
    def drive_base():
        base.next = operands.a.addr
        no_part.next = 0

    return places, drive_base


@block
def a_memory(clk, passing, pass_read, pass_write, operands, branch, group, events, config):
    """The memory and its two users.

    passing: high while it is the pass's. pass_read, pass_write: ReadPort, WritePort of the pass. operands:
    OperandPorts. branch: WritePort of the drain. group: AttentionGroup. events: Events.
    """
    banks = config.wide // config.bank if config.frame_banks > 1 else 1
    apart = banks > 1
    ADDRESS = bits_for(config.a_depth)
    placed, natural, raddr = (word(banks * ADDRESS) for _ in range(3))
    one_address, read_enable = word(ADDRESS), flag()
    copies = ConcatSignal(*[one_address] * banks) if apart else one_address
    data = word(config.wide * INT8_BITS)
    write = WritePort(config.rows * INT8_BITS)
    if apart:
        places = places_apart(operands=operands, group=group, dst=placed, banks=banks, config=config)
    else:  # frames need banks: every group is spatial, and its supertiles follow each other
        places = bank_address(base=operands.a.addr, offset=operands.a_tile, log_parts=0, dst=placed)
    memory = wide_memory(
        clk=clk, write=write, read_enable=read_enable, raddr=raddr, rdata=data, depth=config.a_depth,
        bank=config.bank if apart else config.part, config=config, apart=apart,
    )  # fmt: skip

    @always_comb
    def drive_natural():
        one_address.next = pass_read.addr[ADDRESS:]

    @always_comb
    def drive_copies():
        natural.next = copies

    @always_comb
    def drive_read():
        if passing:
            read_enable.next = pass_read.enable
            raddr.next = natural
        else:
            read_enable.next = operands.a.enable
            raddr.next = placed

    share = share_write(passing=passing, pass_write=pass_write, branch=branch, write=write)

    @always_comb
    def drive_data():
        pass_read.data.next = data
        operands.a.data.next = data

    @always_comb
    def drive_events():
        events.a_reads_row.next = pass_read.enable or (operands.a.enable and not operands.a_as_col)
        events.a_reads_col.next = operands.a.enable and operands.a_as_col
        events.a_writes.next = write.enable

    return places, memory, drive_natural, drive_copies, drive_read, share, drive_data, drive_events


@block
def share_write(passing, pass_write, branch, write):
    """``write`` is the pass's while ``passing``, else the drain's. Combinational."""

    @always_comb
    def drive_write():
        if passing:
            write.enable.next = pass_write.enable
            write.addr.next = pass_write.addr
            write.part.next = pass_write.part
            write.data.next = pass_write.data
        else:
            write.enable.next = branch.enable
            write.addr.next = branch.addr
            write.part.next = branch.part
            write.data.next = branch.data

    return drive_write


class AccessEvents:
    """What a half of the memory counts, one flag each: ``a_reads_row``, ``a_reads_col``, ``a_writes``."""

    def __init__(self) -> None:
        self.a_reads_row, self.a_reads_col, self.a_writes = flag(), flag(), flag()


@block
def pair_a_memory(clk, passing, pass_read, pass_write, operands, branch, group, events, config):
    """The memory of an array with two products: two of half the depth. The arguments are those of ``a_memory``."""
    halves = range(2)
    counts, views = [AccessEvents() for _ in halves], [OperandPorts(config.half) for _ in halves]
    reads = [ReadPort(config.wide * INT8_BITS) for _ in halves]
    passed, branches = ([WritePort(config.rows * INT8_BITS) for _ in halves] for _ in range(2))
    for view in views:
        view.a_tile, view.a_as_col = operands.a_tile, operands.a_as_col
    writes = [
        (half_write(write=whole, half=half, is_odd=bool(i)), half_part(write=whole, half=half))
        for i in halves
        for whole, half in ((pass_write, passed[i]), (branch, branches[i]))
    ]
    memories = [
        a_memory(
            clk=clk, passing=passing, pass_read=reads[i], pass_write=passed[i], operands=views[i], branch=branches[i],
            group=group, events=counts[i], config=config.half,
        )
        for i in halves
    ]  # fmt: skip

    return (
        writes, memories,
        pair_read(read=operands.a, halves=[view.a for view in views]),
        one_read(clk=clk, read=pass_read, even=reads[0], odd=reads[1]),
        count_either(even=counts[0], odd=counts[1], events=events),
    )  # fmt: skip


@block
def count_either(even, odd, events):
    """Accesses to a pair, or to one of it. even, odd: AccessEvents. events: Events. Combinational."""

    @always_comb
    def drive_events():
        events.a_reads_row.next = even.a_reads_row or odd.a_reads_row
        events.a_reads_col.next = even.a_reads_col or odd.a_reads_col
        events.a_writes.next = even.a_writes or odd.a_writes

    return drive_events


@block
def one_read(clk, read, even, odd):
    """Read one half for ``read``; all of them are ReadPorts."""
    was_odd = flag()

    @always_comb
    def drive_halves():
        even.enable.next = read.enable and not read.addr[0]
        odd.enable.next = read.enable and read.addr[0]
        even.addr.next = read.addr[ADDRESS_BITS:1]
        odd.addr.next = read.addr[ADDRESS_BITS:1]

    @always(clk.posedge)
    def keep_half():
        if read.enable:
            was_odd.next = read.addr[0]

    @always_comb
    def drive_data():
        read.data.next = even.data
        if was_odd:
            read.data.next = odd.data

    return drive_halves, keep_half, drive_data
