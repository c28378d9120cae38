"""BWCache (H. Cui et al., "BWCache: Accelerating Video Diffusion Transformers through Block-Wise Caching", ICLR 2026,
arXiv 2509.13789v3). Its code (github.com/hsc113/BWCache) was not at hand: the rule is that of the paper, as two public
summaries of it give the equations (5) to (8).

With h_(t,i) the output of block i, L blocks, R a share of all timesteps,

    D_t = 1 / L * sum over i of |h_(t,i) - h_(t-1,i)|_1 / |h_(t-1,i)|_1
    once D_t < threshold, behind k timesteps: reuse R timesteps, compute one, reuse R, ..; the last k / 2 compute
    reused are the outputs of all blocks, of which the last one's is all that matters: x = x_L of the last computation

Published defaults: threshold 0.15, R a tenth of the timesteps.

Departures: k counts from the start of the run. The paper's text can also be read as k timesteps that are left; the
speed-ups it reports, up to 2.6, exclude that (half of what is left would always be computed). Each image is compared
with both its contexts.

Its detection is charged as one comparison per timestep. It compares every block, but only until the first reuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import RELATIVE, Bounds, Limits, Method, Rule, relative_change
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class BlockWiseCache(Method):
    """From the first timestep on in which the blocks' outputs changed by less than `threshold`, relative, reuse them.

    In software alone; cycles by the cycle model.

    Fields:
        share: of all timesteps, reused between two computations; at least one timestep.
    """

    name: ClassVar[str] = "bwcache"
    keeps_output: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"threshold": RELATIVE, "share": (0.0, 1.0)}
    threshold: float = 0.15
    share: float = 0.1

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        steps = integer.sampler_steps
        return _BlockWiseRule(
            images, self.threshold, max(round(steps * self.share), 1), steps, integer.config.block_bounds
        )

    @property
    def whole_stream(self) -> bool:
        return True

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        return (0,)


class _BlockWiseRule(Rule):
    def __init__(self, images: int, threshold: float, reused: int, steps: int, bounds: Sequence[int]) -> None:
        super().__init__(images)
        self._threshold, self._reused, self._steps = threshold, reused, steps
        self._outputs: list[Tensor] = []
        self._changes: list[Tensor] = []  # of the blocks of this timestep
        self._last = {s - 1: block for block, s in enumerate(bounds[1:])}  # block of every last sub-block of one
        self._begun = torch.full((images,), steps)  # timesteps before the first reuse

    def passed(self, s: int, index: int, x: Tensor) -> None:
        waiting = self._begun == self._steps
        if s not in self._last or not bool(waiting.any()):
            return
        block = self._last[s]
        if index:
            self._changes.append(relative_change(x, self._outputs[block]))
            self._outputs[block] = x
        else:
            self._outputs.append(x)
        if len(self._changes) == len(self._last):
            near = torch.stack(self._changes).mean(0) < self._threshold
            self._begun[waiting & near] = index + 1
            self._changes = []

    def decide(self, s: int, index: int) -> Tensor:
        behind, period = index - self._begun, self._reused + 1
        return (behind >= 0) & (behind % period != self._reused) & (index < self._steps - self._begun // 2)
