"""``radit.accel.sequencers.attention_sequencer`` and ``radit.accel.units.softmax``: scores and values, one job per
context, head and query row tile."""

from __future__ import annotations

from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.accel.units.softmax import done_latency
from radit.reports.cycles.array_front import ArrayFront
from radit.reports.cycles.product_sequencer import looks

LOOK_TO_SCORE = 4  # looking for a context -> its first score tile offered
SCORE_TO_SCORE = 4  # a score tile accepted -> the next one offered
SCORES_TO_NEXT = 2  # the last score tile accepted -> the values of the job before, or the next job's scores
AWAIT_TO_VALUE = 6  # the softmax is seen to be done -> first value tile offered
VALUE_TO_VALUE = 5
VALUES_TO_NEXT = 1
SEEN = 1  # a done pulse counts in the next cycle
SCORES_TO_MOVE = 2  # a job's last score word -> the softmax unit may take the job up


@dataclass(frozen=True)
class Group:
    """What a job meets: key tiles, key slots, jobs of a context, cycles of a value tile, and per head the cycles of a
    score tile and the columns of its value tiles."""

    key_tiles: int
    keys: int
    row_tiles: int
    value_cycles: int
    score_cycles: tuple[int, ...]
    value_columns: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, dims: Dims, build: BuildConfig, block: int) -> Group:
        """The group of a block's attention."""
        keys = dims.group_supertiles(build, block) * build.wide
        firsts = [head * dims.head_dim for head in range(dims.heads)]
        scores = tuple(build.steps(dims.head_dim, first) for first in firsts)
        columns = tuple(_value_columns(first, dims.head_dim, build.cols) for first in firsts)
        return cls(keys // build.cols, keys, dims.row_tiles(build), build.steps(keys), scores, columns)


def _value_columns(first: int, count: int, cols: int) -> tuple[int, ...]:
    """Drained columns of the channel tiles (C wide, aligned) that overlap a head."""
    edges = [first, *range((first // cols + 1) * cols, first + count, cols), first + count]
    return tuple(high - low for low, high in zip(edges, edges[1:], strict=False))


class SoftmaxUnit:
    """One job after the other; ``done`` is the cycle of the last job's done pulse."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self.done = float("-inf")

    def job(self, last_score: float, keys: int) -> float:
        """A job whose last score word comes in cycle ``last_score``; returns its done pulse."""
        move = max(last_score + SCORES_TO_MOVE, self.done + SEEN)
        self.done = move + done_latency(keys, self._lanes) - SCORES_TO_MOVE
        return self.done


def attention_sequencer(
    start: float, active: tuple[int, ...], group: Group, front: ArrayFront, build: BuildConfig
) -> float:
    """Scores and values of the contexts ``active`` from the pulse ``start`` on; returns the cycle of the done pulse."""
    softmax = SoftmaxUnit(build.rows)
    pending: tuple[float, tuple[int, ...]] | None = None  # done pulse and value tiles of the job whose values are due
    cycle = start + SEEN
    for position in range(len(active)):
        cycle += looks(active, position) - 1
        for depth, columns in zip(group.score_cycles, group.value_columns, strict=True):
            for _ in range(group.row_tiles):
                scored = _scores(cycle + LOOK_TO_SCORE, depth, group, front, build)
                done = softmax.job(front.last_word, group.keys)
                cycle = (scored if pending is None else _values(scored, *pending, group, front)) + 1
                pending = done, columns
    assert pending is not None
    return _values(cycle, *pending, group, front) + 1


def _scores(offer: float, depth: int, group: Group, front: ArrayFront, build: BuildConfig) -> float:
    """Score tiles of a job, of ``depth`` cycles each; returns the cycle in which the sequencer goes on."""
    for _ in range(group.key_tiles):
        front.tile(offer, depth, build.cols)
        offer = front.accepted + SCORE_TO_SCORE
    return front.accepted + SCORES_TO_NEXT


def _values(cycle: float, done: float, columns: tuple[int, ...], group: Group, front: ArrayFront) -> float:
    """Value tiles of a job whose softmax is done; returns the cycle in which the sequencer goes on."""
    offer = max(cycle, done + SEEN) + AWAIT_TO_VALUE
    for count in columns:
        front.tile(offer, group.value_cycles, count)
        offer = front.accepted + VALUE_TO_VALUE
    return front.accepted + VALUES_TO_NEXT
