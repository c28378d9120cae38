"""What differences would save: the cycle model where nothing is narrow, words as they are, costs that add up."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.differences.products import difference_tile, kept_bytes
from radit.model.differences.words import Narrowing
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.integer.calibration import calibrate
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.generate import Host
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense, radit
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.cycles.cycle_model import MemoryModel, predict
from radit.reports.differences import cells
from radit.reports.differences.cells import difference_gates, machine_gates
from radit.reports.differences.plan import PLAIN, SLOT, Plan
from radit.reports.differences.spent import dense_energy, difference_energy
from radit.reports.differences.tally import CYCLES, FIELDS, NARROW, WIDE, WORDS, Base, Counted, tally, words
from radit.reports.differences.walk import cycles
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.host_work import host_work
from radit.reports.results.page import DOCS, STORED

STEPS = 3
DIMS = Dims(hidden=32, heads=2, head_dim=16, mlp=128, tokens=16, sub_blocks=4, contexts=2)
BUILD = BuildConfig(rows=4, cols=4, max_hidden=32, max_mlp=128, max_tokens=16, max_contexts=2, max_sub_blocks=4)
KEPT = dict.fromkeys(SLOT, 3)
MEMORIES = [MemoryModel(100, None), MemoryModel(20, 8.0), MemoryModel(0, 2.0)]


def whole_words(timesteps: int = STEPS) -> dict[Base, np.ndarray]:
    """Counts of words none of which is narrow."""
    counts = np.zeros((len(FIELDS), timesteps, 4, 2, 2, 4))
    depth = np.array([[32, 32], [32, 128]] * 2)[:, :, None, None]
    counts[[WORDS, WIDE, CYCLES]] = np.broadcast_to(depth, counts.shape[2:])
    return dict.fromkeys(Base, counts)


def plan_of(words_of: dict[Base, np.ndarray], choice=PLAIN, products: int = 1) -> Plan:
    return Plan(DIMS, BUILD, words_of, KEPT, dict.fromkeys(SLOT, choice), products)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("policy_on", [False, True])
def test_without_narrow_words_it_is_the_cycle_model(memory, policy_on, rng):
    record = DecisionRecord.dense(1, STEPS, 4, 2)
    if policy_on:
        record.computed[:, 1:] = rng.random((1, STEPS - 1, 4, 2)) < 0.6
    tables = RunTables(True, np.arange(STEPS) == 0) if policy_on else POLICY_OFF
    plain = predict(DIMS, BUILD, record, tables, memory).cycles
    assert cycles(plan_of(whole_words()), record, tables, memory) == plain


def test_contexts_side_by_side_take_the_same_where_nothing_is_narrow():
    """Another order of the same tiles; the sequencer looks for contexts while the array works."""
    record = DecisionRecord.dense(1, STEPS, 4, 2)
    plain, side = (
        cycles(plan_of(whole_words(), choice), record, POLICY_OFF, MEMORIES[0])
        for choice in (PLAIN, (Base.NONE, Base.CONTEXT))
    )
    assert abs(side - plain) <= 3 * STEPS * 4  # cycles per sub-block


def test_half_the_cycles_of_tiles_show():
    """What is saved is what the tiles save, but for what hides behind them."""
    found, record = whole_words(), DecisionRecord.dense(1, STEPS, 4, 2)
    halved = found[Base.NONE].copy()
    halved[CYCLES] /= 2
    plan = plan_of(dict.fromkeys(Base, halved))
    saved = cycles(plan_of(found), record, POLICY_OFF, MEMORIES[0]) - cycles(plan, record, POLICY_OFF, MEMORIES[0])
    assert plan.tile_cycles() == plan.plain_cycles() / 2
    assert 0.95 * plan.tile_cycles() < saved <= plan.tile_cycles()


def test_kept_sums_wait_for_the_memory():
    record, choice = DecisionRecord.dense(1, STEPS, 4, 2), (Base.TIMESTEP, Base.TIMESTEP)
    slow, free = MemoryModel(100, 1.0), MemoryModel(100, None)
    moved = plan_of(whole_words(), choice).moved_bytes(record)
    sums = 16 * 2 * (4 * 32 + 128 - 32 + 32) * 3 * 2 * (2 * STEPS - 2)  # of 16 tokens, q, k, projection, FC1 and FC2
    inputs = 16 * 2 * (32 + 32 + 32 + 128) * 2 * (2 * STEPS - 2)
    assert moved == sums + inputs
    plans = plan_of(whole_words(), choice), plan_of(whole_words())
    kept, plain = (cycles(plan, record, POLICY_OFF, slow) for plan in plans)
    assert kept > max(moved, plain) and plans[1].moved_bytes(record) == 0
    assert cycles(plans[0], record, POLICY_OFF, free) == cycles(plans[1], record, POLICY_OFF, free)


def test_the_cheaper_base_is_chosen():
    """The timestep's where the memory carries its sums, the context's where it does not."""
    found = whole_words()
    for base, share in ((Base.CONTEXT, 0.75), (Base.TIMESTEP, 0.5)):
        found[base] = found[base].copy()
        found[base][CYCLES] *= share
    rich, poor = (Plan.chosen("best", DIMS, BUILD, found, KEPT, rate) for rate in (None, 1.0))
    assert set(rich.choices.values()) == {(Base.TIMESTEP, Base.TIMESTEP)}
    assert set(poor.choices.values()) == {(Base.NONE, Base.CONTEXT)}
    assert set(Plan.chosen("none", DIMS, BUILD, found, KEPT, None).choices.values()) == {PLAIN}


def test_two_whole_products_halve_every_product():
    whole = plan_of(whole_words(), products=2).whole_words()
    assert {name: set(work.depths.ravel()) for name, work in whole.work(0, 0).items()} == {
        "q": {16.0}, "k": {16.0}, "v": {16}, "projection": {16.0}
    }  # fmt: skip
    assert set(whole.work(0, 1)["fc2"].depths.ravel()) == {64.0}


@pytest.fixture(scope="module")
def generated():
    dit = seeded_dit(SMALL)
    sampler = Sampler(STEPS)
    integer = quantize(dit, calibrate(dit, sampler, images=2), sampler)
    return dit, integer


CASES = [Counted(4, narrowing, base) for narrowing in (Narrowing(4), Narrowing(5, True), Narrowing(6)) for base in Base]


@pytest.fixture(scope="module")
def counted_dense(generated):
    return counted(generated, dense())


def counted(generated, policy):
    """Words of two images, and the reference's own captures of the same run."""
    dit, integer = generated
    y, noise = torch.arange(2), make_noise(dit.config, 2, 0)
    reference = Reference(integer, policy.tables(integer))
    found = tally(reference, Host(dit, integer, y, noise, 1.5, reference.tokens), CASES, 1)
    captures = []
    host = Host(dit, integer, y, noise, 1.5, reference.tokens)
    reference.start(2, 2)
    for index in range(STEPS):
        captures.append([])
        x, _ = reference.step(host.enter(), index, host.tables, captures[-1])
        host.leave(x, index)
    return found, captures


@pytest.mark.parametrize("base", Base)
@pytest.mark.parametrize("narrowing", [Narrowing(4), Narrowing(5, True)])
def test_tiles_count_what_the_product_takes(generated, counted_dense, base, narrowing):
    """The golden tile, run on the reference's own inputs, gives the product and the counted cycles."""
    found, captures = counted_dense
    weight = generated[1].sub_blocks[0].weights["q"][:3]
    a, before = captures[1][0].a.long(), captures[0][0].a.long()
    spent = np.zeros((2, 4), int)
    for image, ctx, tile in np.ndindex(2, 2, 4):
        x = words(a[image, ctx], 4)[tile]
        other = {Base.NONE: None, Base.TIMESTEP: words(before[image, ctx], 4)[tile]}.get(base)
        if base is Base.CONTEXT and ctx:
            other = words(a[image, 0], 4)[tile]
        start = None if other is None else difference_tile(other, weight, narrowing)
        sums = difference_tile(x, weight, narrowing, other, start)
        assert torch.equal(sums.total, x @ weight.long().T)
        spent[ctx, tile] += sums.cycles
    assert (found.sums[Counted(4, narrowing, base)][CYCLES, 1, 0, 0] == spent).all()


def test_the_base_is_what_was_computed_last(generated):
    """Under a skipping policy nothing is counted where nothing is computed, and the base waits."""
    found, captures = counted(generated, radit(1.0, max_streak=1, small=50.0, large=100.0, first_dense=1, tight=1.0))
    computed = found.computed
    assert not computed[:, 1].any() and computed[:, 2].all()
    case = Counted(4, Narrowing(6), Base.TIMESTEP)
    assert not found.sums[case][:, 1].any() and found.sums[case][WORDS, 2, 0, 0, 0, 0] == 2 * SMALL.hidden_size
    d = captures[2][0].a.int() - captures[0][0].a.int()
    low, high = torch.aminmax(words(d, 4), dim=-2)
    narrow = ((low >= -32) & (high < 32) & ((low != 0) | (high != 0))).sum((0, -1))
    assert (found.sums[case][NARROW, 2, 0, 0] == narrow.numpy()).all()


def test_energy_of_whole_words_is_the_machine_s_with_its_digits():
    """Narrow words cost less than wide ones, and kept sums what their bits cost."""
    record, table, host = DecisionRecord.dense(1, STEPS, 4, 2), load_table(), host_work(SMALL, STEPS, 1)
    plain = sum(dense_energy(DIMS, BUILD, record, POLICY_OFF, 1e5, table, host).values())

    def spent(words_of, choice=PLAIN):
        return difference_energy(plan_of(words_of, choice), Narrowing(4), record, POLICY_OFF, 1e5, table, host)

    narrow = whole_words()[Base.NONE].copy()
    narrow[NARROW], narrow[WIDE], narrow[CYCLES] = narrow[WORDS], 0, narrow[WORDS] / 2
    assert spent(dict.fromkeys(Base, narrow)) < plain < spent(whole_words()) < 1.1 * plain
    kept = plan_of(whole_words(), (Base.TIMESTEP,) * 2).moved_bytes(record) * 8 * 8e-6  # 8 pJ per bit
    assert spent(whole_words(), (Base.TIMESTEP,) * 2) - spent(whole_words()) == pytest.approx(kept)


def test_gates_are_those_of_the_kept_account():
    stored = json.loads((DOCS / STORED / "area.json").read_text())
    for one in stored["arrays"]:
        rows, cols = one["array"]["rows"], one["array"]["cols"]
        gates = {name: part["logic"]["gates"] for name, part in one["parts"].items()}
        whole = sum(count for name, count in gates.items() if name != "observation")
        assert machine_gates(BuildConfig(rows=rows, cols=cols)) == pytest.approx(whole, rel=0.01)
        assert gates["array"] / (rows * cols) == pytest.approx(cells.MACHINE_CELL, rel=0.01)
    small, large = ({n: p["logic"]["gates"] for n, p in one["parts"].items()} for one in stored["arrays"])
    for lane, part in ((cells.CCU_LANE, "ccu"), (cells.CACHE_LANE, "cache"), (cells.OPERAND_LANE, "operands")):
        assert lane == pytest.approx((large[part] - small[part]) / 48, rel=1e-3)


def test_gates_grow_with_what_is_compared():
    grown = [difference_gates(BUILD, Narrowing(5, o), b) for o in (False, True) for b in ({Base.NONE}, set(Base))]
    assert grown[0] < grown[1] < grown[3] and grown[0] < grown[2] < grown[3]
    assert difference_gates(BUILD, None, {Base.NONE}) == 0 < difference_gates(BUILD, None, {Base.NONE}, 2)


def test_kept_sums_of_a_quantized_model(generated):
    assert {kept_bytes(w) for sub in generated[1].sub_blocks for w in sub.weights.values()} == {3}
