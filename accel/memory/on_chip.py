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

from accel.config import bits_for, log2_exact
from accel.interfaces.memory_ports import WritePort
from accel.interfaces.signals import ADDRESS_BITS, address, dim
from accel.units.ram import banked_ram, word_ram
from model.formats import INT8_BITS

MAX_LOG_FRAMES = 7  # a frame has at least one of the W lanes, and W is at most 128


class GroupRegisters:
    """The attention group of the current block: tiles, valid keys and the placement of frames."""

    def __init__(self) -> None:
        self.row_tiles = dim()
        self.col_tiles = dim()
        self.keys = dim()
        self.log_frames = Signal(intbv(0)[4:])
        self.log_interleave = Signal(intbv(0)[4:])
        self.frame_stride = dim()


@block
def frame_offset(lane, tile, group, offset):
    """Supertile in which W-lane ``lane`` of (temporal) supertile ``tile`` lies. Combinational.

    ``(tile >> log_frames) + (((lane >> log_interleave) - tile) mod frames) * frame_stride``; spatial: ``tile``.
    """
    slot, frames_mask, frame = dim(), dim(), dim()
    distance = Signal(modbv(0)[16:])
    product = address()

    @always_comb
    def split():
        slot.next = lane >> group.log_interleave
        frames_mask.next = 0
        for i in range(MAX_LOG_FRAMES):
            if group.log_frames > i:
                frames_mask.next[i] = 1

    @always_comb
    def turn():
        distance.next = slot - tile

    @always_comb
    def mask():
        frame.next = distance & frames_mask

    @always_comb
    def scale():
        product.next = frame * group.frame_stride

    @always_comb
    def place():
        offset.next = (tile >> group.log_frames) + product

    return split, turn, mask, scale, place


@block
def bank_address(base, offset, log_parts, dst):
    """``dst = base + (offset << log_parts)``, cut to the memory's address width."""
    LOG_PARTS = log_parts
    BITS = len(dst)
    shifted, total = address(), Signal(modbv(0)[ADDRESS_BITS:])

    @always_comb
    def move():
        shifted.next = offset << LOG_PARTS

    @always_comb
    def add():
        total.next = base + shifted

    @always_comb
    def cut():
        dst.next = total[BITS:]

    return move, add, cut


@block
def lane_number(part, log_rows, first, lane):
    """W-lane of lane ``first`` of row part ``part``."""
    LOG_ROWS, FIRST = log_rows, first

    @always_comb
    def number():
        lane.next = (part << LOG_ROWS) | FIRST

    return number


@block
def bank_addresses(base, tile, part, group, dst, banks, lanes, log_parts, log_rows):
    """Address of each bank: ``base`` plus the place of supertile ``tile``; banks of ``lanes`` from W-lane part * R on.

    dst: packed addresses (bank 0 lowest), or one address when ``banks`` is 1: then all lanes lie together.
    """
    bits = len(dst) // banks
    numbers = [dim() for _ in range(banks)]
    offsets = [address() for _ in range(banks)]
    addresses = [Signal(intbv(0)[bits:]) for _ in range(banks)]
    lanes_of = [lane_number(part, log_rows, b * lanes, numbers[b]) for b in range(banks)]
    places = [frame_offset(numbers[b], tile, group, offsets[b]) for b in range(banks)]
    sums = [bank_address(base, offsets[b], log_parts, addresses[b]) for b in range(banks)]
    joined = ConcatSignal(*reversed(addresses)) if banks > 1 else addresses[0]

    @always_comb
    def join():
        dst.next = joined

    return lanes_of, places, sums, join


@block
def write_enables(enable, part, dst, banks_per_part):
    """One bit per bank: the banks of ``part`` when ``enable``."""
    BANKS, PER_PART = len(dst), banks_per_part

    @always_comb
    def spread():
        dst.next = 0
        for b in range(BANKS):
            if enable and part == (b // PER_PART):
                dst.next[b] = 1

    return spread


@block
def wide_memory(clk, write, read_enable, raddr, rdata, depth, bank, config, apart=False):
    """Memory of W lanes, written R lanes at a time. raddr: one address, or one per bank when ``apart``."""
    parts = config.wide // config.rows
    banks = config.wide // bank
    bits = len(raddr) // banks if apart else len(raddr)
    BITS = bits
    enables = Signal(intbv(0)[banks:])
    waddr = Signal(intbv(0)[len(raddr) :])
    one = Signal(intbv(0)[bits:])
    wdata = Signal(intbv(0)[config.wide * INT8_BITS :])
    copies = ConcatSignal(*[write.data] * parts) if parts > 1 else write.data
    addresses = ConcatSignal(*[one] * banks) if apart and banks > 1 else one

    @always_comb
    def cut():
        one.next = write.addr[BITS:]

    @always_comb
    def join():
        wdata.next = copies
        waddr.next = addresses

    enable = write_enables(write.enable, write.part, enables, banks // parts)
    ram = banked_ram(clk, enables, waddr, wdata, read_enable, raddr, rdata, depth, bank, addressed_apart=apart)
    return cut, join, enable, ram


@block
def narrow_memory(clk, write, read, depth):
    """Memory of one word width with 32-bit port addresses."""
    BITS = bits_for(depth)
    waddr, raddr = Signal(intbv(0)[BITS:]), Signal(intbv(0)[BITS:])

    @always_comb
    def cut():
        waddr.next = write.addr[BITS:]
        raddr.next = read.addr[BITS:]

    return cut, word_ram(clk, write.enable, waddr, write.data, read.enable, raddr, read.data, depth)


@block
def hidden_memory(clk, write, placed, tile, group, read, config):
    """Hidden memory: natural addresses, except for writes with ``placed`` (O of temporal groups)."""
    depth = config.hidden_depth
    bits = bits_for(depth)
    if config.frame_banks == 1:
        offset = address()
        total = Signal(modbv(0)[ADDRESS_BITS:])
        LOG_PARTS = log2_exact(config.wide // config.rows)
        natural = WritePort(config.rows * INT8_BITS)

        @always_comb
        def move():
            offset.next = 0
            if placed:
                offset.next = tile << LOG_PARTS

        @always_comb
        def add():
            total.next = write.addr + offset

        @always_comb
        def hand_on():
            natural.enable.next = write.enable
            natural.addr.next = total
            natural.data.next = write.data

        return move, add, hand_on, narrow_memory(clk, natural, read, depth)
    return banked_hidden_memory(clk, write, placed, tile, group, read, bits, config)


@block
def banked_hidden_memory(clk, write, placed, tile, group, read, bits, config):
    """The hidden memory with one address per bank on the write side."""
    banks = config.rows // config.bank
    waddr, natural, spread = (Signal(intbv(0)[banks * bits :]) for _ in range(3))
    raddr = Signal(intbv(0)[banks * bits :])
    one_read, one_write = Signal(intbv(0)[bits:]), Signal(intbv(0)[bits:])
    reads = ConcatSignal(*[one_read] * banks) if banks > 1 else one_read
    writes = ConcatSignal(*[one_write] * banks) if banks > 1 else one_write
    enables = Signal(intbv(0)[banks:])
    zero = Signal(intbv(0)[1:])
    BITS = bits
    log_rows = log2_exact(config.rows)
    log_parts = log2_exact(config.wide) - log_rows
    spread_out = bank_addresses(write.addr, tile, write.part, group, spread, banks, config.bank, log_parts, log_rows)
    enable = write_enables(write.enable, zero, enables, banks)

    @always_comb
    def cut():
        one_read.next = read.addr[BITS:]
        one_write.next = write.addr[BITS:]

    @always_comb
    def join():
        raddr.next = reads
        natural.next = writes
        zero.next = 0

    @always_comb
    def choose():
        if placed:
            waddr.next = spread
        else:
            waddr.next = natural

    ram = banked_ram(
        clk, enables, waddr, write.data, read.enable, raddr, read.data, config.hidden_depth, config.bank,
        addressed_apart=True,
    )  # fmt: skip
    return spread_out, enable, cut, join, choose, ram
