"""First Block Cache (ParaAttention, and `apply_first_block_cache` of Hugging Face diffusers, 2024).

Block 0 is always computed. What it adds to the residual stream is compared with what it added when the rest was last
computed; the rest is computed only where that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from radit.model.baselines.base import RELATIVE, Limits, Method, Rule, Sight, keep, relative_change
from radit.model.integer.integer_dit import IntegerDiT

SECOND_BLOCK = 2  # its first sub-block


@dataclass(frozen=True)
class FirstBlockCache(Method):
    """Compute blocks 1, 2, .. where block 0's residual changed by more than `threshold`, relative, unitless.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "fbcache"
    limits: ClassVar[Limits] = {"threshold": RELATIVE}
    threshold: float = 0.1

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return _FirstBlockRule(images, self.threshold)

    def watched(self, sub_blocks: int) -> Sequence[int]:
        return (SECOND_BLOCK,)


class _FirstBlockRule(Rule):
    def __init__(self, images: int, threshold: float) -> None:
        super().__init__(images)
        self._threshold = threshold
        self._kept: Tensor | None = None
        self._reuse = self.every(False)

    def observe(self, sight: Sight) -> None:
        if sight.s != SECOND_BLOCK:
            return
        assert sight.moved is not None
        if self._kept is not None:
            self._reuse = relative_change(sight.moved, self._kept) <= self._threshold
        self._kept = keep(self._kept, sight.moved, ~self._reuse)

    def decide(self, s: int, index: int) -> Tensor:
        return self._reuse if s >= SECOND_BLOCK else self.every(False)
