"""What a reuse gives: a forecast from the last two computed results.

``F + c (F - F')``, where F is the latest computed result and F' the one before it. Of a sub-block that is its branch:
``int8 + (Q3.8 * int9 -+half-> ) -> int8``, saturated to -127 .. 127. Of a whole timestep it is the residual stream
after the last sub-block: ``X16 + (Q3.8 * int17 -+half-> ) -> X16``, saturated. The coefficient ``c = gain * k / gap``
(Q3.8, limited by a register) is one number per decision: k timesteps since F, ``gap`` timesteps between F' and F, gain
Q1.7 from the header (0: plain reuse of F, 1: first-order extrapolation). With one result cached (gap 0) c is 0.
Source of the forecast: J. Liu et al., "From Reusing to Forecasting" (TaylorSeer), 2025, order 1; the gain is ours.
"""

import torch

from radit.model.formats import INT8_MAX, SLOPE_CUT, SLOPE_FRAC, SLOPE_MAX, X_BITS
from radit.model.roms import GAP_INVERSE

BRANCH = (-INT8_MAX, INT8_MAX)
STREAM = (-(1 << (X_BITS - 1)), (1 << (X_BITS - 1)) - 1)


def coefficient(steps: torch.Tensor, gap: torch.Tensor, gain: int, slope_max: int = SLOPE_MAX) -> torch.Tensor:
    """steps k (..) 1 .. 63, gap (..) 0 .. 63, gain Q1.7 -> c (..) Q3.8, cut (floor), at most slope_max Q3.8."""
    inverse = torch.tensor(GAP_INVERSE)[gap]
    return ((steps * gain * inverse) >> SLOPE_CUT).clamp(max=slope_max)


def reuse(
    latest: torch.Tensor, before: torch.Tensor, slope: torch.Tensor, limits: tuple[int, int] = BRANCH
) -> torch.Tensor:
    """latest F and before F' (.., T, D), slope c (..) Q3.8 -> what stands in for a computation (.., T, D), within the
    ``limits`` of a branch or of a stream."""
    step = slope[..., None, None] * (latest - before)
    moved = latest + ((step + (1 << (SLOPE_FRAC - 1))) >> SLOPE_FRAC)
    return moved.clamp(*limits)
