"""TaylorSeer (J. Liu et al., "From Reusing to Forecasting: Accelerating Diffusion Models with TaylorSeers", 2025).

Of order 1: between the computed timesteps every branch is F + k (F - F') / gap, k timesteps after the latest computed
F, which came `gap` after F'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from radit.model.baselines.base import STEPS, Limits, Method, Rule
from radit.model.baselines.fora import Every
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.policy.skip_policy import FACTOR_ONE


@dataclass(frozen=True)
class TaylorSeer(Method):
    """Compute the first `warm_up` timesteps, then every `interval`; forecast the others.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "taylorseer"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"interval": STEPS, "warm_up": STEPS}
    interval: int = 5
    warm_up: int = 3

    @property
    def slope_gain(self) -> int:
        return FACTOR_ONE

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return Every(images, self.interval, self.warm_up)
