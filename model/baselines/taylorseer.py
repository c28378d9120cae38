"""TaylorSeer (J. Liu et al., "From Reusing to Forecasting: Accelerating Diffusion Models with TaylorSeers", 2025; code
`TaylorSeer-DiT/` of Shenyi-Z/TaylorSeer 288776d).

The first `warm_up` timesteps are computed, then every `interval`-th one. At a computation, h timesteps behind the one
before, every branch F gives its finite differences, and k timesteps later its forecast:

    d_0 = F        d_i = (d_(i-1) - d_(i-1) of the computation before) / h,  i up to `order`
    forecast = sum over i of d_i k^i / i!

Differences start with the last computation of the warm-up and the one before it; each computation adds an order. The
published code for DiT has order 4, interval 4 and a warm-up of 2 (for FLUX order 1, interval 6 and a warm-up of 3).

Departures: branches are int8 before the gate, and so are forecasts. Order 1 is the machine's own forecast, with its
limit of the coefficient (`model/ops/reuse.py`); of higher orders `model/comparison/taylor.py` has the arithmetic.
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
    """Compute the first `warm_up` timesteps, then every `interval`; forecast the others with differences up to `order`.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "taylorseer"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"interval": STEPS, "warm_up": STEPS, "order": (1, 4)}
    interval: int = 4
    warm_up: int = 2
    order: int = 4

    @property
    def slope_gain(self) -> int:
        return FACTOR_ONE

    @property
    def forecast_order(self) -> int:
        return self.order

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return Every(images, self.interval, self.warm_up)
