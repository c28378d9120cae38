"""TeaCache (F. Liu et al., "Timestep Embedding Tells: It's Time to Cache for Video Diffusion Model", 2024).

The relative change of block 0's modulated input from timestep to timestep is added up; everything is reused while the
sum stays below a threshold. The published fit of the change to each model is left out (identity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import RELATIVE, Limits, Method, Rule, Sight, relative_change
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class TeaCache(Method):
    """Reuse while the path length stays below `threshold`, unitless; the first and the last timestep are computed.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "teacache"
    limits: ClassVar[Limits] = {"threshold": RELATIVE}
    threshold: float = 0.2

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return _TeaRule(images, self.threshold, integer.sampler_steps - 1)

    def watched(self, sub_blocks: int) -> Sequence[int]:
        return (0,)


class _TeaRule(Rule):
    def __init__(self, images: int, threshold: float, last: int) -> None:
        super().__init__(images)
        self._threshold, self._last = threshold, last
        self._before: Tensor | None = None
        self._path = torch.zeros(images, dtype=torch.float64)
        self._reuse = self.every(False)

    def observe(self, sight: Sight) -> None:
        if sight.s:
            return
        if self._before is not None:
            self._path += relative_change(sight.act, self._before)
        self._before = sight.act
        self._reuse = self._path < self._threshold
        if sight.index in (0, self._last):
            self._reuse = self.every(False)
        self._path[~self._reuse] = 0.0

    def decide(self, s: int, index: int) -> Tensor:
        return self._reuse
