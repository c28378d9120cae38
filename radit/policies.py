"""Choosing a policy by its text, and bringing policies to equal MACs."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

from radit.arguments import as_arguments
from radit.generation import generate
from radit.model.baselines.base import Method
from radit.model.comparison.catalogue import METHODS, parse_method
from radit.model.detectors.detector import Detector
from radit.model.detectors.rehearsal import LOWEST, threshold_for
from radit.model.errors import UserError, shown
from radit.model.policy.policy_file import policy_of
from radit.model.policy.skip_policy import PLANNED_DEFAULTS, POLICIES, Policy, parse_policy
from radit.model.ranges import checked
from radit.models import QuantizedModel, whole_name

AnyPolicy = Policy | Method
"""A policy of the hardware, or one that exists in software alone."""
CALIBRATION_SEED = 1000  # of images that a threshold is sought on; smaller ones are for evaluations


def policy(text: str, model: QuantizedModel | None = None) -> AnyPolicy:
    """Return the policy of a text such as "radit:threshold=0.2" or "fora:interval=3".

    "dense", "radit", "forecast" and "planned" run on the hardware (`Policy` has their fields; without a plan such as
    "planned:plan=B-LB" one is made for the share when it runs). The published policies "fora", "taylorseer",
    "smoothcache", "fbcache", "dbcache", "dbprune", "bwcache", "teacache", "magcache", and ours with another detector
    such as "sketch:projections=64" or "planned:threshold=0.1", run on the integer reference alone.

    Args:
        text: a name, and settings that replace the policy's own.
        model: start from the settings that `radit calibrate` stored with it; None: from the policy's defaults.

    Raises:
        UserError: the name or a setting is unknown, or a value does not fit.
    """
    name = text.partition(":")[0] if isinstance(text, str) else text
    if name in METHODS and not (name in POLICIES and _in_hardware(text)):
        return parse_method(text)
    if not isinstance(text, str) or name not in POLICIES:
        raise UserError(f"policy is {shown(name)}: choose {', '.join(POLICIES | METHODS)}.")
    with as_arguments():
        if model is None:
            return parse_policy(text)
        return policy_of(text, whole_name(model.model), model.integer)


def _in_hardware(text: str) -> bool:
    """Whether a text of `planned` has no other settings than the hardware's, to whose plan nothing is added."""
    try:
        return parse_policy(text).threshold == PLANNED_DEFAULTS["threshold"]
    except UserError:
        return False


def match_macs(
    model: QuantizedModel,
    policy: AnyPolicy,
    reduction: float,
    *,
    images: int = 8,
    cfg: float = 1.5,
    trials: int = 10,
) -> AnyPolicy:
    """Return a policy with the threshold at which it computes as much as is asked for, sought by bisection.

    So policies can be compared at equal MACs. A detector that only looks at the first sub-block's input is rehearsed on
    dense runs, others run every trial. The images' seed is no evaluation's.

    Args:
        model: the quantized model.
        policy: any policy with a threshold.
        reduction: MACs of a dense run over those wanted (factor above 1).
        images: how many are generated for it (count).
        cfg: guidance scale (factor).
        trials: of the bisection, each of which halves the ratio between too small and too large a threshold.

    Raises:
        UserError: the policy has no threshold, or the reduction is not above 1.
    """
    planned = isinstance(policy, Policy) and (bool(policy.plan) or policy.lacks_plan)
    if "threshold" not in {each.name for each in fields(policy)} or policy.name == "dense" or planned:
        raise UserError(f"Policy {policy.name} has no threshold: set its own numbers by hand.")
    reduction, images, cfg, trials = checked(reduction=reduction, images=images, cfg=cfg, trials=trials)
    if isinstance(policy, Detector) and policy.rehearsable:
        return _with(policy, threshold_for(policy, model.integer, reduction, images))
    low, high = math.log(LOWEST), 0.0
    for _ in range(trials):
        middle = (low + high) / 2.0
        run = generate(model, _with(policy, math.exp(middle)), images=images, seed=CALIBRATION_SEED, cfg=cfg)
        low, high = (middle, high) if run.mac_reduction < reduction else (low, middle)
    return _with(policy, math.exp(high))


def _with(policy: Any, threshold: float) -> Any:
    """The same at another threshold, which is written with four digits."""
    return replace(policy, threshold=float(f"{threshold:.4g}"))
