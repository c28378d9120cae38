"""``radit.accel.sequencers.attention_sequencer`` and ``radit.accel.units.softmax``: scores and values, one job per
context, head and query row tile."""

from __future__ import annotations

from collections.abc import Sequence
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
    """What a job meets: columns that its key tiles drain, key slots, jobs of a context, cycles of a value tile, and per
    head the cycles of a score tile and the columns of its value tiles."""

    key_columns: tuple[int, ...]
    keys: int
    row_tiles: int
    value_cycles: int
    score_cycles: tuple[int, ...]
    value_columns: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, dims: Dims, build: BuildConfig, block: int) -> Group:
        """The group of a block's attention."""
        return cls._of_keys(dims, build, dims.group_supertiles(build, block) * build.wide)

    @classmethod
    def of_text(cls, dims: Dims, build: BuildConfig, context: int) -> Group:
        """What a context's cross-attention meets."""
        return cls._of_keys(dims, build, dims.prompts[context])

    @classmethod
    def _of_keys(cls, dims: Dims, build: BuildConfig, keys: int) -> Group:
        firsts = [head * dims.head_dim for head in range(dims.heads)]
        scores = tuple(build.steps(dims.head_dim, first) for first in firsts)
        columns = tuple(_value_columns(first, dims.head_dim, build.cols) for first in firsts)
        tiles = tuple(min(build.cols, keys - first) for first in range(0, keys, build.cols))
        return cls(tiles, keys, dims.row_tiles(build), build.steps(keys), scores, columns)


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
    start: float, active: tuple[int, ...], groups: Sequence[Group], front: ArrayFront, build: BuildConfig
) -> float:
    """Scores and values of the contexts ``active`` from the pulse ``start`` on; returns the cycle of the done pulse.

    Args:
        groups: of every context.
    """
    softmax = SoftmaxUnit(build.rows)
    # Done pulse, value tiles and group of the job whose values are due.
    pending: tuple[float, tuple[int, ...], Group] | None = None
    cycle = start + SEEN
    for position, context in enumerate(active):
        group = groups[context]
        cycle += looks(active, position) - 1
        for depth, columns in zip(group.score_cycles, group.value_columns, strict=True):
            for _ in range(group.row_tiles):
                scored = _scores(cycle + LOOK_TO_SCORE, depth, group, front)
                done = softmax.job(front.last_word, group.keys)
                cycle = (scored if pending is None else _values(scored, *pending, front)) + 1
                pending = done, columns, group
    assert pending is not None
    return _values(cycle, *pending, front) + 1


def _scores(offer: float, depth: int, group: Group, front: ArrayFront) -> float:
    """Score tiles of a job, of ``depth`` cycles each; returns the cycle in which the sequencer goes on."""
    for columns in group.key_columns:
        front.tile(offer, depth, columns)
        offer = front.accepted + SCORE_TO_SCORE
    return front.accepted + SCORES_TO_NEXT


def _values(cycle: float, done: float, columns: tuple[int, ...], group: Group, front: ArrayFront) -> float:
    """Value tiles of a job whose softmax is done; returns the cycle in which the sequencer goes on."""
    offer = max(cycle, done + SEEN) + AWAIT_TO_VALUE
    for count in columns:
        front.tile(offer, group.value_cycles, count)
        offer = front.accepted + VALUE_TO_VALUE
    return front.accepted + VALUES_TO_NEXT
