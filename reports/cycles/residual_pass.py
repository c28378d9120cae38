"""``radit.accel.residual_pass.streaming_pass``: the streaming pass, tile by tile, and the decisions in it."""

from __future__ import annotations

from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.accel.residual_pass.back_half import SETTLE
from radit.accel.residual_pass.front_half import FIRE_TO_SUM, TILES_AHEAD
from radit.accel.units.dtsm import LATENCY as DTSM_LATENCY
from radit.accel.units.fifo import LATENCY as FIFO_LATENCY
from radit.accel.units.layernorm import STAT_LATENCY
from radit.model.formats import CODE_BITS
from radit.reports.cost.traffic import BEAT_BYTES
from radit.reports.cycles.memory import COMMAND_TO_STREAM, MemoryModel

START = 1  # start pulse -> the halves run
COMMAND = 3  # start pulse -> first word of a reader whose first context is wanted, latency 0
LOOK, ASK = 1, 1  # cycles of a reader per context, and per command
TO_STATISTICS = FIRE_TO_SUM  # a word starts its way -> it enters the LayerNorm and the FIFO
TO_OUTPUT = TO_STATISTICS + FIFO_LATENCY
SUMMED = (
    2  # the last word enters the LayerNorm -> its sums can be taken over, and so the tile before must have moved on
)
TAKEN_TO_ROOTS = STAT_LATENCY - SUMMED - 1  # beside one cycle per row
DECIDE = SETTLE + 1  # last word of a context normalized -> decide pulse
TO_PASS, TO_WRITE = 2, 3  # start, or the last word of a context -> the next one passes the stream writer
PULSE = 1


@dataclass(frozen=True)
class Pass:
    """What a pass has to do.

    Fields:
        cached: contexts whose branch comes from the cache.
        forecast: those of them whose branch before comes as well.
        last: x goes to the host, nothing is normalized.
        light: nothing is normalized, x stays.
        detect: the CCU works and a decision follows each context.
        with_history: stored codes are read.
        ahead: cycles from the command for cached branches to the start pulse.
        stream_scope: the last pass where streams are cached: x of the contexts in `cached` comes from there, and x of
            the others goes there.
    """

    cached: tuple[int, ...]
    forecast: tuple[int, ...]
    last: bool = False
    light: bool = False
    detect: bool = False
    with_history: bool = False
    ahead: int = 0
    stream_scope: bool = False

    def branch_bytes(self, ctx: int, rows: int) -> int:
        """Bytes from the cache for each word of a context."""
        return rows * ((ctx in self.cached) + (ctx in self.forecast))


@dataclass(frozen=True)
class PassTimes:
    """Relative to the start pulse: the decision of each context, the pulse at the end, and the first cycle in which all
    that went to the cache is written."""

    decided: tuple[float, ...]
    done: float
    written: float = 0.0


def context_reader(wanted: tuple[int, ...], latency: int) -> dict[int, float]:
    """First word of each wanted context at the earliest (``radit.accel.cache.branch_cache.context_reader``).

    That of the branches before, of which fewer are wanted, is never later than that of the latest ones.
    """
    return {ctx: COMMAND + latency + ctx * LOOK + number * ASK for number, ctx in enumerate(wanted)}


class Pace:
    """What the reading front and the normalizing back, a tile behind, move from external memory at a time.

    The next sub-block's conditioning is fetched meanwhile, and comes first; in the last pass there is none.
    """

    def __init__(self, todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel) -> None:
        self._codes = build.rows * CODE_BITS / 8 if todo.with_history else 0.0
        tiles = dims.row_tiles(build)
        self._branch = [todo.branch_bytes(ctx, build.rows) for ctx in range(dims.contexts) for _ in range(tiles)]
        self._memory, self._crowded = memory, memory.beside(BEAT_BYTES)
        beats = HEADER_BEATS + dims.contexts * dims.hidden
        self._loaded = 0.0 if todo.last else COMMAND_TO_STREAM + memory.latency + beats * memory.spacing(BEAT_BYTES)

    def front(self, tile: int, cycle: float, words: int) -> float:
        """The cycle in which ``words`` more of a tile are read."""
        if not self._branch[tile]:
            return cycle + words
        return self._move(cycle, words, self._branch[tile] + (self._codes if tile else 0.0))

    def back(self, tile: int, cycle: float, words: int) -> float:
        """The cycle in which ``words`` more of a tile are normalized."""
        if not self._codes:
            return cycle + words
        following = self._branch[tile + 1] if tile + 1 < len(self._branch) else 0
        return self._move(cycle, words, self._codes + following)

    def _move(self, cycle: float, words: int, word_bytes: float) -> float:
        crowded = self._crowded.spacing(word_bytes)
        early = min(float(words), max(0.0, (self._loaded - cycle) / crowded))
        return cycle + early * crowded + (words - early) * self._memory.spacing(word_bytes)


def residual_pass(todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel) -> PassTimes:
    """Times of one pass."""
    cached = context_reader(todo.cached, memory.latency - todo.ahead)
    if todo.stream_scope:
        return _stream_pass(todo, cached, dims, build, memory)
    if todo.last or todo.light:
        return PassTimes((), _plain_pass(todo, cached, dims, build, memory))
    history = context_reader(tuple(range(dims.contexts)) if todo.with_history else (), memory.latency)
    pace, tiles, hidden = Pace(todo, dims, build, memory), dims.row_tiles(build), dims.hidden
    starts: list[float] = []  # of each tile's normalization
    moved: list[float] = []  # its statistics have moved on
    decided: list[float] = []
    read, free, gate = START - 1.0, 0.0, float(START)
    for tile in range(dims.contexts * tiles):
        ctx, row_tile = divmod(tile, tiles)
        first = pace.front(tile, read, 1)
        if row_tile == 0:
            first, gate = max(first, cached.get(ctx, 0.0)), max(gate, history.get(ctx, 0.0))
        if tile >= TILES_AHEAD:
            first = max(first, moved[tile - TILES_AHEAD] + 1)
        last = pace.front(tile, first, hidden - 1)
        read = _last_read(tile, last, starts, hidden, build.fifo_credit)
        taken = max(read + TO_STATISTICS + SUMMED, moved[-1] if moved else 0.0)
        moved.append(max(taken + build.rows + TAKEN_TO_ROOTS, free) + 1)
        starts.append(max(moved[-1], gate))
        free = pace.back(tile, starts[-1], hidden - 1)
        if todo.detect and row_tile == tiles - 1:
            decided.append(free + DECIDE + DTSM_LATENCY)
            gate = decided[-1] + PULSE
    return PassTimes(tuple(decided), decided[-1] + PULSE if todo.detect else free + DECIDE)


def _last_read(number: int, last: float, starts: list[float], hidden: int, credit: int) -> float:
    """Cycle in which the last word of tile ``number`` is read, for want of FIFO room later than ``last``."""
    lowest, highest = number * hidden - credit, number * hidden + hidden - 1 - credit
    for tile in range(max(0, lowest // hidden), highest // hidden + 1):
        if tile < number and highest >= 0:
            last = max(last, starts[tile] + (number - tile + 1) * hidden - credit)
    return last


def _plain_pass(todo: Pass, cached: dict[int, float], dims: Dims, build: BuildConfig, memory: MemoryModel) -> float:
    """The pass that only adds: its done pulse."""
    pace, tiles = Pace(todo, dims, build, memory), dims.row_tiles(build)
    read, words = float(START - 1), dims.sub_block_words(build)
    for ctx in range(dims.contexts):
        first = max(pace.front(ctx * tiles, read, 1), cached.get(ctx, 0.0))
        read = pace.front(ctx * tiles, first, words - 1)
    return read + (TO_OUTPUT if todo.last else TO_STATISTICS) + PULSE


def _stream_pass(
    todo: Pass, cached: dict[int, float], dims: Dims, build: BuildConfig, memory: MemoryModel
) -> PassTimes:
    """The last pass where streams are cached, word by word: read, through the FIFO, past the writer.

    A word is read when the writer has let ``fifo_credit`` words less pass.
    """
    words, credit = dims.sub_block_words(build), build.fifo_credit
    half = memory.spacing(build.rows)
    passed: list[float] = []
    read, gone = START - 1.0, 0.0
    for ctx in range(dims.contexts):
        given = ctx in todo.cached
        pace = STREAM_WORDS * memory.spacing(todo.branch_bytes(ctx, build.rows)) if given else 1.0
        ready, step = cached.get(ctx, 0.0) + given, 1.0 if given else STREAM_WORDS * half
        open_ = gone + (TO_PASS if given else TO_WRITE)
        for word in range(words):
            read = max(read + (pace if word or ctx - 1 in todo.cached else 1.0), ready)
            if len(passed) >= credit:
                read = max(read, passed[-credit] + 1)
            gone = max(read + TO_OUTPUT, gone + step if word else open_)
            passed.append(gone)
    wrote = dims.contexts - 1 not in todo.cached
    return PassTimes((), gone + PULSE, gone + PULSE + STREAM_WORDS * half * wrote)
