"""Who errs least at a number of evaluations, and who needs fewest for an error: read off curves of points.

A curve is a policy on one sampler, its settings the parameter; of dense runs one solver, its steps the parameter. A
point that errs no less than a cheaper one of its curve is no part of it: nobody would choose it. Between two
neighbouring points a curve is a line of the logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import groupby, pairwise, product

from radit.reports.frontier.candidates import DENSE
from radit.reports.frontier.schema import Budget, FrontierPoint, Gain, Statistic

STATISTICS: tuple[Statistic, ...] = ("mean", "median")
Curve = list[tuple[float, float]]  # evaluations and error, both positive, evaluations ascending


def curves(points: Iterable[FrontierPoint], statistic: Statistic) -> dict[str, dict[str, Curve]]:
    """Curves of the int8 points by policy and by what they are on top of."""

    def place(point: FrontierPoint) -> tuple[str, str]:
        sampler = f"{point.solver}, {point.spacing}"
        return point.policy, sampler if point.policy == DENSE else f"{point.steps} of {sampler}"

    kept = sorted((point for point in points if point.arithmetic == "int8"), key=place)
    found: dict[str, dict[str, Curve]] = {}
    for (policy, sampler), group in groupby(kept, key=place):
        curve = sorted((point.evaluations, max(point.error_by(statistic), 1e-12)) for point in group)
        found.setdefault(policy, {})[sampler] = _worth_it(curve)
    return found


def _worth_it(curve: Curve) -> Curve:
    """The points that err less than every cheaper one."""
    kept: Curve = []
    for evaluations, error in curve:
        if not kept or error < kept[-1][1]:
            kept.append((evaluations, error))
    return kept


def error_at(curve: Curve, evaluations: float) -> float | None:
    """The least error of a curve at so many evaluations, or fewer; None: it has none so cheap."""
    reached = [error for cost, error in curve if cost <= evaluations]
    if not reached:
        return None
    crossed = [
        _between(left, right, evaluations) for left, right in pairwise(curve) if left[0] < evaluations < right[0]
    ]
    return min(reached + crossed)


def evaluations_for(curve: Curve, error: float) -> float | None:
    """The fewest evaluations at which a curve errs no more than that; None: it never does."""
    met = [cost for cost, found in curve if found <= error]
    if not met:
        return None
    crossed = []
    for (cost, high), (dearer, low) in pairwise(curve):
        if min(high, low) < error < max(high, low):
            crossed.append(_between((high, cost), (low, dearer), error))
    return min(met + crossed)


def _between(left: tuple[float, float], right: tuple[float, float], x: float) -> float:
    """y at x on the line of the logarithms through two points (x, y)."""
    share = math.log(x / left[0]) / math.log(right[0] / left[0])
    return math.exp(math.log(left[1]) + share * math.log(right[1] / left[1]))


def budgets(points: list[FrontierPoint], evaluations: Iterable[float]) -> list[Budget]:
    """The least errors at each number of evaluations that some dense run fits in, by mean and by median."""
    found = []
    for statistic, budget in product(STATISTICS, evaluations):
        least = _least(curves(points, statistic), error_at, budget)
        if DENSE not in least:
            continue
        sampler, dense = least.pop(DENSE)
        others = {policy: error for policy, (_, error) in least.items()}
        everyone = {DENSE: dense} | others
        found.append(
            Budget(
                evaluations=budget,
                statistic=statistic,
                dense_sampler=sampler,
                dense=dense,
                by_policy=others,
                winner=min(everyone, key=lambda policy: everyone[policy]),
            )
        )
    return found


def gains(points: list[FrontierPoint], evaluations: Iterable[float]) -> list[Gain]:
    """How many evaluations each policy takes for the error of the best dense solver with so many."""
    found = []
    for statistic, count in product(STATISTICS, evaluations):
        all_curves = curves(points, statistic)
        dense = _least(all_curves, error_at, count).get(DENSE)
        if dense is not None:
            least = _least(all_curves, evaluations_for, dense[1])
            needed = {policy: cost for policy, (_, cost) in least.items()}
            found.append(Gain(evaluations=count, statistic=statistic, error=dense[1], by_policy=needed))
    return found


def _least(
    all_curves: dict[str, dict[str, Curve]], value: Callable[[Curve, float], float | None], at: float
) -> dict[str, tuple[str, float]]:
    """The sampler of the least value, and that value, of every policy that has one."""
    found: dict[str, tuple[str, float]] = {}
    for policy, by_sampler in all_curves.items():
        known = [(each, name) for name, curve in by_sampler.items() if (each := value(curve, at)) is not None]
        if known:
            least, name = min(known)
            found[policy] = name, least
    return found
