"""Timesteps planned beforehand for each context, to which surprise only adds: see `model/detectors/planning.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import Bounds, Limits, Rule, Sight
from radit.model.baselines.smoothcache import ByIdentity
from radit.model.detectors.dense_streams import LONGEST, Grams, best_slope, forecast_error, grams_of
from radit.model.detectors.detector import ALWAYS, Cost, Slope
from radit.model.detectors.noise_effects import noise_effects
from radit.model.detectors.planning import Times, run_cost, schedules
from radit.model.detectors.surprises import Surprise, SurpriseRule
from radit.model.errors import UserError
from radit.model.formats import SLOPE_FRAC
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.policy.skip_policy import PLANNED_DEFAULTS
from radit.model.ranges import RANGES

Errors = Callable[[int, int, int], float]


@dataclass(frozen=True)
class Planned(Surprise):
    """Compute where a plan says, and where the input surprises by `threshold` or more; 1: nowhere else.

    With that threshold and slope time it is the hardware's policy of this name, bit for bit.

    Fields:
        share: of the MACs of a dense run, that the plan takes at most.
        labels: timesteps that it computes in the label's context; 0: as many as cost least.
        guidance: that the plan and fitted weights are for.
    """

    name: ClassVar[str] = "planned"
    limits: ClassVar[Limits] = {
        **Surprise.limits,
        "share": (0.0, 1.0),
        "labels": (0, RANGES["steps"].high),
    }
    threshold: float = 1.0
    last_dense: int = PLANNED_DEFAULTS["last_dense"]
    difference: bool = PLANNED_DEFAULTS["difference"]
    reach: float = PLANNED_DEFAULTS["reach"]
    share: float = PLANNED_DEFAULTS["share"]
    labels: int = 0

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return PlanAndSurprise(self, integer, images)

    @property
    def adds(self) -> bool:
        """Whether surprise adds evaluations."""
        return self.threshold < ALWAYS

    def cost(self, values: int) -> Cost:
        return super().cost(values) if self.adds else Cost(0.0, 0.0, 0.0)

    def watched(self, sub_blocks: Bounds) -> tuple[int, ...]:
        return (0,) if self.adds or self.slope in (Slope.CODES, Slope.L1) else ()


class PlanAndSurprise(SurpriseRule):
    """Whatever the plan computes is as far as can be."""

    def __init__(self, method: Planned, integer: IntegerDiT, images: int) -> None:
        super().__init__(method, integer, images)
        self.plan, self.adds = plan_of(ByIdentity(integer), method), method.adds

    def distance(self, sight: Sight) -> Tensor:
        wanted = self.plan[sight.index, : sight.act.shape[1]].expand(len(sight.act), -1)
        surprise = super().distance(sight).cpu() if self.adds else torch.zeros(wanted.shape, dtype=torch.float64)
        return torch.where(wanted, ALWAYS * self.method.null, surprise)

    def computed(self, sight: Sight, where: Tensor) -> None:
        if self.adds:
            super().computed(sight, where)


@lru_cache(maxsize=64)
def plan_of(key: ByIdentity, method: Planned) -> Tensor:
    """Return what is planned to be computed, (steps, 2) bool, contexts of the label and of the null class.

    Raises:
        UserError: no plan is so cheap, because forecasts reach only so far.
    """
    integer = key.integer
    effects, grams = noise_effects(integer, method.guidance), grams_of(integer, method.guidance)
    return best_plan(method, grams, effects)


def best_plan(method: Planned, grams: Grams, effects: Tensor) -> Tensor:
    """Return the plan (steps, 2) of least cost.

    The guided noise is g label - (g - 1) null = label - (g - 1) difference: so much do errors of each count.
    """
    steps, one, other = len(effects), method.guidance, abs(method.guidance - 1.0)
    first, second = (grams.label, grams.difference) if method.difference else (grams.label, grams.null)
    label = weighted_errors(method, first, effects * (1.0 if method.difference else one))
    null = weighted_errors(method, second, effects * other)
    contexts = int(2 * steps * method.share + 1e-9)  # computed ones, of all timesteps
    if method.shared:
        found = schedules(run_cost(lambda *at: label(*at) + null(*at)), steps, range(steps))
        pairs = [(cost, times, times) for count, (cost, times) in found.items() if 2 * count <= contexts]
    else:
        pairs = _pairs(method, label, null, steps, contexts)
    pairs = [pair for pair in pairs if method.labels in (0, len(pair[1]))]
    if not pairs:
        raise UserError(
            f"Policy planned has share {method.share} and labels {method.labels} of {steps} timesteps: give a larger "
            f"share, forecasts reach {LONGEST} timesteps at most, or leave labels out."
        )
    _, *times = min(pairs)
    plan = torch.zeros(steps, 2, dtype=torch.bool)
    for context, computed in enumerate(times):
        plan[list(computed), context] = True
    return plan


def _pairs(method: Planned, label: Errors, null: Errors, steps: int, contexts: int) -> list[tuple[float, Times, Times]]:
    """Cost and timesteps of both contexts, so many computed in all, for every number of the label's."""
    found, null_cost = [], run_cost(null)
    for count, (cost, times) in schedules(run_cost(label), steps, range(steps)).items():
        others = schedules(null_cost, steps, times if method.difference else range(steps))
        within = [(cost + extra, times, fewer) for size, (extra, fewer) in others.items() if size + count <= contexts]
        found += [min(within)] if within else []
    return found


def weighted_errors(method: Planned, gram: Tensor, weights: Tensor) -> Errors:
    """Return errors(i, j, target): of the forecast of a timestep from j and i (-1: from j alone), weighted."""

    def errors(i: int, j: int, target: int) -> float:
        if i < 0:
            slope = 0.0
        elif method.slope is Slope.FITTED:
            slope = min(best_slope(gram, i, j, target) / (1 << SLOPE_FRAC), method.reach)
        else:
            slope = min(method.gain * (target - j) / (j - i), method.reach)
        return float(weights[target]) * math.sqrt(forecast_error(gram, max(i, 0), j, target, slope))

    return errors
