"""A memory, shared in time: the pass (branch out, input in) and the array (operands out, branch in)."""

from myhdl import ConcatSignal, always_comb, block

from radit.accel.config import bits_for
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import dim, flag, word
from radit.accel.memory.on_chip import bank_addresses, wide_memory
from radit.model.formats import INT8_BITS


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
    one_address, read_enable, no_part = word(ADDRESS), flag(), dim()
    copies = ConcatSignal(*[one_address] * banks) if apart else one_address
    data = word(config.wide * INT8_BITS)
    write = WritePort(config.rows * INT8_BITS)
    places = bank_addresses(
        base=operands.a.addr, tile=operands.a_tile, part=no_part, group=group, dst=placed, banks=banks,
        lanes=config.bank, log_parts=0, log_rows=0,
    )  # fmt: skip
    memory = wide_memory(
        clk=clk, write=write, read_enable=read_enable, raddr=raddr, rdata=data, depth=config.a_depth,
        bank=config.bank if apart else config.part, config=config, apart=apart,
    )  # fmt: skip

    @always_comb
    def drive_natural():
        one_address.next = pass_read.addr[ADDRESS:]
        no_part.next = 0

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
