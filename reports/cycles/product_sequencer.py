"""``radit.accel.sequencers.product_sequencer``: the tiles of a product, in the order in which the weights stream."""

from __future__ import annotations

from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.reports.cycles.array_front import ArrayFront, BranchWriter
from radit.reports.cycles.memory import ParamLoader, WeightStreamer

START_TO_OFFER = 4  # start pulse -> first tile offered, without the looks for a computing context
TILE_TO_OFFER = 5  # a tile accepted -> the next one offered
ACCEPT_TO_DONE = 2  # the last tile accepted -> done pulse


@dataclass(frozen=True)
class Product:
    """One product of a sub-block.

    Fields:
        outputs: output channels.
        depth: K, cycles of a tile.
        lanes: output channels of a weight tile, C or (V) R.
        tiles: token tiles of a context.
        columns: columns that a whole tile drains; None: as many as it has outputs.
        first_param: first parameter entry in the sub-block, None where the header has the parameters.
        branch: the result is the branch, which also goes to the cache.
    """

    outputs: int
    depth: int
    lanes: int
    tiles: int
    columns: int | None = None
    first_param: int | None = None
    branch: bool = False


def products(dims: Dims, build: BuildConfig) -> dict[str, Product]:
    """The products of all kinds of sub-block, by name."""
    hidden, mlp, rows, cols = dims.hidden, dims.mlp, build.rows, build.cols
    row_tiles, narrow, deep = dims.row_tiles(build), build.steps(hidden), build.steps(mlp)
    return {
        "q": Product(hidden, narrow, cols, row_tiles, first_param=0),
        "k": Product(hidden, narrow, cols, row_tiles, first_param=hidden),
        "v": Product(hidden, narrow, rows, dims.col_tiles(build), columns=cols),
        "projection": Product(hidden, narrow, cols, row_tiles, first_param=2 * hidden, branch=True),
        "cross_projection": Product(hidden, narrow, cols, row_tiles, first_param=hidden, branch=True),
        "fc1": Product(mlp, narrow, cols, row_tiles, first_param=0),
        "fc2": Product(hidden, deep, cols, row_tiles, first_param=mlp, branch=True),
    }


@dataclass
class Inputs:
    """What a sub-block's tiles wait for besides the array, and the words of weights released so far."""

    weights: WeightStreamer
    params: ParamLoader
    writer: BranchWriter | None  # None: the policy is off
    used: int = 0


def looks(active: tuple[int, ...], position: int) -> int:
    """Cycles that a sequencer looks for computing context number ``position``: skipped ones cost one each."""
    return active[position] - (active[position - 1] if position else -1)


def product_sequencer(
    product: Product, start: float, active: tuple[int, ...], front: ArrayFront, inputs: Inputs, build: BuildConfig
) -> float:
    """Run a product from the pulse ``start`` on for the contexts ``active``; returns the cycle of its done pulse."""
    offer = start + START_TO_OFFER
    for first in range(0, product.outputs, product.lanes):
        outputs = min(product.lanes, product.outputs - first)
        columns = product.columns or outputs
        inputs.used += product.depth
        ready = inputs.weights.ready(inputs.used)
        if product.first_param is not None:
            ready = max(ready, inputs.params.ready(product.first_param + first + outputs))
        for position in range(len(active)):
            offer += looks(active, position)
            for _ in range(product.tiles):
                finish = _tile(max(offer, ready), product, columns, front, inputs)
                offer = front.accepted + TILE_TO_OFFER
        inputs.weights.release(inputs.used, finish)
        if product.branch and inputs.writer:
            inputs.weights.yield_to(len(active) * product.tiles * columns * build.rows, build.rows)
    return front.accepted + ACCEPT_TO_DONE


def _tile(offer: float, product: Product, columns: int, front: ArrayFront, inputs: Inputs) -> float:
    """One tile; a branch tile waits for room in the branch writer."""
    if not (product.branch and inputs.writer):
        return front.tile(offer, product.depth, columns)
    finish = front.tile(inputs.writer.room(max(offer, front.finished)), product.depth, columns)
    inputs.writer.finish(finish, columns)
    return finish
