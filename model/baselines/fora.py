"""FORA (P. Selvaraju et al., "FORA: Fast-Forward Caching in Diffusion Transformer Acceleration", 2024).

All branches are computed in every n-th timestep and reused in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from radit.model.baselines.base import STEPS, Limits, Method, Rule
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class Fora(Method):
    """Compute every `interval` timesteps. In software alone; cycles by the cycle model."""

    name: ClassVar[str] = "fora"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"interval": STEPS}
    interval: int = 2

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return Every(images, self.interval, 0)


class Every(Rule):
    """Computes the first `warm_up` timesteps, and from the last of them on every `interval`-th one."""

    def __init__(self, images: int, interval: int, warm_up: int) -> None:
        super().__init__(images)
        self._interval, self._last = interval, max(warm_up - 1, 0)

    def decide(self, s: int, index: int) -> Tensor:
        return self.every(index > self._last and (index - self._last) % self._interval != 0)
