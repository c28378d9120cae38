"""Error meter: what the reuses of an image have cost so far, in the controller's own sums, per context.

``spent = min(error + (weight * count >> 8), 2**31 - 1)``: count of changed codes (24 bit), weight of the timestep
(16 bit, calibrated), error 31 bit, 0 at the start of an image. A reuse is refused where ``spent`` would exceed the
register ``error_max``, else it moves ``error`` to ``spent``. A sub-block that follows counts and spends nothing.
"""

import torch

from radit.model.formats import ERROR_BITS, ERROR_CUT

ERROR_MAX = (1 << ERROR_BITS) - 1  # as a limit: none


def spend(error: torch.Tensor, count: torch.Tensor, weight: int) -> torch.Tensor:
    """error, count (..) int64 -> what a reuse would leave in the meter (..) int64, cut (floor), saturated."""
    return (error + ((weight * count) >> ERROR_CUT)).clamp(max=ERROR_MAX)
