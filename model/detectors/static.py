"""No detector: the timesteps that are computed are fixed beforehand, for all images, by the mean of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from torch import Tensor

from radit.model.baselines.base import FEW_IMAGES, Bounds, Limits, Rule, Sight
from radit.model.baselines.smoothcache import ByIdentity
from radit.model.detectors.detector import Anchored, Cost, Detector
from radit.model.detectors.rehearsal import dense_inputs, rehearsed
from radit.model.detectors.signatures import Codes
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class Static(Detector):
    """Compute where the distance of codes, in the mean over `images` dense images, reaches the threshold."""

    name: ClassVar[str] = "static"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {**Detector.limits, "images": FEW_IMAGES}
    images: int = 48

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return PlannedRule(images, plan(ByIdentity(integer), self))

    def cost(self, values: int) -> Cost:
        return Cost(0.0, 0.0, 0.0)

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        return ()


class PlannedRule(Rule):
    """Plays a table of computed timesteps (steps,) bool."""

    def __init__(self, images: int, table: Tensor) -> None:
        super().__init__(images)
        self.table = table

    def decide(self, s: int, index: int) -> Tensor:
        return self.every(not self.table[index])


class MeanRule(Anchored):
    """One decision for all images and contexts, by their mean distance."""

    def distance(self, sight: Sight) -> Tensor:
        apart = super().distance(sight)
        return apart.mean().expand_as(apart)


@lru_cache(maxsize=64)
def plan(key: ByIdentity, method: Static) -> Tensor:
    """Return the computed timesteps (steps,) bool."""
    mean = MeanRule(Codes(method.threshold, schedule=method.schedule), key.integer, method.images)
    return rehearsed(mean, key.integer, dense_inputs(key.integer, method.images))[:, 0, 0]
