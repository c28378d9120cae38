"""Skip policies: when a sub-block's cached branch stands in for a computation.

A policy is a short, printable, hashable description; `tables` turns it into the integers that the host loads for a
run. The Compress-and-Compare Unit (CCU, `model/ops/ccu.py`) encodes each modulated value in 4 bits, counts the codes
that differ from those of the last *computed* input, and the Dynamic Threshold Scaling Module (DTSM,
`model/ops/dtsm.py`) compares the share of changed codes with a threshold.

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

**Error meter** (`model/ops/meter.py`). A reuse brings a squared error into the predicted noise, about ``weight(p)``
times the share of changed codes. The controller adds it up over the timesteps and refuses what exceeds ``max_error``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from model.errors import UserError
from model.formats import (
    ACT_FRAC,
    BOUNDARY_BITS,
    CODE_CUT,
    CODE_LEVELS,
    ERROR_CUT,
    ERROR_WEIGHT_BITS,
    FACTOR_BITS,
    SLOPE_FRAC,
    SLOPE_MAX,
    STREAK_BITS,
)
from model.integer.integer_dit import IntegerDiT
from model.integer.policy_tables import PolicyTables
from model.ops.dtsm import THRESHOLD_MAX, DtsmRegisters
from model.ops.meter import ERROR_MAX

SCHEDULES = ("linear", "cosine")
FACTOR_ONE = 1 << (FACTOR_BITS - 1)


@dataclass(frozen=True)
class Policy:
    """What to skip; unitless throughout.

    Fields:
        name: "dense", "radit" or "forecast".
        threshold: share of changed codes below which a sub-block is reused, before the schedule.
        schedule: "linear", "cosine", or a tuple of knots.
        start, end: factors of the threshold at the first and the last timestep (not with knots).
        streak_step: loss of threshold per reuse in a row, 0 .. 1.
        tight, loose: factors of the threshold while the input moves faster, or not faster, than its average; 0 .. 1.99.
        max_streak: longest run of reuses, 0 .. 63.
        first_dense, last_dense: timesteps at the start and at the end that compute everything.
        small, large: range limits r1 and r2 of the encoding rules.
        gain: of the forecast's slope, 0 .. 1.99; 0 reuses the cached branch as it is.
        reach: largest coefficient of the slope, 1/256 .. 8: how many gaps of the last two computed branches a forecast
            may go beyond the latest.
        together: the first sub-block of a timestep decides for all of its context, so that none computes on the
            input that a forecast of another one left; false: each decides for itself.
        whole: such a decision is carried out at once: cached and forecast is the residual stream after the last
            sub-block, and in a timestep that is reused nothing else runs; false: every sub-block has its branch cached.
        error_weights: knots of the error meter's weight over the progress: mean squared error that a reuse brings into
            a context's predicted noise, per share of changed codes; none: nothing is metered. Only a calibration
            finds them (`model/tuning/error_meter.py`), texts cannot name them.
        max_error: limit of that error, summed over an image's timesteps, per context; None: no limit.
    """

    name: str
    threshold: float = 0.0
    schedule: str | tuple[float, ...] = "linear"
    start: float = 1.0
    end: float = 1.0
    streak_step: float = 0.0
    tight: float = 1.0
    loose: float = 1.0
    max_streak: int = 0
    first_dense: int = 1
    last_dense: int = 1
    small: float = 0.4
    large: float = 1.2
    gain: float = 0.0
    reach: float = 8.0
    together: bool = False
    whole: bool = False
    error_weights: tuple[float, ...] = ()
    max_error: float | None = None

    def __post_init__(self) -> None:
        limits = {
            "threshold": (0.0, 1.0),
            "streak_step": (0.0, 1.0 - 2.0**-FACTOR_BITS),
            "tight": (0.0, 2.0 - 1.0 / FACTOR_ONE),
            "loose": (0.0, 2.0 - 1.0 / FACTOR_ONE),
            "gain": (0.0, 2.0 - 1.0 / FACTOR_ONE),
            "max_streak": (0, (1 << STREAK_BITS) - 1),
            "first_dense": (1, math.inf),
            "last_dense": (0, math.inf),
            "reach": (2.0**-SLOPE_FRAC, 8.0),
            "start": (0.0, math.inf),
            "end": (0.0, math.inf),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise UserError(f"Policy field {name} is {getattr(self, name)}: give it a value from {low} to {high}.")
        if self.max_error is not None and not self.max_error >= 0.0:
            raise UserError(f"Policy field max_error is {self.max_error}: give 0 or more.")
        if not all(0.0 <= weight < math.inf for weight in self.error_weights):
            raise UserError(f"Policy field error_weights is {self.error_weights}: give errors of 0 or more.")
        if self.whole and not self.together:
            raise UserError("Policy field whole is True, but together is False: set together as well.")
        if not 0.0 < self.small < self.large:
            raise UserError(f"Policy fields small and large are {self.small} and {self.large}: give 0 < small < large.")
        if isinstance(self.schedule, tuple) and not all(0.0 <= knot < math.inf for knot in self.schedule):
            raise UserError(f"Policy schedule has the knots {self.schedule}: give factors of 0 or more.")
        if isinstance(self.schedule, str) and self.schedule not in SCHEDULES:
            raise UserError(f"Policy schedule is {self.schedule!r}: use {', '.join(SCHEDULES)} or a tuple of knots.")

    @property
    def text(self) -> str:
        """The policy as `parse_policy` reads it: its name, and what differs from that policy's defaults.

        `forecast` is written whole, because a model can have defaults of its own.
        """
        usual, whole = POLICIES[self.name](), self.name == "forecast"
        names = [name for name in RADIT_DEFAULTS if whole or getattr(self, name) != getattr(usual, name)]
        return ":".join([self.name, *(f"{name}={_written(getattr(self, name))}" for name in names)])

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the policy."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def tables(self, integer: IntegerDiT) -> PolicyTables:
        """Return the integers of a run of `integer`.

        Raises:
            UserError: a limit of the error meter without its weights.
        """
        if self.max_error is not None and not any(self.error_weights):
            raise UserError(
                f"Policy field max_error is {self.max_error}: calibrate the model first, `radit calibrate`."
            )
        detect = self.name != "dense"
        steps, subs = integer.act_scale.shape
        whole = integer.sampler_steps
        curve = schedule_curve(self.schedule, self.start, self.end, whole)[:steps] * self.threshold
        shares = torch.floor(curve * (THRESHOLD_MAX + 1) + 0.5).clamp(0, THRESHOLD_MAX).long()
        force = torch.zeros(steps, dtype=torch.bool)
        force[: self.first_dense] = True
        force[max(whole - self.last_dense, 0) :] = True
        registers = DtsmRegisters(
            streak_step=round(self.streak_step * (1 << FACTOR_BITS)),
            tight=round(self.tight * FACTOR_ONE),
            loose=round(self.loose * FACTOR_ONE),
            max_streak=self.max_streak,
            slope_max=min(round(self.reach * (1 << SLOPE_FRAC)), SLOPE_MAX),
            error_max=ERROR_MAX if self.max_error is None else min(int(self.max_error * self.unit(integer)), ERROR_MAX),
        )
        boundaries = code_boundaries(integer, self.small, self.large)
        thresholds = shares.unsqueeze(1).expand(steps, subs).contiguous()
        gains = torch.full((steps, subs), round(self.gain * FACTOR_ONE))
        follow = torch.full((steps, subs), self.together)
        follow[:, 0] = False
        weights = self._weights(integer).unsqueeze(1).expand(steps, subs).contiguous()
        return PolicyTables(
            detect, thresholds, force, boundaries, gains, follow, detect and self.whole, weights, registers
        )

    def unit(self, integer: IntegerDiT) -> float:
        """Return the error meter's counts per unit of error, a power of two: no weight and no sum overflows."""
        if not any(self.error_weights):
            return 1.0
        largest, codes = max(self.error_weights), integer.config.tokens * integer.config.hidden_size
        room = min(codes * ((1 << ERROR_WEIGHT_BITS) - 1) / 2**ERROR_CUT, ERROR_MAX / integer.sampler_steps)
        return 2.0 ** math.floor(math.log2(room / largest))

    def _weights(self, integer: IntegerDiT) -> Tensor:
        """The error meter's weights (steps,) int64."""
        codes = integer.config.tokens * integer.config.hidden_size
        curve = schedule_curve(self.error_weights or (0.0,), 1.0, 1.0, integer.sampler_steps)[: integer.steps]
        return torch.floor(curve * self.unit(integer) * 2**ERROR_CUT / codes + 0.5).long()


def dense() -> Policy:
    """Return the policy that computes everything and detects nothing."""
    return Policy("dense")


# Tuned on the digit model (DDIM, 50 steps, guidance 1.5): about half the MACs, and less than half the squared error to
# the dense images that running half the steps makes.
RADIT_DEFAULTS: dict[str, Any] = {
    "threshold": 0.175,
    "schedule": "cosine",
    "start": 1.2,
    "end": 0.6,
    "streak_step": 0.2,
    "tight": 0.7,
    "loose": 1.2,
    "max_streak": 3,
    "first_dense": 2,
    "last_dense": 1,
    "small": 0.4,
    "large": 1.2,
    "gain": 0.0,
    "reach": 8.0,
    "together": False,
    "whole": False,
    "max_error": None,
}

# Ours: a first-order forecast, decided once per timestep and context by the first sub-block. The search of
# `model/tuning/search.py` found the knots on 144 digits of seed 1000, with forecasts of every branch; calibrations
# start so.
FORECAST_DEFAULTS: dict[str, Any] = RADIT_DEFAULTS | {
    "threshold": 0.165,
    "schedule": (1.0, 0.975, 0.95, 0.583, 0.8, 0.715, 0.945, 0.505, 0.253),
    "start": 1.0,
    "end": 1.0,
    "streak_step": 0.0,
    "tight": 1.0,
    "loose": 1.0,
    "max_streak": 8,
    "first_dense": 1,
    "gain": 1.0,
    "reach": 1.25,
    "together": True,
    "whole": True,
}


def radit(threshold: float = RADIT_DEFAULTS["threshold"], **fields: Any) -> Policy:
    """Return RADiT's policy: `RADIT_DEFAULTS` with other `fields` of `Policy` put in their place."""
    return Policy("radit", **(RADIT_DEFAULTS | fields | {"threshold": threshold}))


def forecast(threshold: float = FORECAST_DEFAULTS["threshold"], **fields: Any) -> Policy:
    """Return our policy: `FORECAST_DEFAULTS` with other `fields` of `Policy` put in their place."""
    return Policy("forecast", **(FORECAST_DEFAULTS | fields | {"threshold": threshold}))


POLICIES: dict[str, Callable[..., Policy]] = {"dense": dense, "radit": radit, "forecast": forecast}


def parse_policy(text: str, ours: Policy | None = None) -> Policy:
    """Return the policy of a text such as "dense" or "radit:threshold=0.3:first_dense=1:schedule=1.2/0.9/0.6".

    Args:
        text: a name, and settings that replace the policy's own.
        ours: what the policy of its name is without settings; by default that policy's defaults.

    Raises:
        UserError: the name or a field is unknown, or a value does not fit its field.
    """
    name, *settings = text.split(":")
    if name not in POLICIES:
        raise UserError(f"--policy is '{name}': choose {', '.join(POLICIES)}.")
    if name == "dense" and settings:
        raise UserError(f"--policy is '{text}': dense computes everything and has no settings, write 'dense'.")
    values: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in RADIT_DEFAULTS:
            raise UserError(f"--policy setting is '{setting}': give one of {', '.join(RADIT_DEFAULTS)} and =VALUE.")
        values[key] = _parsed(key, value)
    return replace(ours, **values) if ours is not None and ours.name == name else POLICIES[name](**values)


def _parsed(key: str, value: str) -> Any:
    """The value of a field: a whole number, a number, or the name or the knots of a schedule."""
    if key == "schedule" and value in SCHEDULES:
        return value
    if key == "max_error" and value == "None":
        return None
    if isinstance(RADIT_DEFAULTS[key], bool):
        if value not in ("True", "False"):
            raise UserError(f"--policy setting {key} is '{value}': give True or False.")
        return value == "True"
    try:
        if key == "schedule":
            return tuple(float(knot) for knot in value.split("/"))
        return int(value) if isinstance(RADIT_DEFAULTS[key], int) else float(value)
    except ValueError:
        whole = "a whole number" if isinstance(RADIT_DEFAULTS[key], int) else "a number"
        wanted = f"{', '.join(SCHEDULES)} or knots such as 1.2/0.9/0.6" if key == "schedule" else whole
        raise UserError(f"--policy setting {key} is '{value}': give {wanted}.") from None


def _written(value: Any) -> str:
    """A field's value as `_parsed` reads it."""
    return "/".join(map(repr, value)) if isinstance(value, tuple) else str(value)


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
    return whole.long().clamp(1, (1 << BOUNDARY_BITS) - 1)
