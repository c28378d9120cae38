"""The on-chip memories around the array: who reads and writes each, and where its words lie.

| memory | word | written by | read by |
|---|---|---|---|
| A | W int8 | the pass (input), the drain (branch) | the array (rows or columns), the pass (branch) |
| hidden | R int8 | the drain (Q, O, H) | the array (rows) |
| K, V | W int8 | the drain, R lanes at a time | the array (columns), C lanes at a time |
| probabilities | R int8 | the softmax unit | the array (rows) |

A and the hidden memory consist of banks that temporal attention addresses apart: ``frame_offset``.
"""

from myhdl import ConcatSignal, Signal, always_comb, block, intbv, modbv

from radit.accel.config import MOST_LANES, bits_for, log2_exact
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import ADDRESS_BITS, DIM_BITS, address, dim, flag, word
from radit.accel.units.ram import banked_ram, word_ram
from radit.model.formats import INT8_BITS

MAX_LOG_FRAMES = log2_exact(MOST_LANES)  # a frame has at least one of the W lanes


@block
def frame_offset(lane, tile, group, offset):
    """Supertile in which W-lane ``lane`` of (temporal) supertile ``tile`` lies. Combinational.

    ``(tile >> log_frames) + (((lane >> log_interleave) - tile) mod frames) * frame_stride``; spatial: ``tile``.
    """
    slot, frames_mask, frame = dim(), dim(), dim()
    distance = Signal(modbv(0)[DIM_BITS:])
    frames_away = address()

    @always_comb
    def drive_slot():
        slot.next = lane >> group.log_interleave
        frames_mask.next = 0
        for i in range(MAX_LOG_FRAMES):
            if group.log_frames > i:
                frames_mask.next[i] = 1

    @always_comb
    def drive_distance():
        distance.next = slot - tile

    @always_comb
    def drive_frame():
        frame.next = distance & frames_mask

    @always_comb
    def drive_frames_away():
        frames_away.next = frame * group.frame_stride

    @always_comb
    def drive_offset():
        offset.next = (tile >> group.log_frames) + frames_away

    return drive_slot, drive_distance, drive_frame, drive_frames_away, drive_offset


@block
def bank_address(base, offset, log_parts, dst):
    """``dst = base + (offset << log_parts)``, cut to the memory's address width. Combinational."""
    LOG_PARTS = log_parts
    BITS = len(dst)
    shifted, total = address(), Signal(modbv(0)[ADDRESS_BITS:])

    @always_comb
    def drive_shifted():
        shifted.next = offset << LOG_PARTS

    @always_comb
    def drive_total():
        total.next = base + shifted

    @always_comb
    def drive_dst():
        dst.next = total[BITS:]

    return drive_shifted, drive_total, drive_dst


@block
def lane_number(part, log_rows, first, lane):
    """W-lane of lane ``first`` of row part ``part``. Combinational."""
    LOG_ROWS, FIRST = log_rows, first

    @always_comb
    def drive_lane():
        lane.next = (part << LOG_ROWS) | FIRST

    return drive_lane


@block
def bank_addresses(base, tile, part, group, dst, banks, lanes, log_parts, log_rows):
    """Address of each bank: ``base`` plus the place of supertile ``tile``; banks of ``lanes`` from W-lane part * R on.

    dst: packed addresses (bank 0 lowest), or one address when ``banks`` is 1: then all lanes lie together.
    """
    bits = len(dst) // banks
    numbers, offsets = [dim() for _ in range(banks)], [address() for _ in range(banks)]
    addresses = [word(bits) for _ in range(banks)]
    lane_numbers = [lane_number(part=part, log_rows=log_rows, first=b * lanes, lane=numbers[b]) for b in range(banks)]
    places = [frame_offset(lane=numbers[b], tile=tile, group=group, offset=offsets[b]) for b in range(banks)]
    sums = [bank_address(base=base, offset=offsets[b], log_parts=log_parts, dst=addresses[b]) for b in range(banks)]
    joined = ConcatSignal(*reversed(addresses)) if banks > 1 else addresses[0]

    @always_comb
    def drive_dst():
        dst.next = joined

    return lane_numbers, places, sums, drive_dst


@block
def write_enables(enable, part, dst, banks_per_part):
    """One bit per bank: the banks of ``part`` when ``enable``. Combinational."""
    BANKS, PER_PART = len(dst), banks_per_part

    @always_comb
    def drive_enables():
        dst.next = 0
        for b in range(BANKS):
            if enable and part == (b // PER_PART):
                dst.next[b] = 1

    return drive_enables


@block
def wide_memory(clk, write, read_enable, raddr, rdata, depth, bank, config, apart=False):
    """Memory of W lanes, written R lanes at a time. raddr: one address, or one per bank when ``apart``."""
    parts = config.wide // config.rows
    banks = config.wide // bank
    BITS = len(raddr) // banks if apart else len(raddr)
    enables = Signal(intbv(0)[banks:])
    one_address, waddr = word(BITS), word(len(raddr))
    wdata = word(config.wide * INT8_BITS)
    copies = ConcatSignal(*[write.data] * parts) if parts > 1 else write.data
    addresses = ConcatSignal(*[one_address] * banks) if apart and banks > 1 else one_address

    @always_comb
    def drive_one_address():
        one_address.next = write.addr[BITS:]

    @always_comb
    def drive_copies():
        wdata.next = copies
        waddr.next = addresses

    enable = write_enables(enable=write.enable, part=write.part, dst=enables, banks_per_part=banks // parts)
    ram = banked_ram(
        clk=clk, write=enables, waddr=waddr, wdata=wdata, read=read_enable, raddr=raddr, rdata=rdata, depth=depth,
        bank=bank, addressed_apart=apart,
    )  # fmt: skip
    return drive_one_address, drive_copies, enable, ram


@block
def narrow_memory(clk, write, read, depth):
    """Memory of one word width with 32-bit port addresses."""
    BITS = bits_for(depth)
    waddr, raddr = word(BITS), word(BITS)

    @always_comb
    def drive_addresses():
        waddr.next = write.addr[BITS:]
        raddr.next = read.addr[BITS:]

    ram = word_ram(
        clk=clk, write=write.enable, waddr=waddr, wdata=write.data, read=read.enable, raddr=raddr, rdata=read.data,
        depth=depth,
    )  # fmt: skip
    return drive_addresses, ram


@block
def hidden_memory(clk, write, placed, tile, group, read, config):
    """Hidden memory: natural addresses, except for writes with ``placed`` (O of temporal groups).

    write: WritePort. tile: supertile of the word, in its context. group: AttentionGroup. read: ReadPort.
    """
    if config.frame_banks > 1:
        return banked_hidden_memory(
            clk=clk, write=write, placed=placed, tile=tile, group=group, read=read, config=config
        )
    LOG_PARTS = log2_exact(config.wide // config.rows)
    offset, total = address(), Signal(modbv(0)[ADDRESS_BITS:])
    natural = WritePort(config.rows * INT8_BITS)

    @always_comb
    def drive_offset():
        offset.next = 0
        if placed:
            offset.next = tile << LOG_PARTS

    @always_comb
    def drive_total():
        total.next = write.addr + offset

    @always_comb
    def drive_natural():
        natural.enable.next = write.enable
        natural.addr.next = total
        natural.data.next = write.data

    memory = narrow_memory(clk=clk, write=natural, read=read, depth=config.hidden_depth)
    return drive_offset, drive_total, drive_natural, memory


@block
def banked_hidden_memory(clk, write, placed, tile, group, read, config):
    """The hidden memory with one address per bank on the write side. The arguments are those of ``hidden_memory``."""
    banks, log_rows = config.rows // config.bank, log2_exact(config.rows)
    BITS = bits_for(config.hidden_depth)
    waddr, raddr, natural, spread = (word(banks * BITS) for _ in range(4))
    one_read, one_write = word(BITS), word(BITS)
    reads = ConcatSignal(*[one_read] * banks) if banks > 1 else one_read
    writes = ConcatSignal(*[one_write] * banks) if banks > 1 else one_write
    enables = Signal(intbv(0)[banks:])
    no_part = flag()
    places = bank_addresses(
        base=write.addr, tile=tile, part=write.part, group=group, dst=spread, banks=banks, lanes=config.bank,
        log_parts=log2_exact(config.wide) - log_rows, log_rows=log_rows,
    )  # fmt: skip
    enable = write_enables(enable=write.enable, part=no_part, dst=enables, banks_per_part=banks)
    ram = banked_ram(
        clk=clk, write=enables, waddr=waddr, wdata=write.data, read=read.enable, raddr=raddr, rdata=read.data,
        depth=config.hidden_depth, bank=config.bank, addressed_apart=True,
    )  # fmt: skip

    @always_comb
    def drive_one_address():
        one_read.next = read.addr[BITS:]
        one_write.next = write.addr[BITS:]

    @always_comb
    def drive_copies():
        raddr.next = reads
        natural.next = writes
        no_part.next = 0

    @always_comb
    def drive_waddr():
        if placed:
            waddr.next = spread
        else:
            waddr.next = natural

    return places, enable, ram, drive_one_address, drive_copies, drive_waddr
