"""Planted defects: the check finds each of them, says where, and counts what it compared."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from myhdl import block

from radit.accel.config import BuildConfig
from radit.accel.dims import SubBlockPlace
from radit.accel.interfaces.conditioning import HEADER_BEATS, HEADER_FIELDS
from radit.accel.residual_pass import front_half as pass_front
from radit.accel.units import dtsm
from radit.accel.units.reuse import reuse_unit
from radit.cosim.driver import Driver
from radit.cosim.engines import EngineError
from radit.cosim.scoreboard import STAGES, Place
from radit.model.policy.skip_policy import Policy
from tests.system.cosimulate import Outcome, Seen, Shape, cosimulate, make_task, small_build

pytestmark = pytest.mark.needs("verilator")

# Both contexts compute at timesteps 0 and 3 and reuse everything in between.
SHAPE = Shape(13, 16, 2, 24, motion=("jssj", "jssj"), seed=7)
POLICY = Policy("radit", threshold=0.5, max_streak=3, last_dense=1)
HIDDEN, CONTEXTS, ROWS = SHAPE.hidden, 2, 8


def run(**planted) -> Outcome:
    return cosimulate("verilator", small_build(ROWS, ROWS), make_task(SHAPE), POLICY, **planted)


def driven(timestep: int, change: Callable[[Driver], None]) -> Callable:
    """``change`` the memories before one timestep."""

    def once(driver: Driver, now: int) -> None:
        if now == timestep:
            change(driver)

    return once


def seen_at(timestep: int, sub_block: int, change: Callable[[Seen], None]) -> Callable:
    """``change`` what is seen of one sub-block."""

    def once(seen: Seen) -> None:
        if (seen.timestep, seen.sub_block) == (timestep, sub_block):
            change(seen)

    return once


def empty(seen: Seen) -> None:
    """The accelerator showed nothing."""
    seen.trace = replace(seen.trace, **{name: part[:0] for name, part in vars(seen.trace).items()})


def test_without_a_defect_nothing_is_found():
    outcome = run()
    outcome.assert_exact()
    assert outcome.computed.all((1, 2)).tolist() == [True, False, False, True]
    assert outcome.computed.sum((1, 2)).tolist() == [8, 0, 0, 8]


def test_two_swapped_words_of_the_cache():
    def swap(driver: Driver) -> None:
        first, second = 0, int(np.flatnonzero((driver.cache != driver.cache[0]).any(1))[0])
        driver.cache[[first, second]] = driver.cache[[second, first]]

    outcome = run(spoil=driven(1, swap))
    assert outcome.check.words_mismatched > 0
    assert outcome.problems[0].startswith("image 0, timestep 1, block 0 (MLP), stage x, word 0, ")


def test_swapped_contexts():
    def swap(driver: Driver) -> None:
        vectors = driver.conditioning.reshape(4, -1, HEADER_BEATS + CONTEXTS * HIDDEN, 4)[:, :, HEADER_BEATS:]
        contexts = vectors.reshape(4, -1, CONTEXTS, HIDDEN, 4)
        vectors[:] = contexts[:, :, ::-1].reshape(vectors.shape).copy()

    outcome = run(spoil=driven(0, swap))
    assert outcome.problems[0].startswith("image 0, timestep 0, block 0 (attention), stage a, word 0, ")


def test_thresholds_of_the_timestep_before():
    on, off = replace(POLICY, schedule=(0.0, 1.0, 0.0, 1.0)), replace(POLICY, schedule=(1.0, 0.0, 1.0, 0.0))
    outcome = cosimulate("verilator", small_build(8, 8), make_task(SHAPE), on, reference_policy=off)
    assert outcome.check.decisions_mismatched > 0
    assert outcome.problems[0] == (
        "image 0, timestep 1, block 0 (attention), stage computed, context 0: expected 1, found 0."
    )


# All compute at timesteps 0 and 2; before the last, timesteps 3 and 4 are forecasts of slope 1/2 and 1.
MOVING = replace(SHAPE, motion=("jsjssj", "jsjssj"))
FORECASTS = replace(POLICY, gain=1.0)


def run_forecasts(engine: str = "verilator", **planted) -> Outcome:
    return cosimulate(engine, small_build(ROWS, ROWS), make_task(MOVING), FORECASTS, **planted)


def slots(driver: Driver) -> np.ndarray:
    """The cache by slot, sub-block, context and word."""
    return driver.cache.reshape(2, 4, CONTEXTS, -1, ROWS)


def test_without_a_defect_forecasts_are_right():
    outcome = run_forecasts()
    outcome.assert_exact()
    assert outcome.computed.all((1, 2)).tolist() == [True, False, True, False, False, True]
    assert outcome.counters["cache_reads"] > outcome.counters["slope_reads"] > 0


def test_the_other_slot():
    def swap(driver: Driver) -> None:
        driver.engine.write_register("cache_base", len(driver.cache) // 2)
        driver.engine.write_register("cache_base_other", 0)

    outcome = run_forecasts(spoil=driven(3, swap))
    assert outcome.problems[0].startswith("image 0, timestep 3, block 0 (MLP), stage x, word 0, ")


def test_one_slot_for_both():
    def join(driver: Driver) -> None:
        driver.engine.write_register("cache_base_other", 0)

    outcome = run_forecasts(spoil=driven(0, join))
    assert outcome.problems[0].startswith("image 0, timestep 3, block 0 (MLP), stage x, word 0, ")


def test_a_stale_previous_branch():
    """As if timestep 2 had overwritten the older branch of one sub-block with the newer one."""

    def spoil(driver: Driver) -> None:
        cache = slots(driver)
        cache[0, 1, 0] = cache[1, 1, 0]

    outcome = run_forecasts(spoil=driven(3, spoil))
    assert outcome.problems[0].startswith("image 0, timestep 3, block 1 (attention), stage x, word 0, ")


def test_previous_branches_of_the_other_context():
    def swap(driver: Driver) -> None:
        older = slots(driver)[0]
        older[:] = older[:, ::-1].copy()

    outcome = run_forecasts(spoil=driven(4, swap))
    assert outcome.problems[0].startswith("image 0, timestep 4, block 0 (MLP), stage x, word 0, ")


@pytest.mark.parametrize("gain, found", [(0.0, 0), (0.5, 64)])
def test_another_gain(gain, found):
    outcome = run_forecasts(spoil=driven(3, regain(gain)))
    assert outcome.check.decisions_mismatched > 0
    assert outcome.problems[0] == (
        f"image 0, timestep 3, block 0 (attention), stage slope, context 0: expected 128, found {found}."
    )


def test_a_sub_block_that_does_not_follow():
    """The second sub-block decides for itself: its own input changed, the first one's did not pass the threshold."""

    def leave(driver: Driver) -> None:
        beat, field, *_ = HEADER_FIELDS["follow"]
        headers = driver.conditioning.reshape(6, -1, HEADER_BEATS + CONTEXTS * HIDDEN, 4)
        assert headers[:, 1:-1, beat, field].all() and not headers[:, 0, beat, field].any()
        headers[:, :, beat, field] = 0
        beat, field, *_ = HEADER_FIELDS["threshold"]
        headers[:, 1:, beat, field] = 0

    policy = replace(FORECASTS, scope="timestep")
    task, build = make_task(MOVING), small_build(ROWS, ROWS)
    cosimulate("verilator", build, task, policy).assert_exact()
    outcome = cosimulate("verilator", build, task, policy, spoil=driven(1, leave))
    assert outcome.check.decisions_mismatched > 0
    assert (
        outcome.problems[0] == "image 0, timestep 1, block 0 (MLP), stage a, word 0, lane 0: expected None, found -22."
    )


def run_whole(**planted) -> Outcome:
    """Timesteps 1, 3 and 4 are reused as a whole, the last two with a slope."""
    policy = replace(FORECASTS, scope="stream")
    return cosimulate("verilator", small_build(ROWS, ROWS), make_task(MOVING), policy, **planted)


def streams(driver: Driver) -> np.ndarray:
    """The cache by slot, context, word and half."""
    return driver.cache.reshape(2, CONTEXTS, -1, 2, ROWS)


AT_THE_END = "block 2 (output), stage x, word 0, "  # behind the two blocks


def test_without_a_defect_whole_timesteps_are_right():
    outcome = run_whole()
    outcome.assert_exact()
    assert outcome.computed.all((1, 2)).tolist() == [True, False, True, False, False, True]
    assert outcome.check.decisions_compared == outcome.computed[:, 0].size


@pytest.mark.parametrize(
    "timestep, spoil",
    [
        (1, lambda found: found[0, 0] + 1),  # damaged
        (3, lambda found: found[::-1]),  # the older slot for the latest
        (3, lambda found: np.stack([found[1], found[1]])),  # the older one is stale
        (4, lambda found: found[:, ::-1]),  # of the other context
        (3, lambda found: found[:, :, :, ::-1]),  # the halves of a word
        (4, lambda found: np.roll(found, 1, axis=2)),  # of the word before
    ],
    ids=["damaged", "slots", "stale", "contexts", "halves", "words"],
)
def test_a_stream_that_is_not_the_one_computed(timestep, spoil):
    def plant(driver: Driver) -> None:
        found = streams(driver)
        found[:] = spoil(found.copy())

    outcome = run_whole(spoil=driven(timestep, plant))
    assert outcome.problems[0].startswith(f"image 0, timestep {timestep}, {AT_THE_END}")


def test_a_timestep_that_is_not_reused_as_a_whole():
    """The register is cleared: the sub-blocks after the first are decided, and take branches that nobody cached."""

    def clear(driver: Driver) -> None:
        driver.engine.write_register("stream_scope", 0)

    with pytest.raises((EngineError, AssertionError)):
        run_whole(spoil=driven(3, clear)).assert_exact()


def test_a_forecast_that_reaches_too_far():
    near = replace(FORECASTS, reach=0.5)
    outcome = cosimulate("verilator", small_build(ROWS, ROWS), make_task(MOVING), FORECASTS, reference_policy=near)
    assert outcome.check.decisions_mismatched > 0 and "stage slope" in outcome.problems[0]


def regain(gain: float) -> Callable[[Driver], None]:
    """Another gain in every header."""
    beat, field, *_ = HEADER_FIELDS["slope_gain"]

    def change(driver: Driver) -> None:
        headers = driver.conditioning.reshape(6, -1, HEADER_BEATS + CONTEXTS * HIDDEN, 4)
        headers[:, :, beat, field] = round(128 * gain)

    return change


# Defects in the hardware itself, on one block of a smaller model.
SMALLEST = Shape(5, 8, 2, 8, depth=1, motion=("jjs", "jjs"), seed=2)


def broken(monkeypatch, module, name: str, value) -> Outcome:
    """Simulated with something else in the place of a module's constant or unit."""
    monkeypatch.setattr(module, name, value)
    build = BuildConfig(4, 4, max_hidden=8, max_mlp=8, max_tokens=8, max_sub_blocks=2)
    return cosimulate("myhdl", build, make_task(SMALLEST), replace(FORECASTS, last_dense=0))


def test_the_hardware_without_a_defect_is_right(monkeypatch):
    outcome = broken(monkeypatch, dtsm, "GAP_INVERSE", dtsm.GAP_INVERSE)
    outcome.assert_exact()
    assert outcome.counters["slope_reads"] > 0


def test_a_wrong_gap(monkeypatch):
    outcome = broken(monkeypatch, dtsm, "GAP_INVERSE", (0, 0, *dtsm.GAP_INVERSE[1:-1]))
    assert outcome.problems[0] == (
        "image 0, timestep 2, block 0 (attention), stage slope, context 0: expected 256, found 0."
    )


def test_an_inverted_slope(monkeypatch):
    @block
    def backwards(clk, src_valid, latest, previous, slope, is_stream, dst_valid, stream, branch, lanes):
        return reuse_unit(clk, src_valid, previous, latest, slope, is_stream, dst_valid, stream, branch, lanes)

    outcome = broken(monkeypatch, pass_front, "reuse_unit", backwards)
    assert outcome.problems[0].startswith("image 0, timestep 2, block 0 (MLP), stage x, word 0, ")


def test_a_forecast_too_early(monkeypatch):
    """x meets the forecast, the gate and the branch of the word after its own."""
    outcome = broken(monkeypatch, pass_front, "FIRE_TO_READ", pass_front.FIRE_TO_READ + 1)
    assert "timestep 0, block 0 (MLP), stage x, word 0, " in outcome.problems[0]


def test_factors_too_late(monkeypatch):
    """Gate and branch are those of the word before."""
    outcome = broken(monkeypatch, pass_front, "FIRE_TO_FACTORS", pass_front.FIRE_TO_FACTORS + 1)
    assert "block 0 (MLP), stage x, word 0, " in outcome.problems[0]


def test_an_inverted_decision():
    def invert(seen: Seen) -> None:
        seen.capture.computed[0, 1] ^= True

    outcome = run(bend=seen_at(1, 2, invert))
    assert (outcome.check.words_mismatched, outcome.check.decisions_mismatched) == (0, 1)
    assert outcome.problems == [
        "image 0, timestep 1, block 1 (attention), stage computed, context 1: expected 1, found 0."
    ]


def test_a_changed_metric():
    def miscount(seen: Seen) -> None:
        seen.capture.counts[0, 0] += 1

    outcome = run(bend=seen_at(3, 3, miscount))
    assert outcome.check.decisions_mismatched == 1
    assert "timestep 3, block 1 (MLP), stage changed codes, context 0: expected " in outcome.problems[0]


def test_a_corrupted_weight():
    def corrupt(driver: Driver) -> None:
        driver.weights[0, 0] ^= 0x40

    outcome = run(spoil=driven(0, corrupt))
    assert outcome.check.words_mismatched > 0
    assert outcome.problems[0].startswith("image 0, timestep 0, block 0 (attention), stage q, word 0, ")


@pytest.mark.parametrize("stage", STAGES)
def test_one_wrong_word_of_any_stage(stage):
    sub_block = 3 if stage == "h" else 2
    values = []

    def flip(seen: Seen) -> None:
        words = seen.words[stage].data
        words[0, 0] ^= 1
        values.append(int(words[0, 0]))

    outcome = run(bend=seen_at(3, sub_block, flip))
    assert (outcome.check.words_mismatched, outcome.check.decisions_mismatched) == (1, 0)
    kind = "MLP" if sub_block % 2 else "attention"
    assert outcome.problems == [
        f"image 0, timestep 3, block 1 ({kind}), stage {stage}, word 0, lane 0: "
        f"expected {values[0]}, found {values[0] ^ 1}."
    ]


def test_an_empty_trace_is_no_success():
    whole = run()
    outcome = run(bend=empty)
    assert not outcome.check.clean
    assert (outcome.check.words_compared, outcome.check.decisions_compared) == (0, 0)
    assert outcome.check.words_mismatched == whole.check.words_compared
    assert outcome.check.decisions_mismatched == whole.check.decisions_compared
    assert "stage x, word 0, lane 0: expected " in outcome.problems[0] and "found None." in outcome.problems[0]


def test_missing_words_are_found():
    def cut(seen: Seen) -> None:
        seen.trace = replace(seen.trace, prob_data=seen.trace.prob_data[:-1])

    outcome = run(bend=seen_at(0, 2, cut))
    assert outcome.check.words_mismatched == ROWS
    assert outcome.problems[0].endswith("found None.") and "block 1 (attention), stage prob" in outcome.problems[0]


@pytest.mark.parametrize("sub_block", [1, 4], ids=["a sub-block", "the output"])
def test_surplus_words_are_found(sub_block):
    def double(seen: Seen) -> None:
        seen.trace = replace(seen.trace, x_data=np.tile(seen.trace.x_data, (2, 1)))

    outcome = run(bend=seen_at(0, sub_block, double))
    words = CONTEXTS * 16 // ROWS * HIDDEN  # of x: 13 tokens padded to 16
    assert outcome.check.words_mismatched == ROWS * words
    assert f"block {sub_block // 2} " in outcome.problems[0]
    assert f"stage x, word {words}, lane 0: expected None, found " in outcome.problems[0]


def test_missing_decisions_are_found():
    def cut(seen: Seen) -> None:
        parts = {name: getattr(seen.trace, name)[:-1] for name in ("decide_index", "decide_count", "decide_reuse")}
        seen.trace = replace(seen.trace, **parts)

    outcome = run(bend=seen_at(2, 3, cut))
    assert outcome.check.decisions_mismatched == 1
    assert outcome.problems == [
        "image 0, timestep 2, block 1 (MLP), stage computed, context 1: expected 0, found None."
    ]


def test_the_explanation_says_how_to_see_it_again():
    place = Place(2, 17, 5, SubBlockPlace("mlp", 2), "h", 40, 3, -7, 9)
    assert place.explain("radit cosim --waves") == (
        "image 2, timestep 17, block 2 (MLP), stage h, word 40, lane 3: expected -7, found 9. "
        "Rerun with a waveform: radit cosim --waves"
    )
