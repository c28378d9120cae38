"""Detectors that add up the input's movement from timestep to timestep, as TeaCache does (`teacache.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import Limits, Rule, Sight, keep
from radit.model.detectors.detector import Cost, Detector, DetectorRule
from radit.model.detectors.signatures import int8_input
from radit.model.formats import ACT_BITS, INT8_BITS
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class Path(Detector):
    """The length of the int8 input's path since it was last computed: its mean distances from timestep to timestep.

    `share` of the path counts, and the distance to the last computed input where that is larger; with `share` 1 it
    never is, and the path alone decides.
    """

    name: ClassVar[str] = "path"
    limits: ClassVar[Limits] = {**Detector.limits, "share": (0.0, 1.0)}
    share: float = 1.0

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return PathRule(self, integer, images)

    def cost(self, values: int) -> Cost:
        compared = 1 if self.share >= 1.0 else 2
        bits = INT8_BITS * INT8_BITS + compared * 2 * ACT_BITS
        return Cost(compared * INT8_BITS, 1 + 2 * compared, bits, always=True)


class PathRule(DetectorRule):
    """Path and distance of each sub-block's int8 input."""

    def __init__(self, method: Path, integer: IntegerDiT, images: int) -> None:
        super().__init__(method, integer, images)
        self.share = method.share
        self.before: dict[int, Tensor] = {}
        self.anchor: dict[int, Tensor] = {}
        self.path: dict[int, Tensor] = {}

    def distance(self, sight: Sight) -> Tensor:
        s, now = sight.s, int8_input(sight, self.integer)
        moved, away = (mean_distance(now, kept.get(s, now)) for kept in (self.before, self.anchor))
        self.path[s] = self.path.get(s, torch.zeros_like(moved)) + moved
        self.before[s] = now
        return torch.maximum(self.share * self.path[s], away)

    def computed(self, sight: Sight, where: Tensor) -> None:
        s = sight.s
        self.path[s][where] = 0.0
        self.anchor[s] = keep(self.anchor.get(s), self.before[s], where)


def mean_distance(now: Tensor, then: Tensor) -> Tensor:
    """Return mean |now - then| (N, contexts) of values (N, contexts, T, D)."""
    return (now - then).abs().mean((-2, -1))
