"""What first-block caches and block pruning have in common: near enough to the last computation is reused.

`similarity` of cache-dit (`src/cache_dit/caching/cache_contexts/cache_manager.py`, v1.5.0-38-gf86744af) and
`are_two_tensors_similar` of ParaAttention (`src/para_attn/first_block_cache/utils.py`, 4de137c): with V the tensor now
and V' that of the last computation,

    reuse  iff  mean |V' - V| / mean |V'| < threshold,  timestep >= warm_up

Departures: a threshold of 1 or more, which cache-dit takes for always, is compared like any other. The limit of reuses
in a row counts from the last computation; cache-dit's count starts again only where the limit was met.
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.baselines.base import keep, relative_change


class Anchor:
    """The tensor of the last computation of each of N images.

    Args:
        images: N.
        threshold: of the relative change, unitless.
        warm_up: timesteps at the start that compute.
        longest: reuses in a row at most; 0: any number.
    """

    def __init__(self, images: int, threshold: float, warm_up: int = 0, longest: int = 0) -> None:
        self._threshold, self._warm_up, self._longest = threshold, warm_up, longest
        self._kept: Tensor | None = None
        self._row = torch.zeros(images, dtype=torch.int64)

    def near(self, now: Tensor, index: int) -> Tensor:
        """Return whether the images reuse, (N,) bool, at timestep `index`; remember `now` (N, ..) of the others."""
        reuse = torch.zeros(len(self._row), dtype=torch.bool)
        if self._kept is not None and index >= self._warm_up:
            reuse = relative_change(now, self._kept) < self._threshold
            if self._longest:
                reuse &= self._row < self._longest
        self._row = torch.where(reuse, self._row + 1, 0)
        self._kept = keep(self._kept, now, ~reuse.to(now.device))
        return reuse
