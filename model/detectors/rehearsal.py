"""Decisions of a detector on the inputs of dense runs: how much it will compute, known without running it.

Forecasts hardly move the inputs of sub-block 0, which alone decides; a threshold found here computes in a run what was
asked for within a per cent (`tests/model/test_detectors.py`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from radit.model.baselines.base import Rule, Sight, real_input
from radit.model.baselines.smoothcache import CALIBRATION_SEED, CFG, ByIdentity
from radit.model.detectors.detector import Detector, DetectorRule
from radit.model.dit.sampler import make_noise
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.reference import Reference, StageCapture
from radit.model.policy.skip_policy import dense

LOWEST, HALVINGS = 1e-4, 14  # of the bisection: thresholds from LOWEST to 1, to a part in a thousand


def dense_inputs(integer: IntegerDiT, images: int) -> Tensor:
    """Return the modulated inputs of sub-block 0, (steps, images, contexts, T, D) int16 Q9.6, of dense runs."""
    return _dense_inputs(ByIdentity(integer), images)


@lru_cache(maxsize=4)
def _dense_inputs(key: ByIdentity, images: int) -> Tensor:
    integer, config = key.integer, key.integer.config
    reference = Reference(integer, dense().tables(integer))
    labels = torch.arange(images) % config.num_classes
    host = Host(integer.dit, integer, labels, make_noise(config, images, CALIBRATION_SEED), CFG, config.tokens)
    reference.start(images, host.contexts)
    found = []
    for index in range(integer.steps):
        captures: list[StageCapture] = []
        x, _ = reference.step(host.enter(), index, host.tables, captures)
        host.leave(x, index)
        found.append(captures[0].act)
    return torch.stack(found)


def rehearsed(rule: Rule, integer: IntegerDiT, inputs: Tensor) -> Tensor:
    """Return what a rule computes of sub-block 0, (steps, images, contexts) bool, on inputs of dense runs."""
    computed = []
    for index, act in enumerate(inputs):
        rule.observe(Sight(0, index, real_input(integer, 0, index, act), None))
        computed.append(~rule.decide(0, index))
    return torch.stack(computed)


def reduction(method: Detector, integer: IntegerDiT, images: int) -> float:
    """Return MACs of a dense run over those of a rehearsed one, where sub-block 0 decides for all."""
    inputs = dense_inputs(integer, images)
    return 1.0 / float(rehearsed(method.rule(integer, images), integer, inputs).double().mean())


def threshold_for(method: Detector, integer: IntegerDiT, wanted: float, images: int) -> float:
    """Return the threshold at which a rehearsal over dense images has the wanted reduction of MACs."""
    low, high = math.log(LOWEST), 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if reduction(replace(method, threshold=math.exp(middle)), integer, images) < wanted:
            low = middle
        else:
            high = middle
    return rounded_up(math.exp(high))


def translated(method: Detector, other: Detector, integer: IntegerDiT, images: int) -> tuple[float, ...]:
    """Return the knots under which `method` computes at the times at which `other` does, as far as means can tell.

    They are those of `other` times the ratio of the mean distances around each knot, both measured from the inputs that
    `other` computes in a rehearsal, and scaled so that the largest is 1.
    """
    inputs, steps = dense_inputs(integer, images), integer.steps
    leads, follows = (each.rule(integer, images) for each in (other, method))
    assert isinstance(leads, DetectorRule) and isinstance(follows, DetectorRule)
    means = torch.zeros(2, steps, dtype=torch.float64)
    for index, act in enumerate(inputs):
        sight = Sight(0, index, real_input(integer, 0, index, act), None)
        means[0, index], means[1, index] = follows.distance(sight).mean(), leads.distance(sight).mean()
        leads.observe(sight)
        follows.computed(sight, ~leads.decide(0, index))
    places = torch.linspace(0.0, len(other.schedule) - 1.0, steps, dtype=torch.float64)
    near = (1.0 - (places - torch.arange(len(other.schedule)).unsqueeze(1)).abs()).clamp(min=0.0)
    mine, others = (near @ mean for mean in means)
    moved = (mine > 0.0) & (others > 0.0)  # in runs of few timesteps there is nothing to measure around some knots
    ratios = torch.where(moved, mine / others, 1.0)
    knots = torch.tensor(other.schedule, dtype=torch.float64) * ratios
    return tuple(float(f"{knot:.3g}") for knot in knots / knots.max())


def rounded_up(threshold: float) -> float:
    """Return a threshold of four digits, not smaller."""
    last = 10.0 ** (math.floor(math.log10(threshold)) - 3)
    return float(f"{math.ceil(threshold / last) * last:.4g}")
