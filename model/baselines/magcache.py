"""MagCache (Z. Ma et al., "MagCache: Fast Video Generation with Magnitude-Aware Cache", 2025; code
`MagCache4Wan2.1/magcache_generate.py` of Zehong-Ma/MagCache df81cb1).

With r_t what all blocks add to the residual stream, the magnitude ratio g_t = mean over tokens of |r_t|_2 / |r_(t-1)|_2
is calibrated beforehand, for each context. From timestep floor(retention * timesteps) on, at least 1, since the last
computation:

    ratio *= g_t        error += |1 - ratio|        k += 1
    reuse  iff  error < threshold and k <= longest; else ratio = 1, error = 0, k = 0
    x = x_0 + R        R = r of the last computation

Published defaults: threshold 0.12, longest (K) 2, retention 0.2; threshold 0.24 and K 4 to 6 where faster.

Departures: the ratios are means over a few dense images of the integer model at this run's own timesteps; the public
ones are of one prompt, and interpolated for another number of timesteps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import FEW_IMAGES, RELATIVE, STEPS, Limits, Method, Rule
from radit.model.baselines.smoothcache import ByIdentity, dense_timesteps
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.threads import one_thread


@dataclass(frozen=True)
class MagCache(Method):
    """Reuse while the calibrated error stays below `threshold`, unitless; calibrated on `images` images.

    In software alone; cycles by the cycle model.

    Fields:
        longest: reuses in a row at most (K).
        retention: share of the timesteps, at the start, that are computed.
    """

    name: ClassVar[str] = "magcache"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {
        "threshold": RELATIVE, "longest": STEPS, "retention": (0.0, 1.0), "images": FEW_IMAGES,
    }  # fmt: skip
    threshold: float = 0.12
    longest: int = 2
    retention: float = 0.2
    images: int = 8

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        ratios = _ratios(ByIdentity(integer), self.images)
        return _PlanRule(images, reuse_plan(ratios, self.threshold, self.longest, self.retention))

    @property
    def whole_stream(self) -> bool:
        return True


class _PlanRule(Rule):
    def __init__(self, images: int, plan: Tensor) -> None:
        super().__init__(images)
        self._plan = plan

    def decide(self, s: int, index: int) -> Tensor:
        return self._plan[index].expand(self.images, -1)


def reuse_plan(ratios: Tensor, threshold: float, longest: int, retention: float) -> Tensor:
    """Return (steps, contexts) bool, True where reused, of magnitude ratios (steps, contexts)."""
    plan = torch.zeros(ratios.shape, dtype=torch.bool)
    for context, column in enumerate(ratios.T.tolist()):
        ratio, error, row = 1.0, 0.0, 0
        for index in range(max(int(len(column) * retention), 1), len(column)):
            ratio, row = ratio * column[index], row + 1
            error += abs(1.0 - ratio)
            plan[index, context] = error < threshold and row <= longest
            if not plan[index, context]:
                ratio, error, row = 1.0, 0.0, 0
    return plan


def magnitude_ratios(residuals: Tensor) -> Tensor:
    """Return the ratios (steps, contexts) float64, 1 at first, of what all blocks add: (steps, N, contexts, T, D)."""
    sizes = residuals.double().norm(dim=-1)
    ratios = (sizes[1:] / sizes[:-1]).mean((1, 3))
    return torch.cat([torch.ones_like(ratios[:1]), ratios])


@lru_cache(maxsize=4)
@one_thread()
def _ratios(key: ByIdentity, images: int) -> Tensor:
    residuals = [left.float() - captures[0].x for captures, left in dense_timesteps(key.integer, images)]
    return magnitude_ratios(torch.stack(residuals))
