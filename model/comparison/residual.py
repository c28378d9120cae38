"""Reuse of residuals of the stream on the integer reference: a span of sub-blocks in a row, one decision, one result.

With x the stream (X16) that enters a span and y the stream behind it, of each context:

    computed:  y as ever;      R = saturate(y - x)        or, where outputs are kept, R = y
    reused:    y = saturate(x + R)                        or y = R
    int16 +- int16 -> int16, saturated

The branches of a reused span are not computed, and take no gate. Sub-blocks outside all spans are computed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.comparison.compared_reference import MethodReference
from radit.model.formats import X_BITS
from radit.model.integer.engines import Stages
from radit.model.integer.exact_float64 import Tally

PLACE = "residual"  # of a tally


class ResidualReference(MethodReference):
    """The reference under a policy with spans; the first sub-block of a span decides for it."""

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every residual and every decision."""
        super().start(images, contexts)
        self.cache, self.before = [], []  # no branch is
        self._spans = {s: span for span in self.method.spans(self.integer.config.block_bounds) for s in span}
        self._kept: dict[range, Tensor] = {}

    def _settled(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        none, self._computed = super()._settled(s, index)
        return none, self._computed

    def _follow(self, s: int, index: int) -> tuple[Tensor, Tensor] | None:
        if s not in self._spans or s == self._spans[s].start:
            return super()._follow(s, index)
        return torch.zeros(self.images, self.contexts, dtype=torch.int64), self._computed

    def _branch(
        self, a: Tensor, computed: Tensor, codes: Tensor | None, s: int, index: int, tally: Tally, stages: Stages | None
    ) -> Tensor:
        branch, there = torch.zeros_like(a), computed.to(a.device)
        if bool(there.any()):
            branch[there] = self._run(a[there], computed, s, index, tally, stages)
        return branch

    def _passed(self, s: int, before: Tensor, x: Tensor, tally: Tally) -> Tensor:
        span = self._spans.get(s)
        if span is None:
            return x
        if s == span.start:
            self._head = before
        return self._bridged(span, x, tally) if s == span[-1] else x

    def _bridged(self, span: range, x: Tensor, tally: Tally) -> Tensor:
        """The stream behind a span."""
        kept, there = self._kept.setdefault(span, torch.zeros_like(x)), self._computed.to(x.device)
        if self.method.keeps_output:
            kept[there] = x[there]
            return kept.clone()
        if bool(there.any()):
            kept[there] = tally.saturate(PLACE, (x - self._head)[there], X_BITS)
        if not bool(there.all()):
            x[~there] = tally.saturate(PLACE, (self._head + kept)[~there], X_BITS)
        return x
