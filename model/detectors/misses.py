"""A detector that looks at what the forecast gave the last time it could be checked, in place of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import Bounds, Limits, Rule, Sight
from radit.model.detectors.detector import Cost, Detector, DetectorRule
from radit.model.formats import INT8_BITS
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.policy.skip_policy import Scope


@dataclass(frozen=True)
class Miss(Detector):
    """The relative miss that the forecast will make, if it grows with the `power` of the timesteps without computation.

    At a computation, k timesteps after the one before, the branches of all sub-blocks are compared with what the
    forecast, without a limit of its reach, would have given; j timesteps later the distance is that miss times
    (j / k) ** power. `memory` is the share of the estimate that a new computation leaves.
    """

    name: ClassVar[str] = "miss"
    limits: ClassVar[Limits] = {**Detector.limits, "power": (0.0, 8.0), "memory": (0.0, 1.0)}
    sees_input: ClassVar[bool] = False
    scope: Scope = Scope.TIMESTEP  # it looks at the branches
    power: float = 1.0
    memory: float = 0.0

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return MissRule(self, integer, images)

    def cost(self, values: int) -> Cost:
        return Cost(0.0, 4, 4 * (INT8_BITS + 1), checks=True)

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        return ()


class MissRule(DetectorRule):
    """One estimate for all sub-blocks of an image and context; the miss of a timestep is known at its end."""

    def __init__(self, method: Miss, integer: IntegerDiT, images: int) -> None:
        super().__init__(method, integer, images)
        self.power, self.memory, self.scale = method.power, method.memory, integer.branch_scale
        self.latest: dict[int, Tensor] = {}  # branches (N, contexts, T, D) in real units, by sub-block
        self.slope: dict[int, Tensor] = {}  # their change per timestep
        self.rate = self.since = self.missed = self.size = torch.zeros(0, dtype=torch.float64)  # each (N, contexts)

    def distance(self, sight: Sight) -> Tensor:
        state, shape = self.state.get(sight.s), sight.act.shape[:2]
        if state is None:
            self.rate = torch.zeros(shape, dtype=torch.float64)
        self.since = torch.ones_like(self.rate) if state is None else state.streak + 1.0
        self.missed, self.size = torch.zeros_like(self.rate), torch.zeros_like(self.rate)
        return self.rate * self.since**self.power

    def learn(self, s: int, branch: Tensor) -> None:
        real, since = branch.cpu() * self.scale[s], self.since[..., None, None]
        if s not in self.latest:
            self.latest[s], self.slope[s] = real, torch.zeros_like(real)
            return
        moved, computed = real - self.latest[s], ~self.reused
        self.missed += (moved - self.slope[s] * since).abs().mean((-2, -1))
        self.size += real.abs().mean((-2, -1))
        self.slope[s][computed] = (moved / since)[computed]
        self.latest[s][computed] = real[computed]
        if s == len(self.scale) - 1:
            fresh = self.missed / self.size / self.since**self.power
            kept = torch.where(self.rate > 0, self.memory, 0.0)
            self.rate = torch.where(computed, kept * self.rate + (1.0 - kept) * fresh, self.rate)
