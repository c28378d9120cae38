"""reports/cost/traffic.py: bytes by cause against a case counted by hand, and curves below their roofline."""

from dataclasses import replace

import numpy as np
import pytest

from radit.accel.control.registers import COUNTERS
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.cost.traffic import STREAMS, external_bytes
from radit.reports.cycles.cycle_model import MemoryModel
from radit.reports.cycles.roofline import Run, roofline
from tests.reports.made_up import BUILD, DIMS, decisions
from tests.reports.test_counts import BUILD as SMALL_BUILD
from tests.reports.test_counts import BY_HAND


def test_bytes_by_hand():
    """R = 4, W = 8; x and branches are int16 and int8 words of R lanes, codes 4 bits."""
    found = external_bytes(
        BY_HAND | {"cache_reads": 3, "slope_reads": 2, "history_reads": 5, "code_reads": 7}, SMALL_BUILD
    )
    assert found == {
        "weights": 8 * ((2 + 2 + 3 + 2) * 12 + 3 * 12 + 2 * 20),
        "parameters": 8 * (3 * 12 + 20 + 12),
        "conditioning": 8 * 3 * (8 + 2 * 12),
        "branch_cache_read": 4 * 3,
        "branch_cache_previous_read": 4 * 2,
        "branch_cache_write": 0,
        "code_history_read": 2 * 5,
        "code_history_write": 2 * 7,
        "x_in": 8 * 48,
        "x_out": 8 * 48,
    }


def test_every_external_word_is_counted_once():
    nothing = dict.fromkeys(COUNTERS, 0)
    moved = {name for name in COUNTERS if sum(external_bytes(nothing | {name: 1}, BUILD).values())}
    assert moved == set(
        "weight_writes param_writes mod_writes cache_reads slope_reads cache_writes history_reads code_reads "
        "x_in_words x_out_words".split()
    )
    text = replace(BUILD, max_text=4)
    assert external_bytes(nothing | {"prompt_words": 3}, text) == external_bytes(nothing, text) | {"prompts": 3 * 16}


@pytest.mark.parametrize("policy_on", [False, True])
def test_no_curve_is_above_its_roofline(rng, policy_on):
    record = decisions(rng)
    run = Run(DIMS, BUILD, record if policy_on else record.as_dense(), RunTables(policy_on))
    line = roofline(run, MemoryModel())
    curve = np.array(line.utilization)
    roof = np.minimum(1, np.array(line.bandwidth) / line.bytes_per_peak_cycle)
    inexact = np.array([MemoryModel(bandwidth=each).tolerance for each in line.bandwidth])  # of the model itself
    assert (curve <= roof * (1 + np.minimum(inexact, 0.035))).all() and (np.diff(curve) >= -1e-3).all()
    assert curve[0] > 0.9 * roof[0] and curve[-1] > 0.85  # the memory's limit, and the machine's
    assert line.macs_per_byte == pytest.approx(BUILD.rows * BUILD.cols / line.bytes_per_peak_cycle)


def test_x_streams_are_no_memory_traffic():
    run = Run(DIMS, BUILD, DecisionRecord.dense(1, 1, 12, 2), POLICY_OFF)
    weights = 6 * (4 * 64 * 64 + 2 * 64 * 256)  # int8, once for both contexts
    conditioning = 8 * 13 * (8 + 2 * 64)
    parameters = 8 * 6 * (3 * 64 + 256 + 64)
    assert run.memory_bytes == weights + conditioning + parameters
    assert set(STREAMS) <= external_bytes(dict.fromkeys(COUNTERS, 1), BUILD).keys()
