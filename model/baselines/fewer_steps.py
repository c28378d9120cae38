"""Fewer sampler steps, all of them dense: what every caching policy has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from radit.model.baselines.base import STEPS, Limits, Method


@dataclass(frozen=True)
class FewerSteps(Method):
    """The dense sampler with `steps` timesteps in place of more."""

    name: ClassVar[str] = "fewer-steps"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"steps": STEPS}
    steps: int = 30

    def sampler_steps(self, base: int) -> int:
        return self.steps
