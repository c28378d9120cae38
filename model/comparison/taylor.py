"""TaylorSeer of an order above 1 on the integer reference (`model/baselines/taylorseer.py` has the rule).

Every difference d_i is a sum of computed branches F_0 (the latest), F_1, .., and so is the forecast. With w_j the share
of F_j in the sum of d_i k^i / i!, they add up to 1, and

    forecast = F_0 + sum over j of c_j (F_(j-1) - F_j)        c_j = -(w_j + w_(j+1) + ..)
    int8 + (Q.8 * int9 -+half-> ) -> int8, saturated to -127 .. 127

c_j is an exact fraction, cut (floor) to 8 fraction bits and not limited.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import factorial, floor

import torch
from torch import Tensor

from radit.model.baselines.taylorseer import TaylorSeer
from radit.model.comparison.older_results import OlderReference
from radit.model.formats import SLOPE_FRAC
from radit.model.integer.integer_dit import IntegerDiT


class TaylorReference(OlderReference):
    """The reference under TaylorSeer, whose timesteps are the same for all images and sub-blocks."""

    def __init__(self, integer: IntegerDiT, method: TaylorSeer) -> None:
        self._first = method.warm_up - 2  # timestep from which on results count
        self._order = method.order
        super().__init__(integer, method, more=method.order - 1)

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every cached result and every decision."""
        super().start(images, contexts)
        self._index, self._computed = 0, [[] for _ in self.cache]  # type: int, list[list[int]]

    def _settled(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        count, computed = super()._settled(s, index)
        self._index = index
        if bool(computed.all()) and index >= self._first:
            self._computed[s].append(index)
        return count, computed

    def _forecast(self, s: int, slopes: Tensor) -> Tensor:
        known = self._computed[s]
        if not known or known[-1] == self._index:
            return self.cache[s]
        steps, gaps = self._index - known[-1], tuple(b - a for a, b in zip(known, known[1:], strict=False))
        found = self.cache[s].clone()
        rows = [self.cache[s], self.before[s], *self.older[s]]
        for number, factor in enumerate(factors(steps, gaps[::-1][: self._order])):
            found += factor * (rows[number] - rows[number + 1])
        return torch.floor(found + 0.5).clamp_(*self._limits)


@lru_cache(maxsize=256)
def factors(steps: int, gaps: tuple[int, ...]) -> tuple[float, ...]:
    """Return c_1, c_2, .. of the forecast, multiples of 2**-SLOPE_FRAC.

    Args:
        steps: timesteps k since the latest computation.
        gaps: timesteps from each computation to the one before it, the latest first; as many as the order.
    """
    order, shares = len(gaps), [Fraction(0)] * (len(gaps) + 1)
    # row m: the difference of one order at the m-th latest computation, as shares of the branches
    rows = [[Fraction(m == j) for j in range(order + 1)] for m in range(order + 1)]
    for i in range(order + 1):
        power = Fraction(steps**i, factorial(i))
        shares = [share + power * part for share, part in zip(shares, rows[0], strict=True)]
        pairs = zip(rows, rows[1:], gaps, strict=False)
        rows = [[(a - b) / gap for a, b in zip(now, then, strict=True)] for now, then, gap in pairs]
    scale = 1 << SLOPE_FRAC
    return tuple(floor(-sum(shares[j:]) * scale) / scale for j in range(1, order + 1))
