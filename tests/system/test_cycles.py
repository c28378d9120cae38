"""The cycle model against the counters of the RTL: equal cycle by cycle, or within the tolerance of the regime."""

from dataclasses import replace

import numpy as np
import pytest

from radit.accel.config import BuildConfig
from radit.accel.control.registers import ACCOUNTS, CAUSES, PHASES
from radit.accel.dims import Group
from radit.cosim.engines import MemoryTiming, Setup
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.skip_policy import Policy, dense
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel, Prediction, predict
from tests.system.cosimulate import (
    ARRAYS,
    EIGHTH,
    TWO_PRODUCTS,
    Outcome,
    Shape,
    Task,
    cosimulate,
    make_task,
    small_build,
)

pytestmark = pytest.mark.needs("verilator")

EVERY_ARRAY = [*ARRAYS, TWO_PRODUCTS]
CONFIGURATIONS = 10  # of each array
LATENCIES = (0, 1, 30, 100, 400)
MOST_CYCLES = 3_000_000
LONG_RUN = 0.01  # what is met of a longer run with a limited memory
# Latency, bandwidth, pauses.
REGIMES = {
    "exact": (5, None, 0.0),
    "pauses": (5, None, 0.3),
    "many pauses": (20, None, 0.6),
    "limited": (5, 9.9, 0.0),
    "limited with pauses": (5, 9.9, 0.3),
    "narrow": (5, 3.5, 0.2),
}
SMALL = {"two tiles": Shape(16, 24, 2, 48, depth=1), "one tile": Shape(8, 8, 2, 16, depth=2)}


def random_task(rng: np.random.Generator, build: BuildConfig) -> Task:
    """Dimensions that may or may not fill the tiles, groups, contexts, and inputs that stand still, drift or jump."""
    times, wide = build.wide // EIGHTH, build.wide
    heads = int(rng.choice([1, 2, 3, 4]))
    hidden = 4 * heads * int(rng.integers(1, 24 * times // (4 * heads) + 1))
    motion = tuple("j" + "".join(rng.choice(list("sdj"), 4)) for _ in range(rng.integers(1, 3)))
    shape = Shape(int(rng.integers(1, 32 * times)), hidden, heads, 4 * int(rng.integers(1, 10 * times)), motion=motion)
    groups = {
        "image": {},
        "spatial": {"tokens": 4 * wide, "even": Group(keys=wide), "odd": Group(keys=2 * wide)},
        "video": {"tokens": 4 * wide, "even": Group(keys=2 * wide), "odd": Group(frames=2)},
    }[str(rng.choice(["image", "image", "spatial", "video"]))]
    return make_task(replace(shape, depth=int(rng.integers(1, 3)), seed=int(rng.integers(5)), **groups))


def random_policy(rng: np.random.Generator) -> Policy:
    """Dense, or one that skips now and then."""
    if rng.random() < 0.3:
        return dense()
    settings = {"max_streak": int(rng.integers(1, 4)), "first_dense": int(rng.integers(1, 3)), "last_dense": 0}
    settings |= {"gain": float(rng.choice([0.0, 1.0, 1.0])), "scope": "sub-block"}
    if rng.random() < 0.6:
        settings["scope"] = "stream" if rng.random() < 0.6 else "timestep"
    return Policy("radit", threshold=float(rng.uniform(0.3, 1.0)), **settings)


def run(
    task: Task, build: BuildConfig, policy: Policy, setup: Setup, memory: MemoryModel
) -> tuple[Outcome, Prediction]:
    """A checked run, and its prediction from the decisions."""
    outcome = cosimulate("verilator", build, task, policy, replace(setup, max_cycles=MOST_CYCLES))
    outcome.assert_exact()
    return outcome, predict(task.dims, build, outcome.decisions(), RunTables.of(policy.tables(task.integer)), memory)


def measured(outcome: Outcome) -> dict[str, int]:
    """Cycles by phase."""
    return {phase: sum(outcome.counters[f"{phase}_{cause}"] for cause in CAUSES) for phase in PHASES}


@pytest.mark.parametrize("array", EVERY_ARRAY)
def test_every_cycle_is_predicted(array, rng):
    build, computed, forecast = small_build(*array), [], 0
    for _ in range(CONFIGURATIONS):
        task, policy, latency = random_task(rng, build), random_policy(rng), int(rng.choice(LATENCIES))
        outcome, prediction = run(task, build, policy, Setup(MemoryTiming(latency)), MemoryModel(latency))
        assert prediction.phases == measured(outcome), (task.dims, policy, latency)
        assert prediction.cycles == outcome.counters["cycles"]
        assert sum(outcome.counters[name] for name in ACCOUNTS) == outcome.counters["cycles"]
        computed.append(outcome.computed.mean())
        forecast += outcome.counters["slope_reads"]
    assert min(computed) < 0.9 and max(computed) == 1.0 and forecast > 0


@pytest.mark.parametrize("array", EVERY_ARRAY)
@pytest.mark.parametrize("heads", [1, 4])
def test_tiles_shorter_than_their_sequencer_are_predicted(array, heads):
    """Four channels: products of 4 cycles and 4 columns, faster than the sequencer of the linear layers."""
    build = small_build(*array)
    task = make_task(Shape(3 * build.wide + 1, 4, heads, 4, motion=("jsd", "jjs"), seed=1))
    for policy in (dense(), Policy("radit", threshold=0.6, max_streak=2, last_dense=0)):
        outcome, prediction = run(task, build, policy, Setup(MemoryTiming(latency=0)), MemoryModel(0))
        assert prediction.phases == measured(outcome)


@pytest.mark.parametrize("array", EVERY_ARRAY)
def test_a_limited_memory_is_met_within_a_hundredth(array, rng):
    """Bandwidths from half a weight word per cycle on; sub-blocks must be long enough that one tile is no hundredth."""
    build = small_build(*array)
    for bandwidth, stall in ((build.wide / 2, 0.0), (build.wide, 0.0), (2 * build.wide, 0.1), (None, 0.2)):
        task = make_task(replace(Shape(32, 48, 2, 96, motion=("jssds", "jdsjs")), depth=2).on(build))
        each = Policy("radit", threshold=0.6, max_streak=2, last_dense=0, gain=1.0)
        for policy in (each, replace(each, scope="stream")):
            setup = Setup(MemoryTiming(latency=50, stall=stall), bandwidth=bandwidth)
            outcome, prediction = run(task, build, policy, setup, MemoryModel(50, bandwidth, stall))
            assert not outcome.computed.all() and outcome.counters["slope_reads"] > 0
            assert prediction.cycles == pytest.approx(outcome.counters["cycles"], rel=LONG_RUN)


@pytest.mark.parametrize("rows, cols", ARRAYS[:2])
@pytest.mark.parametrize("regime", REGIMES)
def test_small_models_are_met_within_the_tolerance_of_the_regime(rows, cols, regime):
    """Runs of a few thousand cycles, where every pause counts; of three policies on two models."""
    build, memory = small_build(rows, cols), MemoryModel(*REGIMES[regime])
    timing = Setup(MemoryTiming(memory.latency, stall=memory.stall), bandwidth=memory.bandwidth)
    each = Policy("radit", threshold=0.6, max_streak=2, last_dense=0, gain=1.0)
    for shape in SMALL.values():
        task = make_task(replace(shape, motion=("jssds", "jdsjs")).on(build))
        for policy in (dense(), each, replace(each, scope="stream")):
            outcome, prediction = run(task, build, policy, timing, memory)
            assert prediction.cycles == pytest.approx(outcome.counters["cycles"], rel=memory.tolerance, abs=0)


def test_the_pauses_of_a_prediction_are_the_same_every_time():
    """They are drawn with a seed of their own."""
    build, memory = small_build(8, 8), MemoryModel(5, 9.9, 0.3)
    task = make_task(SMALL["two tiles"])
    tables = RunTables.of(dense().tables(task.integer))
    record = DecisionRecord(np.ones((1, 4, task.dims.sub_blocks, 2), bool))
    first, again = (predict(task.dims, build, record, tables, memory) for _ in range(2))
    assert first.phases == again.phases


@pytest.mark.parametrize(
    "memory, tolerance, regime",
    [
        (MemoryModel(400), 0.0, "a word in every cycle"),
        (MemoryModel(0, None, 0.3), 0.03, "random pauses"),
        (MemoryModel(0, 9.9), 0.05, "limited bandwidth"),
        (MemoryModel(0, 7.9, 0.1), 0.1, "limited bandwidth and random pauses"),
    ],
)
def test_a_regime_has_its_tolerance(memory, tolerance, regime):
    assert (memory.tolerance, memory.regime) == (tolerance, regime)
