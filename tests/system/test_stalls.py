"""What the accounts of cycles say: every cause shows where it must, and nowhere else."""

import pytest

from radit.accel.control.registers import ACCOUNTS, CAUSES, PHASES, TEXT_PHASES
from radit.cosim.engines import MemoryTiming, Setup
from radit.model.policy.skip_policy import Policy, dense
from tests.system.cosimulate import Outcome, Shape, cosimulate, make_task, small_build

pytestmark = pytest.mark.needs("verilator")

BUILD = small_build(8, 8)
LONG = Shape(32, 48, 2, 96, depth=1, motion=("jss", "jss"))  # products longer than their drain
SHORT = Shape(32, 48, 12, 96, depth=1, motion=("jss", "jss"))  # scores of 4 cycles a tile
FAST, NARROW = Setup(MemoryTiming(latency=0)), Setup(MemoryTiming(latency=0), bandwidth=0.25)
REUSING = Policy("radit", threshold=1.0, max_streak=3, last_dense=0)


def run(shape: Shape, policy: Policy, setup: Setup) -> Outcome:
    outcome = cosimulate("verilator", BUILD, make_task(shape), policy, setup)
    outcome.assert_exact()
    assert sum(outcome.counters[name] for name in ACCOUNTS) == outcome.counters["cycles"]
    assert total(outcome, "array") == outcome.counters["array_cycles"]
    return outcome


def total(outcome: Outcome, cause: str) -> int:
    return sum(outcome.counters[f"{phase}_{cause}"] for phase in PHASES)


def test_with_a_fast_memory_nothing_waits_for_it():
    outcome = run(LONG, dense(), FAST)
    assert total(outcome, "weights") == 0
    assert outcome.counters["pass_array"] == 0 and outcome.counters["pass_vector"] > 0
    for phase in ("qkv", "attend", "projection", "fc1", "fc2"):
        cycles = sum(outcome.counters[f"{phase}_{cause}"] for cause in CAUSES)
        assert outcome.counters[f"{phase}_array"] > 0.9 * cycles


def test_a_narrow_memory_shows_as_waiting_for_weights():
    fast, narrow = run(LONG, dense(), FAST), run(LONG, dense(), NARROW)
    for phase in ("qkv", "projection", "fc1", "fc2"):
        assert narrow.counters[f"{phase}_weights"] > narrow.counters[f"{phase}_array"]
    assert narrow.counters["attend_weights"] == 0
    assert total(narrow, "array") == total(fast, "array")


def test_cached_branches_on_their_way_are_operands_of_the_pass():
    fast, narrow = run(LONG, REUSING, FAST), run(LONG, REUSING, NARROW)
    assert not narrow.computed[1:].any()
    assert narrow.counters["pass_operands"] > 3 * fast.counters["pass_operands"]
    assert narrow.counters["pass_operands"] > narrow.counters["pass_vector"]


def test_tiles_shorter_than_their_drain_wait_for_it_and_for_the_softmax():
    long, short = run(LONG, dense(), FAST), run(SHORT, dense(), FAST)
    assert short.counters["attend_drain"] > 5 * long.counters["attend_drain"]
    assert short.counters["attend_vector"] > long.counters["attend_vector"]
    for phase in ("qkv", "projection", "fc1", "fc2"):
        assert short.counters[f"{phase}_drain"] == long.counters[f"{phase}_drain"]


def test_every_product_is_booked_to_its_phase():
    """Tiles x K: 3 timesteps of 2 contexts; 4 row tiles, 48 channels (6 tiles), 96 hidden ones (12), 2 heads of 24."""
    outcome = run(LONG, dense(), FAST)
    rows = 3 * 2 * 4
    expected = {
        "pass": 0,
        "qkv": 3 * rows * 6 * 48,
        "attend": rows * 2 * (4 * 24 + 3 * 32),
        "projection": rows * 6 * 48,
        "fc1": rows * 12 * 48,
        "fc2": rows * 6 * 96,
        **dict.fromkeys(TEXT_PHASES, 0),
    }
    assert {phase: outcome.counters[f"{phase}_array"] for phase in PHASES} == expected
