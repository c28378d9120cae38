"""Search of a skipping policy: what it reaches of a target, and a shape of it that errs less at the same MACs.

**Target.** A MAC reduction, or a paired error (mse to the dense images of the same noise). `hit` scales the threshold
by bisection until it is just met: the MAC reduction grows with the threshold, and so does the error. That is true of
means over many images only; whether the largest threshold keeps an error is therefore asked first.

**Shape.** `search` goes over the coordinates one by one: longest streak, dense timesteps at the start, reach, and the
knots of the threshold's table over the timesteps. A change is judged by

    gain = 2 log(r / r') + tilt * log(m' / m)

with r the root of an image's error, mean over the images, and m the MAC reduction, before and after it: what it gains
beyond moving along the curve of error over MAC reduction, whose slope `tilt` is measured. Roots, because the few images
that tip over would decide otherwise. A change is taken if it gains more than `CONFIDENCE` standard errors; it is
dropped after a `PROBE` of the images if it gains nothing there, a standard error granted, or if no threshold reaches
the speedup any more, which a `GLANCE` at the largest one tells. Nothing here is random.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from radit.model.errors import UserError, shown
from radit.model.formats import STREAK_BITS
from radit.model.policy.policy_integers import schedule_curve
from radit.model.policy.skip_policy import Policy
from radit.model.ranges import RANGES, Range

KNOTS = 9
SWEEPS = (1.5, 1.25)  # factors by which knots and reach are changed, one after the other
LONGEST = (1 << STREAK_BITS) - 1  # run of reuses
STREAKS = (1, 2, -1, -2)
CONFIDENCE = 0.5
PROBE, GLANCE = 0.5, 0.05  # shares of the images
GROWTH = 1.2  # of the threshold, first step towards the target
CLOSE = 1.01  # ratio of thresholds at which the bisection ends
SMALLEST = 1e-4  # threshold
TILTS = (0.5, 4.0)
NO_ERROR = 1e-9  # stands for 0 in logarithms
MOST_ERROR = 1e6  # pixels from -1 to 1 differ by 4 at most, latents by more
TARGETS = {"speedup": RANGES["reduction"], "error": Range(0, MOST_ERROR, whole=False, above=True)}


@dataclass(frozen=True, eq=False)
class Point:
    """What a policy came to on N calibration images.

    Fields:
        computed: (N,) float64, MACs over those of the dense run, 0 .. 1.
        errors: (N,) float64, mean squared difference to the dense images, pixel units squared.
    """

    policy: Policy
    computed: Tensor
    errors: Tensor

    @property
    def mac_reduction(self) -> float:
        """MACs of the dense run over the policy's, unitless."""
        return 1.0 / float(self.computed.mean())

    @property
    def mse(self) -> float:
        """Mean over the images."""
        return float(self.errors.mean())

    @property
    def root(self) -> float:
        """Mean over the images of the error's root, pixel units."""
        return max(float(self.errors.sqrt().mean()), NO_ERROR)

    def first(self, images: int) -> Point:
        """Return what it came to on the first images."""
        return Point(self.policy, self.computed[:images], self.errors[:images])

    def joined(self, more: Point) -> Point:
        """Return what it came to on these images and on `more`."""
        return Point(self.policy, torch.cat([self.computed, more.computed]), torch.cat([self.errors, more.errors]))


Evaluate = Callable[..., Point]  # (policy, share of the images = 1.0)


@dataclass(frozen=True)
class Target:
    """What to reach: kind "speedup", at least a MAC reduction, or "error", at most a paired mse."""

    kind: str
    value: float

    def beyond(self, point: Point) -> bool:
        """Whether a point's threshold is as large as the target asks for, or larger."""
        return point.mac_reduction >= self.value if self.kind == "speedup" else point.mse > self.value

    def check(self, point: Point) -> None:
        """Refuse a point that misses the target.

        Raises:
            UserError: it saves less, or errs more, or saves nothing.
        """
        if self.kind == "speedup" and not self.beyond(point):
            raise UserError(
                f"--target is 'speedup={self.value:g}': this model reaches {point.mac_reduction:.2f} at most; ask for "
                "less, or take more --steps."
            )
        if self.kind == "error" and self.beyond(point):
            raise UserError(
                f"--target is 'error={self.value:g}': at threshold {point.policy.threshold:g}, the smallest tried, "
                f"this model errs by {point.mse:.3g}; ask for more, or run policy dense."
            )
        if self.kind == "error" and point.mac_reduction <= 1.0:
            raise UserError(
                f"--target is 'error={self.value:g}': this model skips nothing under it; ask for more, or run policy "
                "dense."
            )


def parse_target(text: str) -> Target:
    """Return the target of "speedup=3" or "error=2.5e-4".

    Raises:
        UserError: it is neither, or out of range.
    """
    kind, _, number = text.partition("=")
    try:
        return Target(kind, TARGETS[kind].read(number))
    except (KeyError, ValueError):
        raise UserError(
            f"--target is {shown(text)}: give speedup=FACTOR, the dense run's MACs over the skipping one's "
            f"({TARGETS['speedup'].wanted}), or error=MSE to the dense images ({TARGETS['error'].wanted}), such as "
            "error=2.5e-4."
        ) from None


def search(evaluate: Evaluate, start: Policy, target: Target, sweeps: tuple[float, ...] = SWEEPS) -> Point:
    """Return the best point found from `start` that meets the target.

    Raises:
        UserError: the target is out of reach.
    """
    point = hit(evaluate, _with_knots(start), target)
    while point.policy.threshold == 1.0 and not target.beyond(point) and point.policy.max_streak < LONGEST:
        longer = replace(point.policy, first_dense=1, max_streak=min(2 * point.policy.max_streak, LONGEST))
        point = hit(evaluate, longer, target)
    if target.kind == "speedup":
        target.check(point)  # no other shape saves more
    for factor in sweeps:
        point = hit(evaluate, _sweep(evaluate, point, target, factor).policy, target)
    target.check(point)
    return point


def hit(evaluate: Evaluate, policy: Policy, target: Target) -> Point:
    """Return the policy's point at the smallest threshold that reaches a speedup, or the largest that keeps an error.

    The point at the largest threshold, 1, where none reaches the speedup, and at the smallest, where none keeps the
    error.
    """
    if target.kind == "error" and not target.beyond(most := evaluate(replace(policy, threshold=1.0))):
        return most
    threshold, growth = max(policy.threshold, SMALLEST), GROWTH
    below: Point | None = None
    above: Point | None = None
    while below is None or above is None:
        point = evaluate(replace(policy, threshold=round(threshold, 5)))
        if target.beyond(point):
            above = point
        else:
            below = point
        if below is None and threshold <= SMALLEST or above is None and threshold >= 1.0:
            break
        if below is None or above is None:
            threshold = max(threshold / growth, SMALLEST) if below is None else min(threshold * growth, 1.0)
            growth *= GROWTH
    while below is not None and above is not None and above.policy.threshold > CLOSE * below.policy.threshold:
        middle = round(math.sqrt(below.policy.threshold * above.policy.threshold), 5)
        if middle in (below.policy.threshold, above.policy.threshold):
            break
        point = evaluate(replace(policy, threshold=middle))
        below, above = (below, point) if target.beyond(point) else (point, above)
    found = above or below if target.kind == "speedup" else below or above
    assert found is not None
    return found


def gain(new: Point, old: Point, tilt: float) -> tuple[float, float]:
    """Return what `new` gains over `old`, and its standard error over the images; see the module."""
    gained = 2 * math.log(old.root / new.root) + tilt * math.log(new.mac_reduction / old.mac_reduction)
    apart = old.errors.sqrt() / old.root - new.errors.sqrt() / new.root
    return gained, 2 * float(apart.std(unbiased=False)) / math.sqrt(len(apart))


def moves(policy: Policy, factor: float) -> Iterator[Callable[[Policy], list[Policy]]]:
    """Yield the coordinates: each gives the changes of a policy to try, the first that gains is taken."""
    yield lambda policy: [replace(policy, first_dense=3 - policy.first_dense)] if policy.first_dense in (1, 2) else []
    yield lambda policy: [
        replace(policy, max_streak=policy.max_streak + more)
        for more in STREAKS
        if 1 <= policy.max_streak + more <= LONGEST
    ]
    yield lambda policy: [replace(policy, reach=_rounded(min(policy.reach * by, 8.0))) for by in (1 / factor, factor)]
    for knot in reversed(range(len(policy.schedule))):
        yield lambda policy, knot=knot: [_scaled_knot(policy, knot, by) for by in (factor, 1 / factor)]  # type: ignore[misc]


def _sweep(evaluate: Evaluate, point: Point, target: Target, factor: float) -> Point:
    """The point after one change of every coordinate at most."""
    tilt = _tilt(evaluate, point)
    for coordinate in moves(point.policy, factor):
        for policy in coordinate(point.policy):
            if (better := _better(evaluate, policy, point, target, tilt)) is not None:
                point = better
                break
    return point


def _better(evaluate: Evaluate, policy: Policy, point: Point, target: Target, tilt: float) -> Point | None:
    """The policy's point if it gains over `point`, and still gets to the target."""
    probe = evaluate(policy, PROBE)
    gained, doubt = gain(probe, point.first(len(probe.errors)), tilt)
    if gained + doubt <= 0.0 or not _reaches(evaluate, policy, target):
        return None
    tried = evaluate(policy)
    gained, doubt = gain(tried, point, tilt)
    return tried if gained > CONFIDENCE * doubt else None


def _reaches(evaluate: Evaluate, policy: Policy, target: Target) -> bool:
    """Whether the policy's largest threshold saves as much as the target asks for."""
    return target.kind != "speedup" or target.beyond(evaluate(replace(policy, threshold=1.0), GLANCE))


def _tilt(evaluate: Evaluate, point: Point) -> float:
    """Slope of the logarithm of the error over that of the MAC reduction, when the threshold grows."""
    less, more = (evaluate(_scaled_threshold(point.policy, by)) for by in (1 / GROWTH, GROWTH))
    span = math.log(more.mac_reduction / less.mac_reduction)
    rise = 2 * math.log(more.root / less.root)
    return min(max(rise / span, TILTS[0]), TILTS[1]) if span > 0 else TILTS[0]


def _scaled_threshold(policy: Policy, factor: float) -> Policy:
    """The policy at another threshold."""
    return replace(policy, threshold=round(min(policy.threshold * factor, 1.0), 5))


def _with_knots(policy: Policy) -> Policy:
    """The same curve as a table of `KNOTS` knots."""
    knots = schedule_curve(policy.schedule, policy.start, policy.end, KNOTS).tolist()
    return replace(policy, schedule=tuple(map(_rounded, knots)), start=1.0, end=1.0)


def _scaled_knot(policy: Policy, knot: int, factor: float) -> Policy:
    """The policy with one knot changed."""
    assert isinstance(policy.schedule, tuple)
    knots = [_rounded(value * factor) if place == knot else value for place, value in enumerate(policy.schedule)]
    return replace(policy, schedule=tuple(knots))


def _rounded(value: float) -> float:
    """Three decimals."""
    return round(value, 3)
