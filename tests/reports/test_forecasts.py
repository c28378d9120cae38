"""reports/cost/forecasts.py: slopes from a record of decisions, against the golden DTSM and by hand."""

import numpy as np
import pytest
import torch

from radit.model.formats import GAIN_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.model.ops.dtsm import DtsmRegisters, DtsmState, decide
from radit.model.ops.reuse import coefficient
from radit.reports.cost.counts import expected_counts
from radit.reports.cost.forecasts import slopes
from radit.reports.cost.run_tables import RunTables
from tests.reports.test_counts import BUILD, DIMS

ONE = 1 << (GAIN_BITS - 1)
SHAPE = (6, 2)  # sub-blocks, contexts


def golden(computed: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """The DTSM, made to decide what the record says."""
    states, found = {}, np.zeros(computed.shape, int)
    for index, *place in np.ndindex(computed.shape):
        state = states.setdefault(tuple(place), DtsmState.cleared())
        fresh = bool(computed[index, *place])
        reuse, states[tuple(place)] = decide(state, torch.tensor(0), 1, 1, fresh, DtsmRegisters(max_streak=63))
        assert bool(reuse) != fresh
        after = states[tuple(place)]
        found[index, *place] = coefficient(after.streak, after.gap, int(gains[index, place[0]])) if reuse else 0
    return found


@pytest.mark.parametrize("rate", [0.3, 0.8, 0.97])
def test_slopes_are_the_golden_dtsms(rng, rate):
    computed = rng.random((120, *SHAPE)) > rate
    computed[0] = computed[60] = True  # a streak has at most 63 reuses
    gains = rng.integers(0, 1 << GAIN_BITS, (120, SHAPE[0]))
    gains[rng.random(gains.shape) < 0.2] = 0
    found = slopes(DecisionRecord.of_image(computed), gains)[0]
    assert np.array_equal(found, golden(computed, gains))
    assert not found[computed].any() and found.max() > 0 and ((found == 0) & ~computed).any()


def test_slopes_by_hand():
    """Computed at 0, 3 and 5 of 8 timesteps: none before the second, then k / 3, then k / 2."""
    record = DecisionRecord.of_image(np.array([1, 0, 0, 1, 0, 1, 0, 0], bool)[:, None, None])
    found = slopes(record, np.full((8, 1), ONE))
    assert found[0, :, 0, 0].tolist() == [0, 0, 0, 0, 256 // 3, 0, 128, 256]
    assert not slopes(record, None).any() and not slopes(record, np.zeros((8, 1), int)).any()


def test_each_forecast_reads_a_second_branch():
    computed = np.ones((5, 2, 2), bool)
    computed[1, 0, 0] = computed[2, 1] = computed[4, 1, 1] = False  # the first has one branch behind it
    record = DecisionRecord.of_image(computed)
    plain = expected_counts(DIMS, BUILD, record, RunTables(policy_on=True))
    found = expected_counts(DIMS, BUILD, record, RunTables(True, gains=np.full((5, 2), ONE)))
    assert found == plain | {"slope_reads": 3 * 24}
