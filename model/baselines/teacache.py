"""TeaCache (F. Liu et al., "Timestep Embedding Tells: It's Time to Cache for Video Diffusion Model", 2024; code
`TeaCache4FLUX/teacache_flux.py` of ali-vilab/TeaCache 7c10efc).

With m_t block 0's modulated input, the relative change from timestep to timestep is added up:

    path += mean |m_t - m_(t-1)| / mean |m_(t-1)|
    reuse  iff  path < threshold; else path = 0.  The first and the last timestep are computed.
    x = x_0 + R        R = x_L - x_0 of the last computation

x_0 is the stream that enters block 0, x_L that behind the last block: one residual of all blocks.

Departures: the published polynomial that fits the change to each model is left out (identity). Each image adds up its
own path over both its contexts. As a setting, `residual=False` caches the branches of the sub-blocks one by one, which
take the current gates, as the other policies of this project do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import RELATIVE, Bounds, Limits, Method, Rule, Sight, relative_change
from radit.model.integer.integer_dit import IntegerDiT


@dataclass(frozen=True)
class TeaCache(Method):
    """Reuse while the path length stays below `threshold`, unitless; the first and the last timestep are computed.

    In software alone; cycles by the cycle model.

    Fields:
        residual: reuse one residual of all blocks; else the branches of their sub-blocks.
    """

    name: ClassVar[str] = "teacache"
    limits: ClassVar[Limits] = {"threshold": RELATIVE}
    threshold: float = 0.2
    residual: bool = True

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return _TeaRule(images, self.threshold, integer.sampler_steps - 1)

    @property
    def whole_stream(self) -> bool:
        return self.residual

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
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
