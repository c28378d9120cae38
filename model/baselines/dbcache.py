"""DBCache, Dual Block Cache, the default of cache-dit (`src/cache_dit/caching/` of v1.5.0-38-gf86744af, 2026).

The first Fn blocks and the last Bn blocks are always computed. With R what the first ones add to the residual stream,
and R' what they added when the blocks in the middle were last computed,

    reuse  iff  mean |R' - R| / mean |R'| < threshold,  timestep >= warm_up,  fewer than `longest` reuses in a row
    x = x_F + M        M = x_B - x_F of the last computation

x_F is the stream behind the first blocks, x_B that before the last ones: one residual of all blocks in the middle.
cache-dit's defaults are F8B0, threshold 0.08, 8 timesteps of warm-up and any number in a row, for models of 19 to 60
blocks and runs of 28 to 50 timesteps.

Departures: defaults of F1B0 and 2 timesteps of warm-up, for models of few blocks and solvers of few timesteps. Each
image is compared with both its contexts, where cache-dit compares a batch, or each context of one. The limit in a row
counts as `model/baselines/anchor.py` says. Its calibrators (TaylorSeer and others) and masks of timesteps are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from radit.model.baselines.anchor import Anchor
from radit.model.baselines.base import RELATIVE, Bounds, Limits, Method, Rule, bounds_of
from radit.model.baselines.fbcache import FirstBlocksRule
from radit.model.errors import UserError
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.ranges import RANGES

BLOCKS_AND_STEPS: Limits = {
    "threshold": RELATIVE,
    "first": (1, 1024),
    "last": (0, 1024),
    "warm_up": (0, RANGES["steps"].high),
    "longest": (0, RANGES["steps"].high),
}


@dataclass(frozen=True)
class EndsComputed(Method):
    """What cache-dit's policies share: blocks at both ends and timesteps at the start that always compute.

    Fields:
        first, last: blocks at each end that are always computed (Fn, Bn).
        warm_up: timesteps at the start that compute.
        longest: reuses in a row at most; 0: any number.
    """

    limits: ClassVar[Limits] = BLOCKS_AND_STEPS
    threshold: float = 0.08
    first: int = 1
    last: int = 0
    warm_up: int = 2
    longest: int = 0


@dataclass(frozen=True)
class DualBlockCache(EndsComputed):
    """Compute the blocks in the middle where the first ones' residual changed by `threshold` or more, relative.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "dbcache"

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        check_ends(self.name, self.first, self.last, integer.config.depth)
        anchor = Anchor(images, self.threshold, self.warm_up, self.longest)
        return FirstBlocksRule(images, anchor, self._middle(integer.config.block_bounds))

    def spans(self, sub_blocks: Bounds) -> tuple[range, ...]:
        middle = self._middle(sub_blocks)
        return (middle,) if middle else ()

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        return (self._middle(sub_blocks).start,)

    def _middle(self, sub_blocks: Bounds) -> range:
        bounds = bounds_of(sub_blocks)
        blocks = len(bounds) - 1
        return range(bounds[min(self.first, blocks)], bounds[max(blocks - self.last, 0)])


def check_ends(name: str, first: int, last: int, depth: int) -> None:
    """Refuse blocks at the ends that leave none in the middle.

    Raises:
        UserError: they do.
    """
    if first + last >= depth:
        raise UserError(
            f"Policy {name} has first {first} and last {last}: give fewer than {depth} together, the model's blocks."
        )
