"""The converted Verilog against the reference: random shapes, skipping, slow memories, image after image."""

from dataclasses import replace

import numpy as np
import pytest

from radit.accel.dims import Group
from radit.cosim.driver import Driver
from radit.cosim.engines import MemoryTiming, Setup
from radit.model.errors import UserError
from radit.model.policy.skip_policy import Policy, dense
from radit.reports.cost.counts import SATURATED
from radit.reports.cost.forecasts import slopes
from tests.system.cosimulate import (
    ARRAYS,
    FORECASTING,
    LEADING,
    MOST_CYCLES,
    SKIPPING,
    STREAM,
    TWO_PRODUCTS,
    Shape,
    cosimulate,
    make_task,
    small_build,
)
from tests.system.gauntlet import saturated

pytestmark = pytest.mark.needs("verilator")

SHAPES = {
    "largest": Shape(32, 24, 2, 40),
    "ragged": Shape(13, 20, 1, 28, seed=1),  # neither tokens nor channels fill the array
    "heads across tiles": Shape(24, 24, 4, 36, seed=2),  # 6 channels each
    "narrow heads": Shape(17, 12, 4, 20, seed=3),  # products shorter than their drain
    "one context": Shape(9, 20, 5, 12, seed=4, motion=("jssj",)),
    "smallest": Shape(1, 4, 1, 4, depth=1, seed=6, scales=False),
}
PORTS = ("weight", "mod", "param", "cache_rd", "prev_rd", "hist_rd", "cache_wr", "hist_wr", "x")
# One context stands still while the other jumps, then the other way round, then both stand still.
TURNS = Shape(13, 16, 2, 24, motion=("jsjss", "jjsss"), seed=7)
# Both compute twice or more, then stand still together or alone.
TWICE = replace(TURNS, motion=("jsjssjs", "jjsjsss"))
WIDE = Shape(13, 16, 2, 24, spread=3.0, seed=9)  # inputs


@pytest.mark.parametrize("array", [*ARRAYS, TWO_PRODUCTS])
@pytest.mark.parametrize("name", SHAPES)
def test_every_word_of_a_dense_run(array, name):
    build = small_build(*array)
    outcome = cosimulate("verilator", build, make_task(SHAPES[name].on(build)), dense())
    outcome.assert_exact()
    assert outcome.computed.all() and outcome.check.decisions_compared == 0


@pytest.mark.parametrize("mlp", [33, 42, 90])
@pytest.mark.parametrize("array", [(8, 8), (16, 32), TWO_PRODUCTS])
def test_an_mlp_of_any_number_of_channels(array, mlp):
    """Cells of two products take them in pairs."""
    build, task = small_build(*array), make_task(Shape(13, 20, 1, mlp, seed=1, motion=("jssd", "jjsd"), scales=False))
    if mlp % build.products:
        with pytest.raises(UserError, match=f"mlp is {mlp}, but cells of 2 products"):
            cosimulate("verilator", build, task, FORECASTING)
        return
    cosimulate("verilator", build, task, FORECASTING).assert_exact()


@pytest.mark.parametrize("rows, cols", ARRAYS)
@pytest.mark.parametrize("name", SHAPES)
def test_every_word_and_decision_of_a_skipping_run(rows, cols, name):
    build = small_build(rows, cols)
    outcome = cosimulate("verilator", build, make_task(SHAPES[name].on(build).uneven()), SKIPPING)
    outcome.assert_exact()
    assert outcome.check.decisions_compared == outcome.computed.size
    assert not outcome.computed.all()


@pytest.mark.parametrize("rows, cols", ARRAYS)
@pytest.mark.parametrize("gain", [0.3, 1.0, 1.9])
def test_every_word_and_slope_of_forecasts(rows, cols, gain):
    build, policy = small_build(rows, cols), replace(FORECASTING, gain=gain)
    task = make_task(TWICE.on(build).uneven())
    outcome = cosimulate("verilator", build, task, policy)
    outcome.assert_exact()
    slope = slopes(outcome.decisions(), policy.tables(task.integer).gains.numpy())[0]
    first, second = slope[..., 0], slope[..., 1]
    assert (first != second).any() and ((first > 0) & (second > 0)).any()
    assert ((slope == 0) & ~outcome.computed).any() and ((first > 0) & outcome.computed[..., 1]).any()


@pytest.mark.parametrize("rows, cols", ARRAYS)
@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_the_first_sub_block_decides_for_its_context(rows, cols, gain):
    build = small_build(rows, cols)
    task = make_task(TWICE.on(build))
    alone = cosimulate("verilator", build, task, FORECASTING)
    outcome = cosimulate("verilator", build, task, replace(LEADING, gain=gain))
    outcome.assert_exact()
    assert (outcome.counters["slope_reads"] > 0) == (gain > 0)
    assert (outcome.computed == outcome.computed[:, :1]).all()
    assert (alone.computed != alone.computed[:, :1]).any(), "sub-blocks agree anyway: the test shows nothing"
    assert (outcome.computed[..., 0] != outcome.computed[..., 1]).any() and not outcome.computed.all()


@pytest.mark.parametrize("rows, cols", ARRAYS)
@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_a_timestep_is_reused_as_a_whole(rows, cols, gain):
    build, policy = small_build(rows, cols), replace(STREAM, gain=gain)
    task = make_task(TWICE.on(build).uneven())
    outcome = cosimulate("verilator", build, task, policy)
    outcome.assert_exact()
    first, second = outcome.computed[:, 0].T
    assert (outcome.computed == outcome.computed[:, :1]).all() and outcome.check.decisions_compared == first.size * 2
    assert (first & ~second).any() and (second & ~first).any() and (~first & ~second).any()
    assert (outcome.counters["slope_reads"] > 0) == (gain > 0)


@pytest.mark.parametrize("rows, cols", ARRAYS)
def test_a_context_skips_while_the_other_computes(rows, cols):
    build = small_build(rows, cols)
    outcome = cosimulate("verilator", build, make_task(TURNS.on(build)), replace(SKIPPING, threshold=0.5))
    outcome.assert_exact()
    first, second = outcome.computed[..., 0], outcome.computed[..., 1]
    assert (first & ~second).any() and (second & ~first).any()
    assert (first & second).any() and (~first & ~second).any()


def test_the_longest_streak_ends_every_run_of_reuses():
    task = make_task(replace(TURNS, motion=("jsssssss", "jsssssss")))
    policy = Policy("radit", threshold=1.0, max_streak=2, last_dense=0)
    outcome = cosimulate("verilator", small_build(8, 8), task, policy)
    outcome.assert_exact()
    computed = outcome.computed.all((1, 2))
    assert computed.tolist() == [True, False, False, True, False, False, True, False]
    assert outcome.mixed == 0


@pytest.mark.parametrize(
    "setup",
    [
        Setup(MemoryTiming(latency=0), max_cycles=MOST_CYCLES),
        Setup(MemoryTiming(latency=700, depth=1), max_cycles=MOST_CYCLES),
        Setup(MemoryTiming(latency=3), bandwidth=1.5, max_cycles=MOST_CYCLES),
        Setup(MemoryTiming(latency=3, stall=0.7, depth=1), max_cycles=MOST_CYCLES),
    ],
    ids=["at once", "far away", "narrow", "stalling"],
)
def test_slow_memories_change_cycles_only(setup):
    task, build = make_task(TWICE), small_build(32, 16)
    usual = cosimulate("verilator", build, task, FORECASTING)
    outcome = cosimulate("verilator", build, task, FORECASTING, setup)
    outcome.assert_exact()
    assert outcome.counters["slope_reads"] > 0
    assert outcome.cycles != usual.cycles
    assert outcome.check == usual.check and outcome.counted == usual.counted


def test_a_timestep_of_one_context_is_reused_as_a_whole():
    outcome = cosimulate("verilator", small_build(8, 8), make_task(SHAPES["one context"]), STREAM)
    outcome.assert_exact()
    assert not outcome.computed.all() and outcome.counters["slope_reads"] == 0


def test_every_port_at_its_own_pace(rng):
    build = small_build(8, 8)
    for shape in (replace(TWICE, hidden=4, mlp=8), Shape(17, 24, 6, 20, motion=TWICE.motion, seed=8)):
        for _ in range(6):
            ports = {
                port: MemoryTiming(
                    latency=int(rng.integers(200)),
                    stall=float(rng.choice([0.0, 0.3, 0.7])),
                    seed=int(rng.integers(1, 1000)),
                    depth=int(rng.integers(1, 5)),
                )
                for port in PORTS
            }
            setup = Setup(ports=ports, bandwidth=rng.choice([None, 2.0, 9.0]), max_cycles=MOST_CYCLES)
            for policy in (FORECASTING, STREAM):
                cosimulate("verilator", build, make_task(shape), policy, setup).assert_exact()


@pytest.mark.parametrize("policy", [SKIPPING, FORECASTING, STREAM], ids=["plain", "forecast", "stream"])
def test_nothing_of_an_image_reaches_the_next(policy, rng):
    """Whatever cache and history hold when an image starts."""

    def scramble(driver: Driver, timestep: int) -> None:
        if timestep == 0:
            for memory in (driver.cache, driver.history):
                memory[:] = rng.integers(-100, 100, memory.shape).astype(memory.dtype)

    task, build = make_task(TWICE, images=2), small_build(16, 32)
    both = cosimulate("verilator", build, task, policy, spoil=scramble)
    second = cosimulate("verilator", build, task.image(1), policy)
    both.assert_exact()
    assert both.cycles[len(both.cycles) // 2 :] == second.cycles
    assert np.array_equal(np.split(both.computed, 2)[1], second.computed)


@pytest.mark.parametrize("groups", ["image", "video"])
@pytest.mark.parametrize("rows, cols", [(16, 32), (32, 16)])
def test_saturations_are_the_references(rows, cols, groups):
    """Masked scores, of padding and of other positions of a clip, count nowhere."""
    build = small_build(rows, cols)
    clip = {"tokens": 4 * build.wide, "even": Group(keys=2 * build.wide), "odd": Group(frames=2)}
    task = saturated(make_task(replace(WIDE, **clip) if groups == "video" else WIDE))
    outcome = cosimulate("verilator", build, task, SKIPPING)
    outcome.assert_exact()
    for counter, place in SATURATED.items():
        words, values = outcome.counters[counter], outcome.saturated[place]
        assert words <= values <= words * rows
        assert words > 0 or counter == "norm_saturations"
