"""A forecast of second order on the integer reference: three cached results in place of two.

With F, F', F'' the last three computed results, h timesteps between F and F', h' between F' and F'', and u = k / h
limited by the reach, the parabola through the three (Newton's form) is

    F + (u + v) (F - F') - v (h / h') (F' - F'')        v = u (u + 1) h / (h + h')

and the first order where F'' is not cached yet (v = 0).
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.baselines.base import Method
from radit.model.comparison.older_results import OlderReference
from radit.model.formats import SLOPE_FRAC
from radit.model.integer.integer_dit import IntegerDiT


class SecondOrderReference(OlderReference):
    """The reference under a policy that forecasts from three results; coefficients are cut as Q3.8."""

    def __init__(self, integer: IntegerDiT, method: Method) -> None:
        super().__init__(integer, method, more=1)

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every cached result and every decision."""
        super().start(images, contexts)
        self._earlier = [torch.zeros(images, contexts, dtype=torch.int64) for _ in self.cache]

    def _settled(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        gap = self.state[s].gap
        count, computed = super()._settled(s, index)
        self._earlier[s] = torch.where(computed, gap, self._earlier[s])
        return count, computed

    def _forecast(self, s: int, slopes: Tensor) -> Tensor:
        first, second = curved(slopes, self.state[s].gap, self._earlier[s])
        latest, before, (oldest,) = self.cache[s], self.before[s], self.older[s]
        step = first[..., None, None] * (latest - before) - second[..., None, None] * (before - oldest)
        return torch.floor(latest + step + 0.5).clamp_(*self._limits)


def curved(slopes: Tensor, gap: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors (..) float64 of F - F' and, subtracted, of F' - F''; multiples of 2**-SLOPE_FRAC.

    Args:
        slopes: coefficients (..) of the first order, Q3.8.
        gap, earlier: timesteps (..) from F' to F and from F'' to F'; 0 where there is none.
    """
    u = slopes.double() / 2**SLOPE_FRAC
    both, known = (gap + earlier).clamp(min=1), earlier > 0
    v = torch.where(known, u * (u + 1.0) * gap / both, 0.0)
    ratio = gap / earlier.clamp(min=1)
    first, second = (torch.floor(part * 2**SLOPE_FRAC) / 2**SLOPE_FRAC for part in (u + v, v * ratio))
    return first, second
