"""``accel.residual_pass``: the streaming pass, tile by tile, and the decisions in it."""

from __future__ import annotations

from dataclasses import dataclass

from accel.conditioning import HEADER_BEATS
from accel.config import BuildConfig
from accel.dims import Dims
from accel.pass_back import SETTLE
from accel.units.dtsm import LATENCY as DTSM_LATENCY
from accel.units.fifo import LATENCY as FIFO_LATENCY
from accel.units.layernorm import STAT_LATENCY
from accel.units.residual import LATENCY as RESIDUAL_LATENCY
from model.formats import CODE_BITS
from reports.units.memory import BEAT_BYTES, MemoryModel

START = 1  # start pulse -> the halves run
COMMAND = 3  # start pulse -> first word of a reader whose first context is wanted, latency 0
LOOK, ASK = 1, 1  # cycles of a reader per context, and per command
TO_STATISTICS = RESIDUAL_LATENCY + 1  # a word read -> it enters the LayerNorm and the FIFO
TO_OUTPUT = TO_STATISTICS + FIFO_LATENCY
SUMMED = (
    2  # the last word enters the LayerNorm -> its sums can be taken over, and so the tile before must have moved on
)
TAKEN_TO_ROOTS = STAT_LATENCY - SUMMED - 1  # beside one cycle per row
DECIDE = SETTLE + 1  # last word of a context normalized -> decide pulse
AHEAD = 2  # tiles whose statistics may be under way
CREDIT_MARGIN = 2
PULSE = 1


@dataclass(frozen=True)
class Pass:
    """What a pass has to do.

    Fields:
        last: x goes to the host, nothing is normalized.
        cached: contexts whose branch comes from the cache.
        detect: the CCU works and a decision follows each context.
        with_history: stored codes are read.
    """

    last: bool
    cached: tuple[int, ...]
    detect: bool
    with_history: bool


@dataclass(frozen=True)
class PassTimes:
    """Relative to the start pulse: the decision of each context, and the pulse at the end."""

    decided: tuple[float, ...]
    done: float


def context_reader(wanted: tuple[int, ...], latency: int) -> dict[int, float]:
    """First word of each wanted context at the earliest (``accel.branch_cache.context_reader``)."""
    return {ctx: COMMAND + latency + ctx * LOOK + number * ASK for number, ctx in enumerate(wanted)}


def residual_pass(todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel) -> PassTimes:
    """Times of one pass."""
    cached = context_reader(todo.cached, memory.latency)
    if todo.last:
        return PassTimes((), _last_pass(cached, todo, dims, build, memory))
    everyone = tuple(range(dims.contexts))
    history = context_reader(everyone if todo.with_history else (), memory.latency)
    # The next sub-block's conditioning comes first: its bytes are spread over the words.
    beside = (HEADER_BEATS + dims.contexts * dims.hidden) * BEAT_BYTES / (dims.contexts * dims.sub_block_words(build))
    code_bytes = build.rows * CODE_BITS / 8 if todo.with_history else 0.0
    hidden, tiles = dims.hidden, dims.row_tiles(build)
    credit = build.fifo_depth - CREDIT_MARGIN
    starts: list[float] = []  # of each tile's normalization
    moved: list[float] = []  # its statistics have moved on
    decided: list[float] = []
    read, free, gate, back_pace = START - 1.0, 0.0, float(START), 1.0
    for ctx in everyone:
        branch_bytes = build.rows if ctx in cached else 0
        total = memory.spacing(branch_bytes + code_bytes + beside)
        pace = total if branch_bytes else 1.0
        back_pace = total if todo.with_history else 1.0
        gate = max(gate, history.get(ctx, 0.0))
        for tile in range(tiles):
            number = len(starts)
            first = max(read + pace, cached.get(ctx, 0.0) if tile == 0 else 0.0)
            if number >= AHEAD:
                first = max(first, moved[number - AHEAD] + 1)
            read = _last_read(number, first, pace, starts, hidden, credit)
            taken = max(read + TO_STATISTICS + SUMMED, moved[-1] if moved else 0.0)
            moved.append(max(taken + build.rows + TAKEN_TO_ROOTS, free) + 1)
            start = max(moved[-1], gate)
            starts.append(start)
            free = start + (hidden - 1) * back_pace
        if todo.detect:
            decided.append(free + DECIDE + DTSM_LATENCY)
            gate = decided[-1] + PULSE
    return PassTimes(tuple(decided), decided[-1] + PULSE if todo.detect else free + DECIDE)


def _last_read(number: int, first: float, pace: float, starts: list[float], hidden: int, credit: int) -> float:
    """Cycle in which the last word of tile ``number`` is read, for want of FIFO room later than ``first`` allows."""
    last = first + (hidden - 1) * pace
    lowest, highest = number * hidden - credit, number * hidden + hidden - 1 - credit
    for tile in range(max(0, lowest // hidden), highest // hidden + 1):
        if tile < number and highest >= 0:
            last = max(last, starts[tile] + (number - tile + 1) * hidden - credit)
    return last


def _last_pass(cached: dict[int, float], todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel) -> float:
    """The pass whose words go to the host: its done pulse."""
    read = float(START - 1)
    for ctx in range(dims.contexts):
        pace = memory.spacing(build.rows) if ctx in cached else 1.0
        first = max(read + pace, cached.get(ctx, 0.0))
        read = first + (dims.sub_block_words(build) - 1) * pace
    return read + TO_OUTPUT + PULSE
