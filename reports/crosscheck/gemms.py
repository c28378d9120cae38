"""The matrix products of a block, and the cycles that our array takes for each of them alone.

A product is taken as it runs: both contexts of guidance, from the start pulse to the end of its barrier, weights and
parameters at hand. Attention's products run together, with the softmax between scores and values.
"""

from __future__ import annotations

from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.cosim.support.sizes import fitted
from radit.model.dit.checkpoint import load_config
from radit.reports.cycles.array_front import ArrayFront
from radit.reports.cycles.attention_sequencer import Group, attention_sequencer
from radit.reports.cycles.engines import PULSE, SETTLE
from radit.reports.cycles.memory import MemoryModel, ParamLoader, WeightStreamer
from radit.reports.cycles.product_sequencer import Inputs, product_sequencer, products

CONTEXTS = 2  # with guidance
LONG_AGO = -1e12  # cycle of the requests for weights and parameters
ATTENTION = "scores and values"


@dataclass(frozen=True)
class Gemm:
    """(M x K) times (K x N), ``count`` times."""

    m: int
    n: int
    k: int
    count: int

    def folds(self, rows: int, cols: int) -> int:
        """Tiles of the result on an array, all of them."""
        return self.count * -(-self.m // rows) * -(-self.n // cols)


@dataclass(frozen=True)
class BlockProduct:
    """A product of a block, or attention's two.

    Fields:
        gemms: what it multiplies.
        cycles: of our machine, by the cycle model.
    """

    name: str
    gemms: tuple[Gemm, ...]
    cycles: int


def block_products(model: str, rows: int, cols: int) -> list[BlockProduct]:
    """The products of a model's first block on an array.

    Raises:
        UserError: an unknown model, or one that the array does not hold.
    """
    dims, build = fitted(load_config(model), CONTEXTS, rows, cols)
    tokens, hidden, mlp = dims.tokens, dims.hidden, dims.mlp
    keys = dims.even.keys or tokens
    grouped = CONTEXTS * dims.heads * (tokens // keys)
    shapes: dict[str, tuple[Gemm, ...]] = {
        "q": (Gemm(tokens, hidden, hidden, CONTEXTS),),
        "k": (Gemm(tokens, hidden, hidden, CONTEXTS),),
        "v": (Gemm(hidden, tokens, hidden, CONTEXTS),),  # transposed: weights are the rows
        ATTENTION: (Gemm(keys, keys, dims.head_dim, grouped), Gemm(keys, dims.head_dim, keys, grouped)),
        "projection": (Gemm(tokens, hidden, hidden, CONTEXTS),),
        "fc1": (Gemm(tokens, mlp, hidden, CONTEXTS),),
        "fc2": (Gemm(tokens, hidden, mlp, CONTEXTS),),
    }
    return [BlockProduct(name, gemms, _cycles(name, dims, build)) for name, gemms in shapes.items()]


def _cycles(name: str, dims: Dims, build: BuildConfig) -> int:
    """Of one product alone, its barrier included."""
    front, active, memory = ArrayFront(), tuple(range(CONTEXTS)), MemoryModel()
    if name == ATTENTION:
        done = attention_sequencer(PULSE, active, [Group.of(dims, build, 0)] * dims.contexts, front, build)
    else:
        inputs = Inputs(WeightStreamer(build, memory, LONG_AGO), ParamLoader(memory, LONG_AGO), None)
        done = product_sequencer(products(dims, build)[name], PULSE, active, front, inputs, build)
    return round(front.quiet(done + SETTLE) + PULSE)
