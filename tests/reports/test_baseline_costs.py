"""What residuals of the stream and forecasts from many results cost: counters, cycles and memory by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.comparison.catalogue import parse_method
from radit.model.detectors.plans import detector_of
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.plan import read_plan
from radit.model.policy.skip_policy import planned
from radit.reports.cost.counts import expected_counts
from radit.reports.cost.forecasts import results_read
from radit.reports.cost.policy_costs import PolicyCosts
from radit.reports.cycles.cycle_model import MemoryModel, predict
from radit.reports.energy.memory_plan import plan_memory

DIMS = Dims(hidden=64, heads=2, head_dim=32, mlp=256, tokens=64, sub_blocks=12, contexts=2)
BUILD = BuildConfig()


def test_results_that_a_forecast_reads():
    computed = np.array([1, 1, 0, 0, 1, 0, 1, 0, 0], bool)[:, None, None]
    record, gains = DecisionRecord.of_image(computed), np.full((9, 1), 128)
    assert results_read(record, gains, 2)[0, :, 0, 0].tolist() == [0, 0, 1, 1, 0, 2, 0, 2, 2]
    assert results_read(record, gains, 4)[0, :, 0, 0].tolist() == [0, 0, 1, 1, 0, 2, 0, 3, 3]
    assert not results_read(record, None, 4).any()


def costs_of(text, computed):
    """Counters and cycles of a record of the made-up machine."""
    costs, record = PolicyCosts(parse_method(text)), DecisionRecord.of_image(computed)
    shaped = SimpleNamespace(act_scale=torch.ones(computed.shape[:2]))  # all that tables take from a model
    tables = costs.run_tables(record, costs.tables(shaped))
    counts = costs.charged(expected_counts(DIMS, BUILD, record, tables), DIMS)
    return counts, predict(DIMS, BUILD, record, tables, MemoryModel(100, 32.0)).cycles


def test_what_residuals_cost():
    """One residual of 16 bits in place of the branches of its sub-blocks, one pass in place of theirs."""
    computed = np.ones((4, DIMS.sub_blocks, DIMS.contexts), bool)
    computed[2:, 2:] = False
    words = DIMS.contexts * DIMS.sub_block_words(BUILD)
    (one, cycles), (branches, light) = (costs_of(f"fbcache:residual={r}", computed) for r in (True, False))
    reused = DIMS.sub_blocks - 2
    assert branches["cache_reads"] == 2 * reused * words
    assert branches["x_reads"] - one["x_reads"] == 2 * (reused - 1) * words
    # two timesteps reuse: the residual is read; two compute: the stream before it is read as well, both are written
    assert one["cache_reads"] == (2 + 2) * 2 * words and one["cache_writes"] == (2 + 2) * 2 * words
    assert one["mod_writes"] < branches["mod_writes"] and cycles < light
    whole = computed.copy()
    whole[2:] = False
    added, taken = (costs_of(text, whole)[0] for text in ("teacache", "bwcache"))
    assert taken["cache_reads"] == 2 * 2 * words == added["cache_reads"] - 2 * 2 * words
    assert added["x_reads"] - taken["x_reads"] == 2 * words and added["cache_writes"] == 2 * taken["cache_writes"]


def test_what_higher_orders_cost():
    computed = np.ones((8, DIMS.sub_blocks, DIMS.contexts), bool)
    computed[[2, 4, 5, 7]] = False
    words = DIMS.contexts * DIMS.sub_blocks * DIMS.sub_block_words(BUILD)
    found = {order: costs_of(f"taylorseer:order={order}", computed) for order in (1, 2, 4)}
    assert [found[order][0]["slope_reads"] // words for order in (1, 2, 4)] == [4, 1 + 2 + 2 + 2, 1 + 2 + 2 + 3]
    assert found[1][0]["cache_reads"] == found[4][0]["cache_reads"] == 4 * words
    assert found[1][1] < found[2][1] < found[4][1]
    assert [PolicyCosts(parse_method(f"taylorseer:order={n}")).cached_results for n in (1, 4)] == [2, 5]


def test_what_is_kept():
    kept = {text: PolicyCosts(parse_method(text)).streams(12) for text in ("fora", "bwcache", "teacache", "dbprune")}
    assert kept == {"fora": 0, "bwcache": 1, "teacache": 2, "dbprune": 6}
    one, six = (plan_memory(DIMS, BUILD, 0, streams=n).cache.bytes for n in (1, 6))
    assert six == 6 * one == 6 * plan_memory(DIMS, BUILD, 0, stream_scope=True).cache.bytes


def test_a_planned_detector_costs_what_its_policy_does():
    """The frontier prices the software's, `radit cosim` the hardware's: counters, cycles and memory are the same."""
    plan = "BB-LB-LL"
    computed = np.array(read_plan(plan))[:, None].repeat(DIMS.sub_blocks, 1)
    record = DecisionRecord.of_image(computed)
    for fields in ({}, {"difference": False}, {"difference": False, "scope": "timestep"}):
        policy = planned(plan=plan, **fields)
        model = SimpleNamespace(
            act_scale=torch.ones(computed.shape[:2], dtype=torch.float64), act_rms=torch.ones(DIMS.sub_blocks),
            sampler_steps=len(plan), config=SimpleNamespace(block_bounds=tuple(range(0, DIMS.sub_blocks + 1, 2))),
        )  # fmt: skip
        both = [PolicyCosts(each) for each in (policy, detector_of(policy, 1.5))]
        tables = [costs.run_tables(record, costs.tables(model)) for costs in both]
        ours, theirs = (expected_counts(DIMS, BUILD, record, each) for each in tables)
        assert ours == both[1].charged(theirs, DIMS)
        cycles = [predict(DIMS, BUILD, record, each, MemoryModel(100, 32.0)).cycles for each in tables]
        assert cycles[0] == cycles[1]
        sizes = [(costs.compared(12), costs.streams(12), costs.cached_results, costs.stream_scope) for costs in both]
        assert sizes[0] == sizes[1]
