"""From a policy to the integers of a run.

The Compress-and-Compare Unit (CCU, `model/ops/ccu.py`) encodes each modulated value in 4 bits, counts the codes that
differ from those of the last *computed* input, and the Dynamic Threshold Scaling Module (DTSM, `model/ops/dtsm.py`)
compares the share of changed codes with a threshold.

**Three encoding rules.** With m = |value| / rms of the sub-block's modulated input (calibrated, constant over time) and
range limits r1 < r2 (``small``, ``large``):

| rule | range | boundaries b_1 .. b_7 |
|---|---|---|
| small values | m <= r1 | fine, uniform: k r1 / 3, k = 1, 2, 3 |
| middle values | r1 < m <= r2 | coarse, uniform: r1 + k (r2 - r1) / 2, k = 1, 2 |
| large values | m > r2 | geometric: r2 2**(k / 2), k = 1, 2 |

Values below b_1 share one code without sign. Boundaries are constant in real units and divided by each timestep's
activation scale, so that codes compare across timesteps although the int8 step changes.

**Threshold schedules** over progress p = 0 (first timestep) .. 1 (last): linear ``a + (b - a) p``, cosine
``b + (a - b) (1 + cos(pi p)) / 2``, both from a = threshold * start to b = threshold * end; or a table of knots,
equally spaced and linearly interpolated, times the threshold. Shares are unitless, 0 .. 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from radit.model.errors import UserError
from radit.model.formats import (
    ACT_FRAC,
    BOUNDARY_BITS,
    CODE_CUT,
    CODE_LEVELS,
    FACTOR_BITS,
    SLOPE_FRAC,
    SLOPE_MAX,
)
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.policy_tables import PolicyTables
from radit.model.ops.dtsm import THRESHOLD_MAX, DtsmRegisters
from radit.model.policy.plan import read_plan
from radit.model.policy.skip_policy import FACTOR_ONE, Policy, Scope


def tables_of(policy: Policy, integer: IntegerDiT) -> PolicyTables:
    """Return the integers of a run of `integer`.

    Raises:
        UserError: the policy's plan is missing, or does not fit the run.
    """
    detect = policy.name != "dense"
    steps, subs = integer.act_scale.shape
    all_steps = integer.sampler_steps
    curve = schedule_curve(policy.schedule, policy.start, policy.end, all_steps)[:steps] * policy.threshold
    shares = torch.floor(curve * (THRESHOLD_MAX + 1) + 0.5).clamp(0, THRESHOLD_MAX).long()
    force = torch.zeros(steps, dtype=torch.bool)
    force[: policy.first_dense] = True
    force[max(all_steps - policy.last_dense, 0) :] = True
    registers = DtsmRegisters(
        streak_step=round(policy.streak_step * (1 << FACTOR_BITS)),
        tight=round(policy.tight * FACTOR_ONE),
        loose=round(policy.loose * FACTOR_ONE),
        max_streak=policy.max_streak,
        slope_max=min(round(policy.reach * (1 << SLOPE_FRAC)), SLOPE_MAX),
    )
    boundaries = code_boundaries(integer, policy.small, policy.large)
    thresholds = shares.unsqueeze(1).expand(steps, subs).contiguous()
    gains = torch.full((steps, subs), round(policy.gain * FACTOR_ONE))
    follow = torch.full((steps, subs), policy.scope is not Scope.SUB_BLOCK)
    follow[:, 0] = bool(policy.plan)
    return PolicyTables(
        detect=detect,
        thresholds=thresholds,
        force=force,
        boundaries=boundaries,
        gains=gains,
        follow=follow,
        stream_scope=detect and policy.scope is Scope.STREAM,
        registers=registers,
        plan=_planned(policy, all_steps)[:steps],
        difference=detect and policy.difference,
    )


def _planned(policy: Policy, steps: int) -> Tensor:
    """The plan (steps, 2) bool of all timesteps; everything where there is none.

    Raises:
        UserError: it is still to be made, or is one of another number of timesteps.
    """
    if policy.lacks_plan:
        raise UserError(f"Policy {policy.name} has no plan: give plan, or let a command that knows the model make one.")
    if policy.plan and len(policy.plan) != steps:
        raise UserError(
            f"Policy field plan has {len(policy.plan)} timesteps, the run {steps}: give one letter for each."
        )
    return torch.tensor(read_plan(policy.plan)) if policy.plan else torch.ones(steps, 2, dtype=torch.bool)


def schedule_curve(schedule: str | tuple[float, ...], start: float, end: float, steps: int) -> Tensor:
    """Return the factor of the threshold (steps,) float64 at every timestep."""
    progress = torch.linspace(0.0, 1.0, steps, dtype=torch.float64)
    if schedule == "linear":
        return start + (end - start) * progress
    if schedule == "cosine":
        return end + (start - end) * (1.0 + torch.cos(math.pi * progress)) / 2.0
    knots = torch.tensor(schedule, dtype=torch.float64)
    place = progress * (len(knots) - 1)
    left = place.floor().long().clamp(max=max(len(knots) - 2, 0))
    right = (left + 1).clamp(max=len(knots) - 1)
    return torch.lerp(knots[left], knots[right], place - left)


def code_boundaries(integer: IntegerDiT, small: float, large: float) -> Tensor:
    """Return the boundaries (steps, S, 7) int64 in Q7.3 of the three encoding rules, those beyond int8 at its end."""
    rules = [small * k / 3.0 for k in (1, 2, 3)]
    rules += [small + (large - small) * k / 2.0 for k in (1, 2)]
    rules += [large * 2.0 ** (k / 2.0) for k in (1, 2)]
    assert len(rules) == CODE_LEVELS
    real = integer.act_rms.unsqueeze(1) * torch.tensor(rules, dtype=torch.float64)
    whole = torch.floor(real / integer.act_scale.unsqueeze(2) * 2 ** (ACT_FRAC - CODE_CUT) + 0.5)
    return whole.clamp(1, (1 << BOUNDARY_BITS) - 1).long()
