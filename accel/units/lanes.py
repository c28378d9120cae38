"""Lanes of a word, and what the pipelines of lanes have in common.

A unit that works on R lanes has one block per lane, which cuts its fields from the packed words by constant bounds
(a part-select with a loop variable is no legal Verilog) and holds its registers as plain signals; the unit itself has
the valid bits, whatever the lanes share, and packs the results. Plain signals, one process per stage that does
nothing without ``valid``: that is clock gating in hardware, and in Verilator one test per stage for all lanes.

``pack`` joins a list of signals into a word, lane 0 lowest; ``unpack`` splits one. Both are wires: no latency, no
rounding. Lane width = ``len(lanes[0])``, and ``len(word) == len(lanes) * len(lanes[0])``.
``steps`` are the valid bits of a pipeline, ``carry_along`` is a value that travels beside its words.
``signal_list``, ``unsigned``, ``signed`` and ``bit`` make the sized signals of a unit's products, sums and shifts.
"""

from myhdl import ConcatSignal, Signal, always, always_comb, block, intbv


def bit() -> Signal:
    """A single bit, low at first."""
    return Signal(bool(0))


def unsigned(bits: int) -> Signal:
    """An unsigned signal of ``bits`` bits."""
    return Signal(intbv(0)[bits:])


def signed(bits: int) -> Signal:
    """A two's-complement signal of ``bits`` bits."""
    return Signal(intbv(0, min=-(1 << (bits - 1)), max=1 << (bits - 1)))


def signal_list(make, bits: int, lanes: int) -> list[Signal]:
    """One signal per lane: ``make`` is ``signed`` or ``unsigned``."""
    return [make(bits) for _ in range(lanes)]


@block
def unsigned_lane(word, lane, low):
    HIGH, LOW = low + len(lane), low

    @always_comb
    def take():
        lane.next = word[HIGH:LOW]

    return take


@block
def signed_lane(word, lane, low):
    HIGH, LOW = low + len(lane), low

    @always_comb
    def take():
        lane.next = word[HIGH:LOW].signed()

    return take


@block
def unpack(word, lanes, signed):
    """word -> lanes, read as two's complement when ``signed``."""
    take_lane = signed_lane if signed else unsigned_lane
    takes = [take_lane(word, lane, i * len(lane)) for i, lane in enumerate(lanes)]
    return takes


@block
def lane_bits(lane, bits):
    WIDTH = len(lane)

    @always_comb
    def take():
        bits.next = lane[WIDTH:]

    return take


@block
def pack(lanes, word):
    """lanes (signed or not) -> word, their bits unchanged."""
    width = len(lanes[0]) or 1
    # VHDL joins only unsigned vectors.
    bits = [unsigned(width) for _ in lanes] if (lanes[0].min or 0) < 0 else lanes
    takes = [lane_bits(lane, field) for lane, field in zip(lanes, bits, strict=True) if lane is not field]
    joined = ConcatSignal(*reversed(bits)) if len(bits) > 1 else bits[0]

    @always_comb
    def join():
        word.next = joined

    return takes, join


@block
def step(clk, src, dst):
    """One register."""

    @always(clk.posedge)
    def advance():
        dst.next = src

    return advance


@block
def steps(clk, chain):
    """``chain[k + 1]`` is ``chain[k]`` one cycle later: the valid bits of a pipeline's stages."""
    return [step(clk, chain[k], chain[k + 1]) for k in range(len(chain) - 1)]


@block
def any_lane(flags, dst):
    """dst = some flag is high."""
    joined = ConcatSignal(*flags) if len(flags) > 1 else flags[0]

    @always_comb
    def decide():
        dst.next = joined > 0  # unlike "!=", low in VHDL as long as the flags are unknown

    return decide


@block
def carry(clk, valid, src, dst):
    """A register that takes ``src`` only when ``valid`` is high."""

    @always(clk.posedge)
    def take():
        if valid:
            dst.next = src

    return take


@block
def carry_along(clk, valids, chain):
    """``chain[k + 1]`` takes over ``chain[k]`` when ``valids[k]`` is high: a value beside a pipeline's words."""
    return [carry(clk, valids[k], chain[k], chain[k + 1]) for k in range(len(chain) - 1)]
