"""``radit.accel.residual_pass.streaming_pass``: the streaming pass, tile by tile, and the decisions in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.accel.residual_pass.back_half import SETTLE
from radit.accel.residual_pass.front_half import FIRE_TO_SUM, TILES_AHEAD
from radit.accel.units.dtsm import LATENCY as DTSM_LATENCY
from radit.accel.units.fifo import LATENCY as FIFO_LATENCY
from radit.accel.units.layernorm import BYPASS_LATENCY, STAT_LATENCY
from radit.model.formats import CODE_BITS
from radit.reports.cost.traffic import BEAT_BYTES, PARAM_BYTES
from radit.reports.cycles.memory import COMMAND_TO_STREAM, MemoryModel, Outlet, Pauses

START = 1  # start pulse -> the halves run
COMMAND = 3  # start pulse -> first word of a reader whose first context is wanted, latency 0
LOOK, ASK = 1, 1  # cycles of a reader per context, and per command
TO_STATISTICS = FIRE_TO_SUM  # a word starts its way -> it enters the LayerNorm and the FIFO
TO_OUTPUT = TO_STATISTICS + FIFO_LATENCY
SUMMED = (
    2  # the last word enters the LayerNorm -> its sums can be taken over, and so the tile before must have moved on
)
TAKEN_TO_ROOTS = STAT_LATENCY - SUMMED - 1  # beside one cycle per row
TAKEN_TO_NONE = BYPASS_LATENCY - SUMMED - 1  # where there are no roots
DECIDE = SETTLE + 1  # last word of a context normalized -> decide pulse
TO_PASS, TO_WRITE = 2, 3  # start, or the last word of a context -> the next one passes the stream writer
PULSE = 1
MOST_DRAWS, DRAWN_WORDS = 16, 1 << 14  # passes whose mean is taken where ports pause, and their words at most


@dataclass(frozen=True)
class Pass:
    """What a pass has to do.

    Fields:
        cached: contexts whose branch comes from the cache.
        forecast: those of them whose branch before comes as well, once for each branch before.
        last: x goes to the host, nothing is normalized.
        light: nothing is normalized, x stays.
        bypass: x itself is modulated, without LayerNorm.
        detect: the CCU works and a decision follows each context.
        with_history: stored codes are read.
        first: x comes from the host.
        ahead: cycles from the command for cached branches to the start pulse.
        stream_scope: the last pass where streams are cached: x of the contexts in `cached` comes from there, and x of
            the others goes there.
        differs: with it, odd contexts' words come in pairs, and their differences go there.
        fetches: of a first pass, contexts that are decided when weights are asked for; None: they are not.
    """

    cached: tuple[int, ...]
    forecast: tuple[int, ...]
    last: bool = False
    light: bool = False
    bypass: bool = False
    detect: bool = False
    with_history: bool = False
    first: bool = False
    ahead: int = 0
    stream_scope: bool = False
    differs: bool = False
    fetches: int | None = None

    def branch_bytes(self, ctx: int, rows: int) -> int:
        """Bytes from the cache for each word of a context."""
        return rows * ((ctx in self.cached) + self.forecast.count(ctx))

    def streams(self, ctx: int) -> int:
        """Streams from outside that give a context's words."""
        return (ctx in self.cached) + self.forecast.count(ctx) + self.first


@dataclass(frozen=True)
class PassTimes:
    """Relative to the start pulse: the decision of each context, the pulse at the end, and the first cycle in which all
    that went to the cache is written; ``late``: cycles by which the next sub-block's conditioning was held up."""

    decided: tuple[float, ...]
    done: float
    written: float = 0.0
    late: float = 0.0


def context_reader(wanted: tuple[int, ...], memory: MemoryModel, ahead: int = 0) -> dict[int, float]:
    """First word of each wanted context at the earliest (``radit.accel.cache.branch_cache.context_reader``).

    That of the branches before, of which fewer are wanted, is never later than that of the latest ones.
    """
    first, ask = COMMAND + memory.first_word - ahead, ASK + memory.pause
    return {ctx: first + ctx * LOOK + number * ask for number, ctx in enumerate(wanted)}


class Pace:
    """What the reading front and the normalizing back, a tile behind, move from external memory at a time.

    The next sub-block's conditioning is fetched meanwhile: after the codes, but before the branches. In the last pass
    there is none. ``late``: cycles by which codes have held it up.
    """

    def __init__(self, todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel, pauses: Pauses) -> None:
        self._codes = build.rows * CODE_BITS / 8 if todo.with_history else 0.0
        contexts = [ctx for ctx in range(dims.contexts) for _ in range(dims.row_tiles(build))]
        self._branch = [todo.branch_bytes(ctx, build.rows) for ctx in contexts]
        self._streams, self._pauses = [todo.streams(ctx) for ctx in contexts], pauses
        self._memory, self._free = memory, replace(memory, stall=0.0)  # the pauses of words are drawn
        self._crowded = self._free.beside(BEAT_BYTES)
        beats = HEADER_BEATS + dims.contexts * dims.hidden
        arrival = COMMAND_TO_STREAM + memory.latency + memory.pause
        self._loaded = 0.0 if todo.last else arrival + beats * memory.spacing(BEAT_BYTES)
        self._slowed = memory.spacing(BEAT_BYTES) / self._beside_codes().spacing(BEAT_BYTES)
        self._outlet = memory.outlet(build, dims.sub_block_words(build), pauses)
        self._came, self._read = _came(todo, dims, build, memory, beats) if todo.first else [], 0
        self.late = 0.0

    def front(self, tile: int, cycle: float, words: int) -> float:
        """The cycle in which ``words`` more of a tile are read."""
        self._read += words
        came = self._came[self._read - 1] if self._came else 0.0
        paused = max(cycle + self._pauses.words(words, self._streams[tile]), came)
        if not self._branch[tile]:
            return paused
        return max(paused, self._move(cycle, words, self._branch[tile] + (self._codes if tile else 0.0)))

    def back(self, tile: int, cycle: float, words: int) -> float:
        """The cycle in which ``words`` more of a tile are normalized."""
        if not self._codes:
            return cycle + words
        following = self._branch[tile + 1] if tile + 1 < len(self._branch) else 0
        first = self._free.spacing(self._codes)
        early = min(float(words), max(0.0, (self._loaded - cycle) / self._slowed / first))
        self._hold_up(early * first * (1 - self._slowed))
        moved = cycle + early * first + (words - early) * self._free.spacing(self._codes + following)
        return max(cycle + self._pauses.words(words), moved)

    def host(self, cycle: float, words: int) -> float:
        """The cycle in which the host has taken a context's ``words``."""
        return self._outlet.run(cycle, words)

    def _beside_codes(self) -> MemoryModel:
        """What codes leave of the bandwidth."""
        return self._memory.beside(self._codes / self._free.spacing(self._codes))

    def _hold_up(self, cycles: float) -> None:
        """The conditioning comes later."""
        self._loaded += cycles
        self.late += cycles

    def _move(self, cycle: float, words: int, word_bytes: float) -> float:
        crowded = self._crowded.spacing(word_bytes)
        early = min(float(words), max(0.0, (self._loaded - cycle) / crowded))
        return cycle + early * crowded + (words - early) * self._free.spacing(word_bytes)


def _came(todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel, beats: int) -> list[float]:
    """First cycles in which the words of x are there, that share the way with what else is asked for; empty: always."""
    words = dims.contexts * dims.sub_block_words(build)
    others = [(float(START), float(beats * BEAT_BYTES))]
    if todo.with_history:
        others.append((float(COMMAND), words * build.rows * CODE_BITS / 8))
    if todo.fetches is not None:
        asked = (todo.fetches * dims.row_tiles(build) + bool(todo.fetches)) * dims.hidden
        word, fetched = build.wide * build.products, dims.attention_words(build) / build.products
        room = build.weight_depth / build.products + memory.ahead(word)
        others += [(asked, min(fetched, room) * word), (asked, 3 * dims.hidden * PARAM_BYTES)]
    return memory.inlet(build, words, beats, others)


def residual_pass(todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel) -> PassTimes:
    """Times of one pass; where ports pause, the mean of a few whose pauses are drawn."""
    words = dims.contexts * dims.sub_block_words(build)
    draws = max(1, min(MOST_DRAWS, DRAWN_WORDS // words)) if memory.stall else 1
    found = [_pass(todo, dims, build, memory, Pauses(memory.stall, draw)) for draw in range(draws)]
    decided = tuple(sum(times) / draws for times in zip(*(one.decided for one in found), strict=True))
    rest = (sum(times) / draws for times in zip(*((one.done, one.written, one.late) for one in found), strict=True))
    return PassTimes(decided, *rest)


def _pass(todo: Pass, dims: Dims, build: BuildConfig, memory: MemoryModel, pauses: Pauses) -> PassTimes:
    """Times of one pass with its pauses."""
    cached = context_reader(todo.cached, memory, todo.ahead)
    if todo.stream_scope:
        return _stream_pass(todo, cached, dims, build, memory, pauses)
    pace, tiles, hidden = Pace(todo, dims, build, memory, pauses), dims.row_tiles(build), dims.hidden
    if todo.last or todo.light:
        return PassTimes((), _plain_pass(todo, cached, dims, build, pace))
    history = context_reader(tuple(range(dims.contexts)) if todo.with_history else (), memory)
    starts: list[float] = []  # of each tile's normalization
    moved: list[float] = []  # its statistics have moved on
    decided: list[float] = []
    read, free, gate = START - 1.0, 0.0, float(START)
    to_roots = TAKEN_TO_NONE if todo.bypass else build.rows + TAKEN_TO_ROOTS
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
        moved.append(max(taken + to_roots, free) + 1)
        starts.append(max(moved[-1], gate))
        free = pace.back(tile, starts[-1], hidden - 1)
        if todo.detect and row_tile == tiles - 1:
            decided.append(free + DECIDE + DTSM_LATENCY)
            gate = decided[-1] + PULSE
    return PassTimes(tuple(decided), decided[-1] + PULSE if todo.detect else free + DECIDE, late=pace.late)


def _last_read(number: int, last: float, starts: list[float], hidden: int, credit: int) -> float:
    """Cycle in which the last word of tile ``number`` is read, for want of FIFO room later than ``last``."""
    lowest, highest = number * hidden - credit, number * hidden + hidden - 1 - credit
    for tile in range(max(0, lowest // hidden), highest // hidden + 1):
        if tile < number and highest >= 0:
            last = max(last, starts[tile] + (number - tile + 1) * hidden - credit)
    return last


def _plain_pass(todo: Pass, cached: dict[int, float], dims: Dims, build: BuildConfig, pace: Pace) -> float:
    """The pass that only adds, or hands x to the host: its done pulse."""
    tiles, words = dims.row_tiles(build), dims.sub_block_words(build)
    read, gone = float(START - 1), 0.0
    for ctx in range(dims.contexts):
        first = max(pace.front(ctx * tiles, read, 1), cached.get(ctx, 0.0))
        read = pace.front(ctx * tiles, first, words - 1)
        gone = max(read + TO_OUTPUT, pace.host(max(gone, first + TO_OUTPUT - 1), words)) if todo.last else 0.0
    return (gone if todo.last else read + TO_STATISTICS) + PULSE


def _stream_pass(
    todo: Pass, cached: dict[int, float], dims: Dims, build: BuildConfig, memory: MemoryModel, pauses: Pauses
) -> PassTimes:
    """The last pass where streams are cached, word by word: read, through the FIFO, past the writer.

    A word is read when the writer has let ``fifo_credit`` words less pass.
    """
    words, free = dims.sub_block_words(build), replace(memory, stall=0.0)
    outlet = memory.outlet(build, words, pauses)
    queue, taken, stored = StreamQueue(build.fifo_credit, outlet), START - 1.0, 0.0
    for ctx in range(dims.contexts):
        given, paired = ctx in todo.cached, todo.differs and bool(ctx % 2)
        pace = STREAM_WORDS * free.spacing(todo.branch_bytes(ctx, build.rows)) if given else 1.0
        ready = cached.get(ctx, 0.0) + given
        free_at = queue.gone + TO_PASS if given else outlet.asks(queue.gone + TO_WRITE - 1) + 1
        for word in range(words):
            moves = max(pace, pauses.halves(todo.streams(ctx)))
            taken = queue.read(max(ready, taken + moves if word or ctx - 1 in todo.cached else 0.0))
            if paired and given:  # a forecast difference, which the label's word joins
                queue.read()
            queue.leave(free_at)
            if paired and not given:
                queue.read()
                stored = outlet.store(queue.leave(stored if word else 0.0, for_host=False))
            elif not given:
                free_at = stored = outlet.store(queue.gone)
    wrote = dims.contexts - 1 not in todo.cached
    return PassTimes((), queue.hosted + PULSE, (stored if wrote else queue.gone) + PULSE)


class StreamQueue:
    """The FIFO of the last pass, word by word.

    Attributes:
        gone: cycle in which the last word left it. hosted: the same of the last one for the host.
    """

    def __init__(self, credit: int, outlet: Outlet) -> None:
        self._credit, self._outlet = credit, outlet
        self._read, self._passed = START - 1.0, list[float]()
        self.gone = self.hosted = 0.0

    def read(self, earliest: float = 0.0) -> float:
        """The cycle in which the next word starts its way, one word per cycle, where there is room for it."""
        room = self._passed[-self._credit] + 1 if len(self._passed) >= self._credit else 0.0
        self._read = max(self._read + 1, earliest, room)
        return self._read

    def leave(self, earliest: float, for_host: bool = True) -> float:
        """The cycle in which the word just read leaves, after those before it."""
        moved = max(self._read + TO_OUTPUT, earliest, self.gone + 1 if self._passed else 0.0)
        self.gone = self._outlet.take(moved) if for_host else moved
        self.hosted = self.gone if for_host else self.hosted
        self._passed.append(self.gone)
        return self.gone
