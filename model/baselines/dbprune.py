"""DBPrune, Dynamic Block Prune of cache-dit (`src/cache_dit/caching/` of v1.5.0-38-gf86744af, 2026).

Every block but the first Fn and the last Bn decides for itself. With h the residual stream that enters it, and h' the
one that entered when it was last computed,

    reuse  iff  mean |h' - h| / mean |h'| < threshold,  timestep >= warm_up,  fewer than `longest` reuses in a row
    x = h + R        R = what the block added to the stream when it was last computed

cache-dit's defaults are F8B0, threshold 0.08 and 8 timesteps of warm-up.

Departures: as of `model/baselines/dbcache.py`; `longest` counts for each block, in cache-dit for a timestep with any
reuse. The threshold that relaxes to the mean of the first changes of a timestep, off by default, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from radit.model.baselines.anchor import Anchor
from radit.model.baselines.base import Bounds, Rule, bounds_of
from radit.model.baselines.dbcache import EndsComputed, check_ends
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class DynamicBlockPrune(EndsComputed):
    """Compute a block where the stream that enters it changed by `threshold` or more, relative, unitless.

    In software alone; cycles by the cycle model. Reuses in a row are counted block by block.
    """

    name: ClassVar[str] = "dbprune"

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        check_ends(self.name, self.first, self.last, integer.config.depth)
        return _PruneRule(images, self, integer.config.block_bounds)

    def spans(self, sub_blocks: Bounds) -> tuple[range, ...]:
        bounds = bounds_of(sub_blocks)
        return tuple(range(*bounds[block : block + 2]) for block in self._blocks(bounds))

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        bounds = bounds_of(sub_blocks)
        return [bounds[block] for block in self._blocks(bounds)]

    def _blocks(self, bounds: Sequence[int]) -> range:
        """Blocks that decide for themselves."""
        return range(self.first, len(bounds) - 1 - self.last)


class _PruneRule(Rule):
    def __init__(self, images: int, method: DynamicBlockPrune, bounds: Sequence[int]) -> None:
        super().__init__(images)
        numbers = method.threshold, method.warm_up, method.longest
        self._anchors = {s: Anchor(images, *numbers) for s in method.watched(bounds)}
        self._starts = {s: span.start for span in method.spans(bounds) for s in span}
        self._reuse: dict[int, Tensor] = {}

    def passed(self, s: int, index: int, x: Tensor) -> None:
        if s + 1 in self._anchors:
            self._reuse[s + 1] = self._anchors[s + 1].near(x, index)

    def decide(self, s: int, index: int) -> Tensor:
        return self._reuse.get(self._starts.get(s, s), self.every(False))
