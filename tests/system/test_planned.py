"""Planned timesteps and the difference of the contexts: RTL against the reference, word by word and cycle by cycle."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from myhdl import block

from radit.accel.config import BuildConfig
from radit.accel.interfaces.conditioning import HEADER_BEATS, HEADER_FIELDS
from radit.accel.interfaces.signals import flag
from radit.accel.residual_pass import front_half
from radit.accel.residual_pass.front_half import FEWEST_WORDS
from radit.accel.units.residual import residual_unit
from radit.cosim.driver import Driver
from radit.cosim.engines import EngineError, MemoryTiming, Setup, open_engine
from radit.cosim.engines.open import exported_verilog
from radit.model.errors import UserError
from radit.model.policy.skip_policy import planned
from radit.reports.cost.counts import SATURATED
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel, predict
from tests.system.cosimulate import DIFFERING, OUT, STREAM, Outcome, Shape, cosimulate, make_task
from tests.system.gauntlet import BUILDS, MOST_CYCLES, SIZES
from tests.system.quick_build import quick_library, using

pytestmark = pytest.mark.needs("verilator")

PLAN = "BB-LB-NB"  # every kind of timestep, with and without a slope
JUMPING = Shape(13, 16, 2, 24, motion=("jjjjjjjj",) * 2, seed=7)
PLANNED = planned(plan=PLAN, reach=1.5)
FOUR = BuildConfig(4, 4, **SIZES, max_contexts=4)


def quick(build: BuildConfig):
    """The engine verilator with a library that compiles in seconds."""
    return using(quick_library(build, exported_verilog(build, OUT / "rtl"), OUT / "verilated"))


def run(shape=JUMPING, policy=PLANNED, build=BUILDS["8x4"], latency=3, images=1, **planted) -> Outcome:
    setup = Setup(MemoryTiming(latency), max_cycles=MOST_CYCLES)
    with quick(build):
        return cosimulate("verilator", build, make_task(shape, images), policy, setup, **planted)


def assert_predicted(outcome: Outcome, shape, policy, build, latency: int, images: int = 1) -> None:
    """Every cycle is the cycle model's."""
    task = make_task(shape, images)
    tables = RunTables.of(policy.tables(task.integer))
    prediction = predict(task.dims, build, outcome.decisions(images), tables, MemoryModel(latency))
    assert prediction.cycles == outcome.counters["cycles"]


@pytest.mark.parametrize("contexts", [1, 2, 4])
@pytest.mark.parametrize("extra", [{}, {"difference": False}, {"difference": False, "scope": "timestep"}],
                         ids=["difference", "streams", "branches"])  # fmt: skip
def test_every_word_and_cycle(contexts, extra):
    shape, policy = replace(JUMPING, motion=("jjjjjjjj",) * contexts), replace(PLANNED, **extra)
    for latency in (0, 30):
        outcome = run(shape, policy, FOUR, latency)
        outcome.assert_exact()
        plan = [[letter in "LB", letter in "NB"] * 2 for letter in PLAN]
        assert outcome.computed[:, 0].tolist() == [row[:contexts] for row in plan]
        assert (outcome.computed == outcome.computed[:, :1]).all()
        assert outcome.counters["ccu_words"] == outcome.counters["history_reads"] == outcome.counters["code_reads"] == 0
        assert outcome.counters["slope_reads"] > 0
        assert_predicted(outcome, shape, policy, FOUR, latency)


def test_differences_of_timesteps_that_are_detected():
    """The null class computes where the label is reused, too."""
    shape = replace(JUMPING, motion=("jsjssjs", "jjsjsss"))
    outcome = run(shape, DIFFERING, BUILDS["4x8"], 7)
    outcome.assert_exact()
    first, second = outcome.computed[:, 0].T
    assert (first & ~second).any() and (second & ~first).any() and (~first & ~second).any()
    assert_predicted(outcome, shape, DIFFERING, BUILDS["4x8"], 7)


def test_differences_and_sums_saturate():
    outcome = run(replace(JUMPING, spread=12.0, seed=9))
    outcome.assert_exact()
    place = SATURATED["residual_saturations"]
    words, values = outcome.counters["residual_saturations"], outcome.saturated[place]
    assert 0 < words <= values <= 8 * words
    plain = run(replace(JUMPING, spread=12.0, seed=9), replace(PLANNED, difference=False))
    assert values > plain.saturated[place]


def test_slow_memories_change_cycles_only():
    usual = run()
    for setup in (Setup(MemoryTiming(3, stall=0.7, depth=1)), Setup(MemoryTiming(3), bandwidth=1.5)):
        with quick(BUILDS["8x4"]):
            outcome = cosimulate("verilator", BUILDS["8x4"], make_task(JUMPING), PLANNED, setup)
        outcome.assert_exact()
        assert outcome.cycles != usual.cycles and outcome.counted == usual.counted


def test_nothing_of_an_image_reaches_the_next(rng):
    def scramble(driver: Driver, timestep: int) -> None:
        if timestep == 0:
            driver.cache[:] = rng.integers(-100, 100, driver.cache.shape)

    both = run(images=2, spoil=scramble)
    both.assert_exact()
    assert_predicted(both, JUMPING, PLANNED, BUILDS["8x4"], 3, images=2)


@pytest.mark.parametrize("before_the_end", [5, 30, 31, 60])
def test_a_reset_in_the_last_pass_leaves_nothing_behind(before_the_end):
    """In a pair's first half or its second, or between the two contexts; then another model without and with pairs."""
    build, larger = BUILDS["8x4"], replace(JUMPING, mlp=48, seed=1)
    cycles = run(larger, latency=0).cycles[0]
    setup = Setup(MemoryTiming(0), max_cycles=cycles - before_the_end)
    with quick(build), open_engine("verilator", build, setup, OUT) as engine:
        task = make_task(larger)
        driver = Driver(engine, task.integer, PLANNED.tables(task.integer), task.dims)
        driver.start_image(task.conditioning, 0)
        x = np.zeros((2, task.dims.padded_tokens(build), larger.hidden), np.int64)
        driver.start(x, 0)
        for _ in range(task.dims.sub_blocks):
            engine.run_sub_block()
        with pytest.raises(EngineError, match="still busy"):
            driver.finish()
        engine.reset()
        engine.take_trace()
        with patch("tests.system.cosimulate.open_engine", lambda *_: nullcontext(engine)):
            for policy in (STREAM, PLANNED):
                cosimulate("verilator", build, make_task(JUMPING), policy, setup).assert_exact()


def test_a_model_too_small_for_pairs_is_refused():
    smallest = Shape(1, 4, 1, 4, depth=1, seed=6, motion=("jjjjjjjj",) * 2)
    run(smallest, replace(PLANNED, difference=False)).assert_exact()
    with pytest.raises(UserError, match=f"difference is True on 4 words of 8 lanes .* take {FEWEST_WORDS} or more"):
        run(smallest)


def test_the_fewest_words_are_enough():
    """Eight, the next possible number, with nothing that holds words up."""
    smallest = Shape(8, 8, 1, 4, depth=1, seed=6, motion=("jjjjjjjj",) * 2)
    outcome = run(smallest, latency=0)
    outcome.assert_exact()
    assert_predicted(outcome, smallest, PLANNED, BUILDS["8x4"], 0)


# Planted defects.
WORDS = 2 * JUMPING.hidden  # of a context: two row tiles
AT_THE_END = "block 2 (output), stage x, word "  # behind the two blocks


def driven(timestep: int, change: Callable[[Driver], None]) -> Callable:
    return lambda driver, now: change(driver) if now == timestep else None


def headers(driver: Driver) -> np.ndarray:
    """Of every timestep and sub-block."""
    return driver.conditioning.reshape(len(PLAN), -1, HEADER_BEATS + 2 * JUMPING.hidden, 4)


@pytest.mark.parametrize("planted, context, expected", [(3, 1, 0), (2, 0, 1)], ids=["one more", "swapped"])
def test_a_wrong_plan(planted, context, expected):
    beat, field, *_ = HEADER_FIELDS["plan"]

    def plant(driver: Driver) -> None:
        found = headers(driver)[:, :, beat, field]
        assert found[:, 0].tolist() == [3, 3, 0, 1, 3, 0, 2, 3] and not found[:, 1:].any()
        found[3, 0] = planted

    outcome = run(spoil=driven(3, plant))
    assert outcome.check.decisions_mismatched > 0 and outcome.problems[0] == (
        f"image 0, timestep 3, block 0 (attention), stage computed, context {context}: expected {expected}, "
        f"found {1 - expected}."
    )


@pytest.mark.parametrize(
    "timestep, spoil, context",
    [
        (2, lambda found: found[:, ::-1], 0),  # stream and difference swapped
        (2, lambda found: found + (np.arange(2) == 1)[None, :, None, None, None].astype(np.int8), 1),
        (3, lambda found: found[::-1], 1),  # the older slot for the latest
        (5, lambda found: np.roll(found, 1, axis=2), 0),  # of the word before
    ],
    ids=["contexts", "damaged", "slots", "words"],
)
def test_a_difference_that_is_not_the_one_computed(timestep, spoil, context):
    def plant(driver: Driver) -> None:
        found = driver.cache.reshape(2, 2, -1, 2, 8)
        found[:] = spoil(found.copy())

    outcome = run(spoil=driven(timestep, plant))
    assert outcome.problems[0].startswith(f"image 0, timestep {timestep}, {AT_THE_END}")
    word = int(outcome.problems[0].split("word ")[1].split(",")[0])
    assert word // WORDS == context


def test_streams_in_the_place_of_differences():
    """The register is cleared before the difference is cached, or before it is used."""

    def clear(driver: Driver) -> None:
        driver.engine.write_register("difference", 0)

    for timestep, first in ((1, 2), (2, 2), (6, 7)):
        outcome = run(spoil=driven(timestep, clear))
        assert outcome.counted != outcome.expected
        if timestep < 6:  # nothing is reused behind
            assert outcome.problems[0].startswith(f"image 0, timestep {first}, {AT_THE_END}{WORDS}, ")


SMALLEST = Shape(4, 8, 2, 8, depth=1, motion=("jj", "jj"), seed=2)


def broken(monkeypatch, name: str, value) -> Outcome:
    """Simulated with something else in the place of a constant or unit of the pass."""
    monkeypatch.setattr(front_half, name, value)
    build = BuildConfig(4, 4, max_hidden=8, max_mlp=8, max_tokens=8, max_sub_blocks=2)
    return cosimulate("myhdl", build, make_task(SMALLEST), planned(plan="B-"))


def test_the_hardware_without_a_defect_is_right(monkeypatch):
    broken(monkeypatch, "FIRE_TO_READ", front_half.FIRE_TO_READ).assert_exact()


def test_a_difference_that_does_not_join_the_label_s_stream(monkeypatch):
    @block
    def deaf(**ports):
        return residual_unit(**(ports | {"joins": flag()}))

    outcome = broken(monkeypatch, "residual_unit", deaf)
    assert outcome.problems[0].startswith("image 0, timestep 1, block 1 (output), stage x, word 8, ")
