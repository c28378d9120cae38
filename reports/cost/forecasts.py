"""Which reuses are forecasts: from a record of decisions and the policy's gains alone.

The hardware's DTSM keeps this per sub-block and context (``accel/units/dtsm.py``); golden ``model/ops/reuse.py``.
"""

from __future__ import annotations

import numpy as np

from model.formats import SLOPE_CUT, SLOPE_MAX, STREAK_BITS
from model.roms import GAP_INVERSE

LONGEST = (1 << STREAK_BITS) - 1
INVERSE = np.array(GAP_INVERSE)


def slopes(computed: np.ndarray, gains: np.ndarray | None) -> np.ndarray:
    """Coefficient of the forecast, Q3.8, as far as its format reaches (register slope_max may limit it further, but
    never to 0); 0 where a branch is computed, or reused as it is.

    Args:
        computed: bool [timestep, sub_block, context] of one image, True where a branch was computed.
        gains: int [timestep, sub_block], Q1.7, at least as many timesteps; None: all 0.
    """
    found = np.zeros(computed.shape, np.int64)
    if gains is None or not gains.any():
        return found
    streak, gap = (np.zeros(computed.shape[1:], np.int64) for _ in range(2))
    valid = np.zeros(computed.shape[1:], bool)
    for index, fresh in enumerate(computed):
        gap = np.where(fresh, np.where(valid, np.minimum(streak + 1, LONGEST), 0), gap)
        streak = np.where(fresh, 0, streak + 1)
        valid |= fresh
        product = streak * gains[index][:, None] * INVERSE[gap]
        found[index] = np.minimum(product >> SLOPE_CUT, SLOPE_MAX)
    return found
