"""A detector that looks at what the forecast gave the last time it could be checked, in place of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from model.formats import INT8_BITS
from model.integer import IntegerDiT
from model.policies.base import Rule, Sight
from model.policies.detector import Cost, Detector, DetectorRule


@dataclass(frozen=True)
class Miss(Detector):
    """The relative miss that the forecast will make, if it grows with the `power` of the timesteps without computation.

    At a computation, k timesteps after the one before, the branches of all sub-blocks are compared with what the
    forecast would have given; j timesteps later the distance is that miss times (j / k) ** power. `memory` is the share
    of the estimate that a new computation leaves.
    """

    name: ClassVar[str] = "miss"
    sees_input: ClassVar[bool] = False
    power: float = 1.0
    memory: float = 0.0

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return MissRule(self, integer, images)

    def cost(self, values: int) -> Cost:
        return Cost(0.0, 4, 4 * (INT8_BITS + 1), checks=True)

    def watched(self, sub_blocks: int) -> int:
        return 0


class MissRule(DetectorRule):
    """One estimate for all sub-blocks of an image and context; the miss of a timestep is known at its end."""

    def __init__(self, method: Miss, integer: IntegerDiT, images: int) -> None:
        super().__init__(method, integer, images)
        self.power, self.memory = method.power, method.memory
        self.latest: dict[int, Tensor] = {}
        self.slope: dict[int, Tensor] = {}
        self.gap = torch.zeros(0)
        self.missed = self.size = self.rate = torch.zeros(0, dtype=torch.float64)
        self.scale = integer.branch_scale

    def distance(self, sight: Sight) -> Tensor:
        shape = sight.act.shape[:2]
        if sight.index == 0:
            self.rate = torch.zeros(shape, dtype=torch.float64)
        state = self.state.get(sight.s)
        self.since = torch.ones(shape, dtype=torch.float64) if state is None else state.streak + 1.0
        self.missed, self.size = torch.zeros_like(self.rate), torch.zeros_like(self.rate)
        return self.rate * self.since**self.power

    def learn(self, s: int, branch: Tensor) -> None:
        where, real = ~self.reused, branch.cpu() * self.scale[s]
        if s not in self.latest:
            self.latest[s], self.slope[s] = real.clone(), torch.zeros_like(real)
            return
        moved = real - self.latest[s]
        expected = self.slope[s] * self.since[..., None, None]
        self.missed += (moved - expected).abs().mean((-2, -1))
        self.size += real.abs().mean((-2, -1))
        self.slope[s][where] = (moved / self.since[..., None, None])[where]
        self.latest[s][where] = real[where]
        if s == len(self.scale) - 1:
            fresh = self.missed / self.size / self.since**self.power
            kept = torch.where(self.rate > 0, self.memory, 0.0)
            self.rate = torch.where(where, kept * self.rate + (1.0 - kept) * fresh, self.rate)
