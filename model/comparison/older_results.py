"""Results older than the last two on the integer reference, for forecasts from more than two."""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.baselines.base import Method
from radit.model.comparison.compared_reference import MethodReference
from radit.model.integer.integer_dit import IntegerDiT


class OlderReference(MethodReference):
    """The reference with `older` results more of each sub-block (of each context's stream under stream scope).

    Fields:
        older: [entry][number] (N, contexts, T, D) float64, the latest of them first.
    """

    def __init__(self, integer: IntegerDiT, method: Method, more: int) -> None:
        self._more = more
        super().__init__(integer, method)

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every cached result and every decision."""
        super().start(images, contexts)
        self.older = [[torch.zeros_like(cached) for _ in range(self._more)] for cached in self.cache]

    def _remember(self, s: int, computed: Tensor, fresh: Tensor) -> None:
        rows = [self.before[s], *self.older[s]]
        for number in range(len(rows) - 1, 0, -1):
            rows[number][computed] = rows[number - 1][computed]
        super()._remember(s, computed, fresh)
