"""Lanes of a word, and what the pipelines of lanes have in common.

A unit that works on R lanes has one block per lane, which cuts its fields from the packed words by constant bounds
(a part-select with a loop variable is no legal Verilog) and holds its registers as plain signals; the unit itself has
the valid bits, whatever the lanes share, and packs the results. Plain signals, one process per stage that does
nothing without ``valid``: that is clock gating in hardware, and in Verilator one test per stage for all lanes.

``pack`` joins a list of signals into a word, lane 0 lowest; ``unpack`` splits one. Both are wires: no latency, no
rounding. Lane width = ``len(lanes[0])``, and ``len(joined) == len(lanes) * len(lanes[0])``.
``part_mux`` picks one of the parts that a word consists of, several lanes wide.
``signal_list`` makes the sized signals of a unit's products, sums and shifts, one per lane.
"""

from myhdl import ConcatSignal, Signal, always_comb, block

from radit.accel.interfaces.signals import word


def signal_list(make, bits: int, lanes: int) -> list[Signal]:
    """One signal per lane: ``make`` is ``signed`` or ``word``."""
    return [make(bits) for _ in range(lanes)]


@block
def unsigned_lane(joined, lane, low):
    HIGH, LOW = low + len(lane), low

    @always_comb
    def take():
        lane.next = joined[HIGH:LOW]

    return take


@block
def signed_lane(joined, lane, low):
    HIGH, LOW = low + len(lane), low

    @always_comb
    def take():
        lane.next = joined[HIGH:LOW].signed()

    return take


@block
def unpack(joined, lanes, signed):
    """joined -> lanes, read as two's complement when ``signed``."""
    take_lane = signed_lane if signed else unsigned_lane
    takes = [take_lane(joined, lane, i * len(lane)) for i, lane in enumerate(lanes)]
    return takes


@block
def lane_bits(lane, bits):
    WIDTH = len(lane)

    @always_comb
    def take():
        bits.next = lane[WIDTH:]

    return take


@block
def pack(lanes, joined):
    """lanes (signed or not) -> joined, their bits unchanged."""
    width = len(lanes[0]) or 1
    # VHDL joins only unsigned vectors.
    bits = [word(width) for _ in lanes] if (lanes[0].min or 0) < 0 else lanes
    takes = [lane_bits(lane, field) for lane, field in zip(lanes, bits, strict=True) if lane is not field]
    together = ConcatSignal(*reversed(bits)) if len(bits) > 1 else bits[0]

    @always_comb
    def join():
        joined.next = together

    return takes, join


@block
def any_lane(flags, dst):
    """dst = some flag is high."""
    joined = ConcatSignal(*flags) if len(flags) > 1 else flags[0]

    @always_comb
    def decide():
        dst.next = joined > 0  # unlike "!=", low in VHDL as long as the flags are unknown

    return decide


@block
def part_mux(joined, part, dst, parts, bits):
    """``dst = joined[part * bits +: bits]``, combinational; parts is a build constant."""
    if parts == 1:
        return slice_piece(joined=joined, piece=dst, low=0, bits=bits)
    pieces = [word(bits) for _ in range(parts)]
    slices = [slice_piece(joined=joined, piece=pieces[i], low=i * bits, bits=bits) for i in range(parts)]

    @always_comb
    def drive_dst():
        dst.next = pieces[0]
        for i in range(1, parts):
            if part == i:
                dst.next = pieces[i]

    return slices, drive_dst


@block
def slice_piece(joined, piece, low, bits):
    """``piece = joined[low +: bits]`` with constant bounds."""
    HIGH = low + bits
    LOW = low

    @always_comb
    def drive_piece():
        piece.next = joined[HIGH:LOW]

    return drive_piece
