"""Block by block: DBPrune of cache-dit (2025), and BWCache (H. Cui et al., "BWCache: Accelerating Video Diffusion
Transformers through Block-Wise Caching", 2025).

A block is reused while its modulated input is close to the one it last computed. Whatever happens, it is computed
again after a tenth of the timesteps (two at least), as in BWCache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import RELATIVE, Limits, Method, Rule, Sight, keep, relative_change
from radit.model.integer.integer_dit import IntegerDiT

LONGEST_SHARE = 0.1  # of the timesteps, from one computation to the next


@dataclass(frozen=True)
class BlockL1(Method):
    """Reuse a block while its input's relative L1 distance is below `threshold`, unitless.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "blockl1"
    limits: ClassVar[Limits] = {"threshold": RELATIVE}
    threshold: float = 0.1

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        longest = max(round(integer.sampler_steps * LONGEST_SHARE), 2)
        return _BlockRule(images, self.threshold, longest, integer.config.depth)

    def watched(self, sub_blocks: int) -> Sequence[int]:
        return range(0, sub_blocks, 2)


class _BlockRule(Rule):
    def __init__(self, images: int, threshold: float, longest: int, depth: int) -> None:
        super().__init__(images)
        self._threshold, self._longest = threshold, longest
        self._kept: list[Tensor | None] = [None] * depth
        self._age = torch.zeros(depth, images, dtype=torch.int64)  # timesteps since the computation
        self._reuse = torch.zeros(depth, images, dtype=torch.bool)

    def observe(self, sight: Sight) -> None:
        block, second = divmod(sight.s, 2)
        if second:
            return
        kept = self._kept[block]
        if kept is not None:
            self._age[block] += 1
            near = relative_change(sight.act, kept) < self._threshold
            self._reuse[block] = near & (self._age[block] < self._longest)
        computed = ~self._reuse[block]
        self._age[block, computed] = 0
        self._kept[block] = keep(kept, sight.act, computed)

    def decide(self, s: int, index: int) -> Tensor:
        return self._reuse[s // 2]
