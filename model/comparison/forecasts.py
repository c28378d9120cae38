"""Forecasts of whole timesteps on the integer reference whose slopes follow more than the timesteps, or whose contexts
are forecast by their difference.

**Slopes.** A reuse gives F + c (F - F'), c Q3.8 and at most `reach`. With k timesteps since F, `gap` timesteps between
F' and F, and I, I_F, I_F' the inputs of sub-block 0 in this timestep and where F and F' were computed:

| slope | c |
|---|---|
| time | gain * k / gap |
| codes | gain * r, r = changed(I, I_F) / changed(I_F, I_F'), counts of changed 4-bit codes, r cut to Q3.8 |
| l1 | gain * r, r = mean abs(I - I_F) / mean abs(I_F - I_F') of int8 inputs, cut to Q3.8 |
| fitted | a table's word for (timestep, k, gap), see `model/detectors/dense_streams.py` |

r stays within 0.5 .. 1.5 times k / gap. Sources: RFC, 2025 (r); DiCache, 2025, which clips it, to 1 .. 1.5.

**Difference.** What is cached of the null class's context is its stream less the label's, both of the last timesteps
that computed it. Where it is reused, its stream is the label's of this timestep, computed or forecast, plus the
difference's forecast (`model/integer/reference.py`, as in the hardware). The idea of caching guidance as a difference:
FasterCache, 2024; its forecast is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.baselines.base import Sight, keep, real_input
from radit.model.comparison.compared_reference import MethodReference
from radit.model.detectors.dense_streams import LONGEST, Grams, fitted_slopes, grams_of
from radit.model.detectors.detector import Detector, SignatureDetector, Slope
from radit.model.detectors.signatures import L1, Codes
from radit.model.formats import FACTOR_BITS, SLOPE_FRAC
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.ops.reuse import coefficient
from radit.model.policy.skip_policy import FACTOR_ONE

CLIPPED = (1, 3)  # bounds of r, in halves of k / gap
MEASURED: dict[Slope, SignatureDetector] = {Slope.CODES: Codes(), Slope.L1: L1()}


class ForecastReference(MethodReference):
    """The reference under a detector with another slope than the timesteps', or with a forecast difference."""

    def __init__(self, integer: IntegerDiT, method: Detector) -> None:
        self._detector = method
        self._motion = MEASURED.get(method.slope)
        self._fitted = fitted_tables(integer, method) if method.slope is Slope.FITTED else None
        super().__init__(integer, method)

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every cached result, every input and every decision."""
        super().start(images, contexts)
        self._kept: Tensor | None = None
        self._before = self._change = torch.zeros(images, contexts, dtype=torch.float64)

    def _decide(self, act: Tensor, s: int, index: int) -> tuple[Tensor | None, Tensor, Tensor]:
        found = super()._decide(act, s, index)
        if self._motion is not None:
            self._measure(self._motion, act, index, found[2])
        return found

    def _measure(self, motion: SignatureDetector, act: Tensor, index: int, computed: Tensor) -> None:
        """Take the change of the input since it was last computed, and keep what is computed now."""
        now = motion.signature(Sight(0, index, real_input(self.integer, 0, index, act), None), self.integer)
        then = now if self._kept is None else self._kept
        self._change = motion.apart(now, then, self.integer, 0).cpu()
        self._before = torch.where(computed, self._change, self._before)
        self._kept = keep(self._kept, now, computed.to(now.device))

    def _slopes(self, s: int, index: int, computed: Tensor) -> Tensor:
        slope, state, registers = self._detector.slope, self.state[s], self.policy.registers
        if slope is Slope.TIME:
            return super()._slopes(s, index, computed)
        if self._fitted is not None:
            table, rows = self._fitted[: self.contexts], torch.arange(self.contexts).expand_as(state.gap)
            found = table[rows, index, state.streak.clamp(max=LONGEST), state.gap.clamp(max=LONGEST)]
        else:
            expected = coefficient(state.streak, state.gap, FACTOR_ONE)
            ratio = ratio_of(self._change, self._before, expected)
            found = (ratio * int(self.policy.gains[index, s])) >> (FACTOR_BITS - 1)
        return found.clamp(max=registers.slope_max) * ~computed


def ratio_of(change: Tensor, before: Tensor, expected: Tensor) -> Tensor:
    """Return r (..) int64 Q3.8: change over the one before, cut, within bounds around `expected`, k / gap Q3.8.

    Where nothing changed before, r is `expected`.
    """
    unit = 1 << SLOPE_FRAC
    measured = torch.floor(change / before.clamp(min=1e-12) * unit).clamp(max=8.0 * unit).long()
    low, high = (expected * half // 2 for half in CLIPPED)
    return torch.where(before > 0.0, torch.minimum(torch.maximum(measured, low), high), expected)


def fitted_tables(integer: IntegerDiT, method: Detector) -> Tensor:
    """Return the coefficients (2, steps, LONGEST + 1, LONGEST + 1) Q3.8 of both contexts, or of the label's and of the
    difference."""
    grams: Grams = grams_of(integer, method.guidance)
    return torch.stack(
        [fitted_slopes(grams.label), fitted_slopes(grams.difference if method.difference else grams.null)]
    )
