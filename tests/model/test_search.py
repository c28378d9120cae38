"""The search on a made-up machine: targets are met, shapes that err less are found, chance is not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from radit.model.errors import UserError
from radit.model.policy.skip_policy import Policy, forecast
from radit.model.tuning.search import KNOTS, Point, Target, gain, hit, parse_target, search

IMAGES = 40
NOISE = torch.randn(IMAGES, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def point_of(policy: Policy, reduction: float, errors: torch.Tensor) -> Point:
    computed = torch.full((IMAGES,), 1 / reduction, dtype=torch.float64)
    return Point(policy, computed, errors)


class Machine:
    """Saves more the larger the knots are; errs least where they are `ideal`, reach is 1 and the streak is 4."""

    def __init__(self, ideal: float = 0.5) -> None:
        self.ideal, self.runs = ideal, 0

    def evaluate(self, policy: Policy, share: float = 1.0) -> Point:
        self.runs += 1
        knots = torch.tensor(policy.schedule, dtype=torch.float64)
        saved = 1.0 + 20.0 * policy.threshold * float(knots.mean())
        odd = float((knots / knots.mean() - knots.flip(0) / knots.mean()).square().sum()) + math.log(policy.reach) ** 2
        odd += 0.1 * (policy.max_streak - 4) ** 2 + 0.3 * (policy.first_dense != 1)
        errors = 1e-4 * saved**2 * math.exp(self.ideal * odd) * (0.3 * NOISE).exp()
        return point_of(policy, min(saved, 12.0), errors).first(round(share * IMAGES))


@pytest.mark.parametrize("speedup", [1.5, 3.0, 5.0])
def test_a_speedup_is_reached_and_hardly_exceeded(speedup: float):
    found = hit(Machine().evaluate, replace(forecast(), schedule=(1.0,)), Target("speedup", speedup))
    assert speedup <= found.mac_reduction <= 1.02 * speedup


@pytest.mark.parametrize("error", [2e-4, 1e-3, 3e-3])
def test_an_error_is_kept_and_nearly_used_up(error: float):
    found = hit(Machine(0.0).evaluate, replace(forecast(), schedule=(1.0,)), Target("error", error))
    assert 0.96 * error <= found.mse <= error


def test_a_sample_that_tips_over_on_the_way_does_not_end_the_search_for_an_error():
    """The error is kept at the largest threshold, though not at all of those below it."""

    def evaluate(policy: Policy, share: float = 1.0) -> Point:
        tipped = 0.1 < policy.threshold < 0.4
        return point_of(policy, 1.0 + policy.threshold, torch.full((IMAGES,), 2e-3 if tipped else 1e-4))

    assert hit(evaluate, forecast(), Target("error", 1e-3)).policy.threshold == 1.0


def test_larger_targets_take_larger_thresholds():
    policy = replace(forecast(), schedule=(1.0,))
    for kind, values in (("speedup", (1.5, 2.0, 4.0)), ("error", (2e-4, 5e-4, 2e-3))):
        thresholds = [hit(Machine().evaluate, policy, Target(kind, value)).policy.threshold for value in values]
        assert thresholds == sorted(set(thresholds))


@pytest.mark.parametrize("target", [Target("speedup", 4.0), Target("error", 2e-3)])
def test_the_shape_is_improved_at_the_target(target: Target):
    machine = Machine()
    start = hit(machine.evaluate, replace(forecast(), schedule=(1.0, 0.2)), target)
    found = search(machine.evaluate, start.policy, target)
    assert len(found.policy.schedule) == KNOTS and found.policy.first_dense == 1 and found.policy.max_streak < 8
    if target.kind == "speedup":
        assert found.mac_reduction >= 4.0 and found.mse < 0.8 * start.mse
    else:
        assert found.mse <= 2e-3 and found.mac_reduction > 1.05 * start.mac_reduction
    assert machine.runs < 120


def test_shapes_that_cannot_get_there_are_not_taken():
    """Shorter streaks err far less here, and those of 2 save up to 3 times the MACs: a speedup of 3 ends there."""

    def evaluate(policy: Policy, share: float = 1.0) -> Point:
        saved = min(1.0 + 20.0 * policy.threshold, 1.0 + policy.max_streak)
        errors = 1e-4 * saved * math.exp(policy.max_streak) * (0.3 * NOISE).exp()
        return point_of(policy, saved, errors).first(math.ceil(share * IMAGES))

    found = search(evaluate, forecast(max_streak=3), Target("speedup", 3.0))
    assert found.policy.max_streak == 2 and found.mac_reduction >= 3.0


def test_the_search_is_deterministic():
    found = [search(Machine().evaluate, forecast(), Target("speedup", 3.0)) for _ in range(2)]
    assert found[0].policy == found[1].policy


def test_a_target_beyond_the_machine_is_refused():
    with pytest.raises(UserError, match="'speedup=13': this model reaches 12.00 at most; ask for less"):
        search(Machine().evaluate, forecast(), Target("speedup", 13.0))


def test_an_error_below_the_smallest_threshold_is_refused():
    with pytest.raises(UserError, match="'error=1e-06': at threshold 0.0001, the smallest tried, .* errs by 0.0001"):
        search(Machine(0.0).evaluate, forecast(max_streak=4, reach=1.0), Target("error", 1e-6))


def test_an_error_under_which_nothing_is_skipped_is_refused():
    with pytest.raises(UserError, match="'error=1e-06': this model skips nothing under it; ask for more"):
        search(lambda policy, share=1.0: point_of(policy, 1.0, torch.zeros(IMAGES)), forecast(), Target("error", 1e-6))


@pytest.mark.parametrize("target", [Target("speedup", 3.0), Target("error", 1e-9)])
def test_images_without_an_error_are_found(target: Target):
    """Every logarithm of it has a value."""

    def evaluate(policy: Policy, share: float = 1.0) -> Point:
        return point_of(policy, 1.0 + 10 * policy.threshold, torch.zeros(IMAGES)).first(math.ceil(share * IMAGES))

    found = search(evaluate, forecast(), target, sweeps=(1.5,))
    assert found.mse == 0.0 and found.mac_reduction >= 3.0


def test_gain_is_measured_against_moving_along_the_curve():
    machine = Machine(0.0)
    less, more = (machine.evaluate(replace(forecast(), schedule=(1.0,), threshold=t)) for t in (0.1, 0.2))
    mean, error = gain(more, less, tilt=2.0)
    assert mean == pytest.approx(0.0, abs=1e-12) and error == pytest.approx(0.0, abs=1e-12)
    assert gain(more, less, tilt=1.0)[0] < 0.0 < gain(more, less, tilt=3.0)[0]


def test_chance_is_not_taken_for_a_gain():
    """Changes of nothing, with errors drawn anew each time, are taken rarely; a real one is."""
    generator = torch.Generator().manual_seed(5)

    def evaluate(policy: Policy, share: float = 1.0) -> Point:
        drawn = torch.randn(IMAGES, generator=generator, dtype=torch.float64)
        reach = 0.2 if policy.reach < forecast().reach else 1.0
        errors = reach * 1e-4 * (0.3 * drawn).exp()
        return point_of(policy, 1.0 + 10 * policy.threshold, errors).first(round(share * IMAGES))

    found = search(evaluate, forecast(), Target("speedup", 3.0), sweeps=(1.5,)).policy
    unchanged = search(Machine(0.0).evaluate, forecast(), Target("speedup", 3.0), sweeps=()).policy
    assert found.reach < forecast().reach
    changed = sum(a != b for a, b in zip(found.schedule, unchanged.schedule, strict=True))
    assert changed <= KNOTS // 2


@pytest.mark.parametrize("text, kind, value", [("speedup=3", "speedup", 3.0), ("error=2.5e-4", "error", 2.5e-4)])
def test_targets_are_read(text: str, kind: str, value: float):
    assert parse_target(text) == Target(kind, value)


BAD_TARGETS = ["", "speedup", "speedup=", "speedup=1", "speedup=inf", "error=0", "error=nan", "mse=1", "speedup=1001"]
BAD_TARGETS += [
    "speedup=+2",
    "speedup=0x2",
    "speedup=2=2",
    "error=-1",
    "error=1e-400",
    "error=" + "9" * 5000,
    "error=1\n",
]


@pytest.mark.parametrize("text", BAD_TARGETS)
def test_bad_targets_are_one_sentence(text: str):
    with pytest.raises(UserError, match="^--target is '[^\n]*: give speedup=FACTOR, .* such as error=2.5e-4.$"):
        parse_target(text)
