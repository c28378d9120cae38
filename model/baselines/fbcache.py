"""First Block Cache (ParaAttention, `src/para_attn/first_block_cache/utils.py` of 4de137c, 2025).

Block 0 is always computed. With R0 what it adds to the residual stream, and R0' what it added when the rest was last
computed,

    reuse  iff  mean |R0' - R0| / mean |R0'| < threshold
    x = x_1 + R        R = x_L - x_1 of the last computation

x_1 is the stream behind block 0 and x_L that behind the last block: one residual of all remaining blocks. ParaAttention
compares for a whole batch with all its contexts, here each image is compared with both its contexts.

Departure as a setting: with `residual=False` the branches of the remaining sub-blocks are cached one by one and take
the current gates, as the other policies of this project do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from radit.model.baselines.anchor import Anchor
from radit.model.baselines.base import RELATIVE, Bounds, Limits, Method, Rule, Sight, bounds_of
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class FirstBlockCache(Method):
    """Compute blocks 1, 2, .. where block 0's residual changed by `threshold` or more, relative, unitless.

    In software alone; cycles by the cycle model.

    Fields:
        residual: reuse one residual of blocks 1, 2, ..; else the branches of their sub-blocks.
    """

    name: ClassVar[str] = "fbcache"
    limits: ClassVar[Limits] = {"threshold": RELATIVE}
    threshold: float = 0.08
    residual: bool = True

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return FirstBlocksRule(images, Anchor(images, self.threshold), self._rest(integer.config.block_bounds))

    def spans(self, sub_blocks: Bounds) -> tuple[range, ...]:
        rest = self._rest(sub_blocks)
        return (rest,) if self.residual and rest else ()

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        return (self._rest(sub_blocks).start,)

    @staticmethod
    def _rest(sub_blocks: Bounds) -> range:
        """Sub-blocks of blocks 1, 2, .."""
        bounds = bounds_of(sub_blocks)
        return range(bounds[1], bounds[-1])


class FirstBlocksRule(Rule):
    """Reuses a span of sub-blocks where what the blocks before it add to the stream is near the anchor."""

    def __init__(self, images: int, anchor: Anchor, span: range) -> None:
        super().__init__(images)
        self._anchor, self._span = anchor, span
        self._reuse = self.every(False)

    def observe(self, sight: Sight) -> None:
        if self._span and sight.s == self._span.start:
            assert sight.moved is not None
            self._reuse = self._anchor.near(sight.moved, sight.index)

    def decide(self, s: int, index: int) -> Tensor:
        return self._reuse if s in self._span else self.every(False)
