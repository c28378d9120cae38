"""A tile of a product by exact differences, cycle by cycle as an engine would take it, and the range of its sums.

``sums = base_sums + W (x - base)``, equal to the last bit to ``W x`` where ``base_sums = W base``: integers are exact,
whatever the scales of x and base mean. Every cell adds what its row and column give, ``acc += n1 w1 + n2 w2`` of two
narrow words or ``acc += r w`` of a wide one; the offset row adds ``c w`` of every word, and its sum is added to all
rows when the column drains, as a bias is. Accumulators may wrap on the way: modulo 2**32 the end is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from radit.model.differences.words import Narrowing, WordClass, classify, offsets, operands, order
from radit.model.errors import UserError
from radit.model.formats import INT8_MAX


@dataclass(frozen=True)
class TileSums:
    """What a tile leaves in the array. R rows, N columns.

    Fields:
        cells: (R, N) int64, sums of the cells.
        offset: (N,) int64, sums of the offset row; 0 without one.
        cycles: that the tile took.
    """

    cells: Tensor
    offset: Tensor
    cycles: int

    @property
    def total(self) -> Tensor:
        """(R, N) int64, as they drain."""
        return self.cells + self.offset


def difference_tile(
    x: Tensor,
    weight: Tensor,
    narrowing: Narrowing,
    base: Tensor | None = None,
    start: TileSums | None = None,
    banked: bool = True,
    skip_zero: bool = False,
) -> TileSums:
    """Sums of x (R, K) int8 with weights (N, K) int8.

    Args:
        base: (R, K) int8; None: 0, the values themselves.
        start: sums of the base with the same weights, in the array or loaded into it; None: 0.
        banked, skip_zero: see `tile_cycles`.

    Raises:
        UserError: a base without its sums, or sums without their base.
    """
    if (base is None) != (start is None):
        raise UserError("a base and its sums belong together: give both of them, or neither.")
    x, weight = x.long(), weight.long()
    d = x if base is None else x - base.long()
    shift, kinds = offsets(d, narrowing), [WordClass(kind) for kind in classify(d, narrowing).tolist()]
    cells = torch.zeros(len(x), len(weight), dtype=torch.int64) if start is None else start.cells.clone()
    row = torch.zeros(len(weight), dtype=torch.int64) if start is None else start.offset.clone()
    left: dict[int, list[Tensor]] = {k: operands(d[:, k] - shift[k], kind, narrowing) for k, kind in enumerate(kinds)}
    cycles = order(kinds, banked, skip_zero)
    for channels in cycles:
        for k in channels:
            first = len(left[k]) == (2 if kinds[k] is WordClass.SPLIT else 1)
            cells += left[k].pop(0)[:, None] * weight[:, k]
            row += shift[k] * weight[:, k] * first
    return TileSums(cells, row, len(cycles))


def sum_bits(weight: Tensor) -> int:
    """Bits of two's complement that hold every sum of weights (N, K) with int8 inputs: what a kept sum needs."""
    most = INT8_MAX * int(weight.long().abs().sum(1).max())
    return most.bit_length() + 1


def kept_bytes(weight: Tensor) -> int:
    """Bytes of a kept sum in external memory: `sum_bits`, whole bytes."""
    return -(-sum_bits(weight) // 8)
