"""Which reuses are forecasts: from a record of decisions and the policy's gains alone.

The hardware's DTSM keeps this per sub-block and context (``accel/units/dtsm.py``); golden ``model/ops/reuse.py``.
"""

from __future__ import annotations

import numpy as np

from radit.model.formats import SLOPE_CUT, SLOPE_MAX, STREAK_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.model.roms import GAP_INVERSE

LONGEST = (1 << STREAK_BITS) - 1
INVERSE = np.array(GAP_INVERSE)


def slopes(record: DecisionRecord, gains: np.ndarray | None) -> np.ndarray:
    """Coefficient of the forecast, Q3.8, as far as its format reaches (register slope_max may limit it further, but
    never to 0), int64 [image, timestep, sub_block, context]; 0 where a branch is computed, or reused as it is.

    Args:
        record: what was computed.
        gains: int [timestep, sub_block], Q1.7, at least as many timesteps; None: all 0.
    """
    computed = record.computed
    found = np.zeros(computed.shape, np.int64)
    if gains is None or not gains.any():
        return found
    streak, gap = (np.zeros(computed[:, 0].shape, np.int64) for _ in range(2))
    valid = np.zeros(computed[:, 0].shape, bool)
    for index in range(record.timesteps):
        fresh = computed[:, index]
        gap = np.where(fresh, np.where(valid, np.minimum(streak + 1, LONGEST), 0), gap)
        streak = np.where(fresh, 0, streak + 1)
        valid |= fresh
        product = streak * gains[index][:, None] * INVERSE[gap]
        found[:, index] = np.minimum(product >> SLOPE_CUT, SLOPE_MAX)
    return found


def results_read(record: DecisionRecord, gains: np.ndarray | None, order: int = 1) -> np.ndarray:
    """Results that a reuse takes beside the latest one, int64 [image, timestep, sub_block, context]: up to ``order`` of
    those before it where it is a forecast, else 0."""
    before = np.cumsum(record.computed, axis=1) - 1
    return np.where(slopes(record, gains) > 0, np.minimum(before, order), 0)
