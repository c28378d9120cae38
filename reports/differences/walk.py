"""Cycles of a run with differences: the cycle model with other tiles in the products.

Everything but the products that a plan names is the cycle model of ``reports/cycles``. A tile takes as many cycles as
its words do. Kept sums come ahead of the array, in the order of the tiles; a tile waits for its own. They share the
bandwidth with what is kept in their place and with the weights. Inputs that are compared in the pass slow it down where
the bandwidth does not carry them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.forecasts import slopes
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.array_front import ArrayFront
from radit.reports.cycles.cycle_model import Progress, TimestepSequencer
from radit.reports.cycles.engines import Engines
from radit.reports.cycles.memory import COMMAND_TO_STREAM, MemoryModel
from radit.reports.cycles.product_sequencer import (
    ACCEPT_TO_DONE,
    START_TO_OFFER,
    TILE_TO_OFFER,
    Inputs,
    Product,
    looks,
)
from radit.reports.differences.plan import Plan, TileWork

MOVED = 2  # inputs to compare with: read, and written anew


@dataclass(frozen=True)
class _Kept:
    """Kept sums on their way: in which cycle those of a tile are there."""

    first: float
    pace: float

    @classmethod
    def of(cls, work: TileWork, active: tuple[int, ...], product: Product, start: float, memory: MemoryModel,
           wide: int) -> _Kept:  # fmt: skip
        """Of a product from its start on."""
        if memory.bandwidth is None or not work.bytes_in.any():
            return cls(start, 0.0)
        outputs = -(-product.outputs // product.lanes)
        chosen = list(active)
        moved = float((work.bytes_in + work.bytes_out)[chosen].sum()) + product.depth * outputs * wide
        pace = moved / memory.bandwidth / (outputs * len(active) * product.tiles)
        return cls(start + COMMAND_TO_STREAM + memory.first_word, pace)

    def ready(self, tile: int) -> float:
        """First cycle in which tile number ``tile`` of the product may start."""
        return self.first + (tile + 1) * self.pace if self.pace else self.first


class DifferenceEngines(Engines):
    """Both engines; ``work``: of the sub-block that is run next, by product."""

    def __init__(self, dims: Dims, build: BuildConfig, memory: MemoryModel, policy_on: bool) -> None:
        super().__init__(dims, build, memory, policy_on)
        self.work: dict[str, TileWork] = {}

    def _linear(self, name: str, start: float, active: tuple[int, ...], front: ArrayFront, inputs: Inputs) -> float:
        if name not in self.work:
            return super()._linear(name, start, active, front, inputs)
        product, work = self._products[name], self.work[name]
        kept = _Kept.of(work, active, product, start, self._memory, self._build.wide)
        return difference_product(product, work, kept, start, active, front, inputs, self._build.rows)


def difference_product(
    product: Product, work: TileWork, kept: _Kept, start: float, active: tuple[int, ...], front: ArrayFront,
    inputs: Inputs, rows: int,
) -> float:  # fmt: skip
    """As ``reports.cycles.product_sequencer``, with tiles of ``work``; returns the cycle of the done pulse."""
    offer, number = start + START_TO_OFFER, 0
    for first in range(0, product.outputs, product.lanes):
        outputs = min(product.lanes, product.outputs - first)
        columns = product.columns or outputs
        inputs.used += product.depth
        ready = inputs.weights.ready(inputs.used)
        if product.first_param is not None:
            ready = max(ready, inputs.params.ready(product.first_param + first + outputs))
        for position, tile, looked in _tiles(active, product.tiles, work.side_by_side):
            offer += looked
            depth = float(work.depths[active[position], tile])
            finish = _tile(max(offer, ready, kept.ready(number)), depth, columns, product.branch, front, inputs)
            offer, number = front.accepted + TILE_TO_OFFER, number + 1
        inputs.weights.release(inputs.used, finish)
        if product.branch and inputs.writer:
            inputs.weights.yield_to(len(active) * product.tiles * columns * rows, rows)
    return front.accepted + ACCEPT_TO_DONE


def _tiles(active: tuple[int, ...], tiles: int, side_by_side: bool) -> Iterator[tuple[int, int, int]]:
    """Position of the context, token tile and cycles of looking for the context, tile by tile."""
    if side_by_side:
        for tile in range(tiles):
            yield from ((position, tile, looks(active, position)) for position in range(len(active)))
    else:
        for position in range(len(active)):
            yield from ((position, tile, 0 if tile else looks(active, position)) for tile in range(tiles))


def _tile(offer: float, depth: float, columns: int, branch: bool, front: ArrayFront, inputs: Inputs) -> float:
    """One tile; a branch tile waits for room in the branch writer."""
    if not (branch and inputs.writer):
        return front.tile(offer, depth, columns)  # type: ignore[arg-type]
    finish = front.tile(inputs.writer.room(max(offer, front.finished)), depth, columns)  # type: ignore[arg-type]
    inputs.writer.finish(finish, columns)
    return finish


class DifferenceSequencer(TimestepSequencer):
    """The timestep's sequencer with the products of a plan."""

    def __init__(self, dims: Dims, build: BuildConfig, tables: RunTables, memory: MemoryModel, plan: Plan) -> None:
        super().__init__(dims, build, tables, memory)
        self._engines = DifferenceEngines(dims, build, memory, tables.policy_on and not tables.stream_scope)
        self._engine = self._engines.run  # type: ignore[assignment]  # no two runs of it are alike
        self._plan, self._index = plan, 0

    def at(self, index: int, decisions: np.ndarray, forecasts: np.ndarray, follow: np.ndarray, known: bool) -> int:
        """Cycles of timestep `index`; arguments as `_timestep` takes them, as arrays."""
        self._index = index
        return sum(
            self._timestep(decisions.tobytes(), forecasts.tobytes(), follow.tobytes(), index == 0, known).values()
        )

    def _sub_block(
        self, state: Progress, sub_block: int, decision: np.ndarray, follows: bool, first_step: bool, known: bool
    ) -> dict[str, float]:
        self._engines.work = self._plan.work(self._index, sub_block)
        spans = super()._sub_block(state, sub_block, decision, follows, first_step, known)
        late = self._slowed(sub_block)
        state.load += late
        return spans | {"pass": spans["pass"] + late}

    def _slowed(self, sub_block: int) -> float:
        """Cycles that the pass takes longer, as its inputs are compared with others from memory."""
        if self._memory.bandwidth is None:
            return 0.0
        pace = MOVED * self._build.rows / self._memory.bandwidth
        contexts = int(self._plan.compared_in_pass(sub_block).sum())
        return contexts * self._words * max(0.0, pace - 1.0)


def cycles(plan: Plan, record: DecisionRecord, tables: RunTables, memory: MemoryModel) -> int:
    """Cycles of one image with differences.

    Args:
        record: what was computed, of that image.
        tables: of the run.
        memory: external memory.
    """
    sequencer = DifferenceSequencer(plan.dims, plan.build, tables, memory, plan)
    forecasts, follow = slopes(record, tables.gains) > 0, tables.following(record)
    return sum(
        sequencer.at(index, record.computed[0, index], forecasts[0, index], follow[index], tables.known(index))
        for index in range(record.timesteps)
    )
