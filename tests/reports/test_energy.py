"""reports/energy/energy_model.py: linear in the counters, every counter costs something, lines are where they
belong."""

import dataclasses

import numpy as np
import pytest

from radit.accel.control.registers import COUNTERS, FRAME_EVENTS, TEXT_EVENTS
from radit.model.dit.config import DiTConfig
from radit.model.errors import UserError
from radit.reports.cost.counts import UNCOUNTED
from radit.reports.cost.run_tables import RunTables
from radit.reports.energy.energy_model import energy, mac_counts
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.host_work import FREQUENCY_FEATURES, host_work
from radit.reports.energy.memory_plan import MemoryPlan, plan_memory, planned
from tests.reports.made_up import BUILD, DIMS, STEPS

TABLE = load_table()
SRAM = TABLE.reuse_sram.capacity
PLAN = plan_memory(DIMS, BUILD, SRAM)
ONES = dict.fromkeys(COUNTERS, 1) | {"cycles": 3}
FREE = UNCOUNTED - {"cycles"}  # cycles and events, no action of their own


def test_doubling_the_counters_doubles_the_energy():
    once = energy(ONES, BUILD, TABLE, PLAN).total_uj
    twice = energy({name: 2 * value for name, value in ONES.items()}, BUILD, TABLE, PLAN).total_uj
    assert twice.nominal == pytest.approx(2 * once.nominal) and twice.high == pytest.approx(2 * once.high)


def test_energies_add_up_and_are_ordered():
    report = energy(ONES, BUILD, TABLE, PLAN, host_work(DiTConfig(), STEPS, 1))
    assert report.total_uj.nominal == pytest.approx(sum(part.nominal for part in report.components_uj.values()))
    assert all(part.low <= part.nominal <= part.high for part in report.components_uj.values())
    assert report.basis == "modelled"


@pytest.mark.parametrize("name", sorted(COUNTERS.keys() - FREE - set(TEXT_EVENTS) - set(FRAME_EVENTS)))
def test_every_counter_costs(name):
    base = energy(ONES, BUILD, TABLE, PLAN).total_uj
    more = energy(ONES | {name: ONES[name] + 1}, BUILD, TABLE, PLAN).total_uj
    assert more.nominal > base.nominal


def test_prompts_cost_and_words_that_pass_the_norm_spare():
    build = dataclasses.replace(BUILD, max_text=20)
    base, prompts, passing = (
        energy(ONES | {"norm_words": 2} | more, build, TABLE, PLAN).total_uj.nominal
        for more in ({}, {"prompt_words": 2}, {"bypass_words": 2})
    )
    assert passing < base < prompts


def test_frame_embeddings_cost():
    build = dataclasses.replace(BUILD, max_frames=4)
    base, reads, writes = (
        energy(ONES | more, build, TABLE, PLAN).total_uj.nominal
        for more in ({}, {"frame_reads": 2}, {"frame_writes": 2})
    )
    assert base < min(reads, writes)
    clip = DiTConfig(frames=4, frame_embedding="first-block")
    there, here = (host_work(each, STEPS, 3) for each in (clip, clip.model_copy(update={"frame_embedding": "input"})))
    assert there.table_bits - here.table_bits == 3 * 4 * 64 * 16


def test_a_host_makes_keys_and_values_of_every_text_token():
    text = DiTConfig(context_tokens=20, context_dim=8, adaln="single")
    none, some, most = (host_work(text, STEPS, 1, 2, texts) for texts in (0, 7, None))
    each = 8 * 64 + 64 * 64 + 6 * 2 * 64 * 64  # projection, keys and values of six blocks
    assert (none.prompt_macs, some.prompt_macs, most.prompt_macs) == (0, 7 * each, 40 * each)
    assert some.table_bits - none.table_bits == 7 * 6 * 2 * 64 * 8
    assert host_work(DiTConfig(), STEPS, 1).prompt_macs == 0


def test_nothing_costs_nothing():
    assert energy(dict.fromkeys(COUNTERS, 0), BUILD, TABLE, PLAN).total_uj.high == 0


def test_mac_line_by_hand():
    counters = dict.fromkeys(COUNTERS, 0) | {"cycles": 10, "array_cycles": 7}
    macs = mac_counts(counters, BUILD)
    assert (macs.active, macs.held, macs.utilization) == (7 * 256, 3 * 256, 0.7)
    pairs = mac_counts(counters, dataclasses.replace(BUILD, products=2))
    assert (pairs.active, pairs.held, pairs.utilization) == (7 * 512, 3 * 512, 0.7)
    parts = energy(counters, BUILD, TABLE, PLAN, idle_cycles=5).components_uj
    assert parts["mac_active"].nominal == pytest.approx(7 * 256 * 0.287e-6)
    assert parts["mac_held"].nominal == pytest.approx(3 * 256 * 0.0751e-6)
    assert parts["mac_idle_clock"].nominal == pytest.approx(5 * 256 * 0.0660e-6)


def test_external_weights_by_hand():
    counters = dict.fromkeys(COUNTERS, 0) | {"weight_writes": 1000}
    weights = energy(counters, BUILD, TABLE, PLAN).components_uj["external_weights"]
    assert (weights.low, weights.nominal) == (pytest.approx(1000 * 128 * 3.9e-6), pytest.approx(1000 * 128 * 8e-6))


def test_detection_and_cache_are_lines_of_their_own():
    off = dict.fromkeys(COUNTERS, 0)
    only = energy(off | dict.fromkeys(("ccu_words", "dtsm_ops", "code_reads", "history_reads"), 9), BUILD, TABLE, PLAN)
    assert {name for name, part in only.components_uj.items() if part.nominal} == {"detection"}
    cache = energy(off | {"cache_writes": 9}, BUILD, TABLE, PLAN)
    assert {name for name, part in cache.components_uj.items() if part.nominal} == {"branch_cache"}
    for reads in ("cache_reads", "slope_reads"):
        reused = energy(off | {reads: 9}, BUILD, TABLE, PLAN)
        assert {name for name, part in reused.components_uj.items() if part.nominal} == {"branch_cache", "reuse"}


def test_history_then_cache_move_out_when_they_do_not_fit():
    assert PLAN.cache.on_chip and PLAN.history.on_chip
    small = plan_memory(DIMS, BUILD, sram_kib=100)
    assert small.history.on_chip and not small.cache.on_chip
    none = plan_memory(DIMS, BUILD, sram_kib=0)
    assert not none.history.on_chip and "external memory" in none.describe()
    totals = [energy(ONES, BUILD, TABLE, plan).total_uj.nominal for plan in (PLAN, small, none)]
    assert totals == sorted(totals) and len(set(totals)) == 3


def test_forecast_doubles_the_cache():
    assert plan_memory(DIMS, BUILD, SRAM, slots=2).cache.capacity_kib == 2 * PLAN.cache.capacity_kib


def test_a_stream_is_as_large_as_two_branches_and_followers_keep_no_codes():
    shape = (STEPS, DIMS.sub_blocks)
    follow = np.broadcast_to(np.arange(DIMS.sub_blocks) > 0, shape)
    plan = planned(DIMS, BUILD, RunTables(True, gains=np.full(shape, 128), follow=follow, stream_scope=True), SRAM)
    assert plan.cache.capacity_kib * DIMS.sub_blocks == 4 * PLAN.cache.capacity_kib
    assert plan.history.capacity_kib * DIMS.sub_blocks == PLAN.history.capacity_kib


@pytest.mark.parametrize("capacity", [0.0, 100.0, 1024.0])
def test_a_plan_is_placed_anew_under_another_table(capacity):
    """What a finished run is priced with is what a run under that table would have had."""
    for slots, stream_scope in ((1, False), (2, False), (2, True)):
        sizes = {"slots": slots, "stream_scope": stream_scope}
        plan = plan_memory(DIMS, BUILD, SRAM, **sizes)
        assert plan.replaced(capacity) == plan_memory(DIMS, BUILD, capacity, **sizes)
        assert MemoryPlan.model_validate_json(plan.model_dump_json()) == plan


def test_conditioning_weights_are_read_once():
    one, many = host_work(DiTConfig(), STEPS, images=1), host_work(DiTConfig(), STEPS, images=10)
    assert one.weight_bits == many.weight_bits
    assert many.patch_embedding_macs == 10 * one.patch_embedding_macs
    assert many.macs > 9 * one.macs
    assert dataclasses.replace(one, weight_bits=0).macs == one.macs


def test_timestep_features_are_the_models():
    shapes = pytest.importorskip("radit.model.dit.shapes")
    assert FREQUENCY_FEATURES == shapes.FREQUENCY_FEATURES


def test_missing_counter_is_named():
    with pytest.raises(UserError, match="counter cycles is missing"):
        energy({name: 1 for name in COUNTERS if name != "cycles"}, BUILD, TABLE, PLAN)
