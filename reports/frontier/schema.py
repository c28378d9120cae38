"""``frontier.json``: points of quality against cost, and who wins at which cost.

Images and decisions are *measured* on the bit-exact integer model; cycles, traffic and energy are *modelled*.
"""

from __future__ import annotations

import math
from itertools import groupby, pairwise
from typing import Literal

from radit.reports.common.schema_parts import Amount, Count, Number, Part, Positive, Share

BUDGETS = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
OURS, FEWER = "forecast", "fewer-steps"


class FrontierPoint(Part):
    """A policy with its settings. Reductions: the dense run of the largest number of steps over this one.

    Fields:
        settings: FIELD=VALUE with colons between.
        base_steps: timesteps of the dense run whose branches it reuses.
        fd: Frechet distance to the real digits.
        accuracy: share of images that a classifier takes for their label.
        mse, psnr, ssim: paired with the dense image of the same noise; psnr in dB, None for equal images.
        worst5_mse: mean over the worst 5 % of the images.
        saturations: values that a 16-bit format clamped.
    """

    policy: str
    settings: str
    base_steps: Count
    cycle_reduction: Positive
    mac_reduction: Positive
    energy_reduction: Positive
    external_bytes_reduction: Positive
    fd: Number
    accuracy: Share
    mse: Amount
    psnr: Number | None
    ssim: Number
    worst5_mse: Amount
    saturations: Count
    cycles_are: Literal["modelled", "measured"] = "modelled"


class Winner(Part):
    """Who makes the least error at a cycle reduction of ``budget`` or more.

    Fields:
        mse: of the winner, interpolated between its neighbouring points.
        forecast_mse: of our policy; None where it does not reach the budget.
        fewer_steps_over_forecast: the error of as many fewer steps over ours.
    """

    budget: Amount
    policy: str
    mse: Amount
    forecast_mse: Amount | None
    fewer_steps_over_forecast: Amount | None


class Frontier(Part):
    """The whole of frontier.json.

    Fields:
        reference_steps: of the dense run that everything is compared with.
        fd_noise: spread of the distance over seeds: smaller differences say nothing; None: not known of this model.
        mse_30_of_50: error of the dense run of 30 timesteps; None where it is not among the points.
        rules: how costs are counted.
    """

    model: str
    samples: Count
    cfg: Amount
    seed: Count
    reference_steps: Count
    fd_noise: Amount | None
    mse_30_of_50: Amount | None
    rules: list[str]
    points: list[FrontierPoint]
    winners: list[Winner]


def winners(points: list[FrontierPoint], budgets: tuple[float, ...] = BUDGETS) -> list[Winner]:
    """The winner at each budget that any policy reaches."""
    found = []
    for budget in budgets:
        errors = errors_at(points, budget)
        if not errors:
            continue
        best = min(errors, key=lambda policy: errors[policy])
        ours, fewer = errors.get(OURS), errors.get(FEWER)
        ratio = fewer / ours if fewer is not None and ours else None
        found.append(
            Winner(
                budget=budget,
                policy=best,
                mse=errors[best],
                forecast_mse=ours,
                fewer_steps_over_forecast=ratio,
            )
        )
    return found


def errors_at(points: list[FrontierPoint], budget: float) -> dict[str, float]:
    """The least error of each policy that reaches a cycle reduction, over all of its base steps."""

    def curve(point: FrontierPoint) -> tuple[str, int]:
        return point.policy, point.base_steps

    errors: dict[str, float] = {}
    for (policy, _), group in groupby(sorted(points, key=curve), key=curve):
        error = _error_at(list(group), budget)
        if error is not None:
            errors[policy] = min(error, errors.get(policy, math.inf))
    return errors


def _error_at(points: list[FrontierPoint], budget: float) -> float | None:
    """The least error on one curve: of points that reach the budget, or on the line between two around it."""
    ordered = sorted((point.cycle_reduction, point.mse) for point in points)
    reached = [mse for reduction, mse in ordered if reduction >= budget]
    for (left, low), (right, high) in pairwise(ordered):
        if left < budget <= right:
            reached.append(low + (high - low) * (budget - left) / (right - left))
    return min(reached) if reached else None
