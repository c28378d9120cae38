"""Skip policies: when a sub-block's cached branch stands in for a computation.

A policy is a short, printable, hashable description; `Policy.tables` turns it into the integers that the host loads for
a run (`model/policy/policy_integers.py`, with the formulas of its boundaries and schedules).
`POLICIES` is the table of all of them: a new one is a factory and a line there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from radit.model.errors import UserError, shown
from radit.model.formats import COUNT_BITS, FACTOR_BITS, SLOPE_BITS, SLOPE_FRAC, STREAK_BITS, THRESHOLD_BITS
from radit.model.policy.plan import read_plan
from radit.model.ranges import RANGES, Range
from radit.model.settings_text import MOST_KNOTS, read_settings, split_text, write_text

if TYPE_CHECKING:  # torch comes with them
    from radit.model.integer.integer_dit import IntegerDiT
    from radit.model.integer.policy_tables import PolicyTables

Curve = Literal["linear", "cosine"]
FACTOR_ONE = 1 << (FACTOR_BITS - 1)
FACTOR = Range(0, 2.0 - 1.0 / FACTOR_ONE, whole=False)  # Q1.7
# Takes the smallest threshold, one of Q0.16, beyond the largest; a larger one makes no difference.
SCHEDULE = Range(0, 1 << THRESHOLD_BITS, whole=False)
# Times the root mean square: no value of an input of so many codes lies farther out, nor below a code's finest step.
CODED = Range(0.001, 1 << (COUNT_BITS // 2), whole=False)


class Scope(StrEnum):
    """What one decision holds for, and what is cached.

    SUB_BLOCK: each sub-block decides for itself; its branch is cached.
    TIMESTEP: the first sub-block decides for all of its context's timestep, so that none computes on the input that a
        forecast of another one left; branches are cached.
    STREAM: the first sub-block decides so; cached and forecast is the residual stream after the last sub-block, and
        nothing else of a reused timestep runs.
    """

    SUB_BLOCK = "sub-block"
    TIMESTEP = "timestep"
    STREAM = "stream"


@dataclass(frozen=True)
class Policy:
    """What to skip; unitless throughout.

    Fields:
        name: of `POLICIES`.
        threshold: share of changed codes below which a sub-block is reused, before the schedule.
        schedule: "linear", "cosine", or a tuple of knots.
        start, end: factors of the threshold at the first and the last timestep (not with knots); they and knots:
            0 .. 2**16, which takes the smallest threshold to the largest.
        streak_step: loss of threshold per reuse in a row, 0 .. 1.
        tight, loose: factors of the threshold while the input moves faster, or not faster, than its average; 0 .. 1.99.
        max_streak: longest run of reuses, 0 .. 63.
        first_dense, last_dense: timesteps at the start (1 .. 1000) and at the end (0 .. 1000) that compute everything.
        small, large: range limits r1 and r2 of the encoding rules, in units of the input's root mean square, 0.001 ..
            4096. Boundaries beyond int8 stay at its end: 127 7/8 steps are the most that the header holds.
        gain: of the forecast's slope, 0 .. 1.99; 0 reuses the cached branch as it is.
        reach: largest coefficient of the slope, 1/256 .. 8: how many gaps of the last two computed branches a forecast
            may go beyond the latest.
        scope: what one decision holds for, and what is cached.
        plan: timesteps that each context computes, as a text (`model/policy/plan.py`); nothing is compared then. It
            decides for whole timesteps, so not with scope sub-block. Guards hold all the same. Empty: no plan.
        share: of the MACs of a dense run that a plan takes at most, where one is to be made, 0 .. 1; 0: none is.
        difference: what is cached of the null class's context is its stream less that of its label in the same
            timestep, computed or forecast; to a forecast of it the label's is added. Under scope stream alone.
    """

    name: str
    threshold: float = 0.0
    schedule: Curve | tuple[float, ...] = "linear"
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
    scope: Scope = Scope.SUB_BLOCK
    plan: str = ""
    share: float = 0.0
    difference: bool = False

    ranges: ClassVar[Mapping[str, Range]] = {
        "threshold": Range(0, 1, whole=False),
        "schedule": SCHEDULE,
        "start": SCHEDULE,
        "end": SCHEDULE,
        "streak_step": Range(0, 1.0 - 2.0**-FACTOR_BITS, whole=False),
        "tight": FACTOR,
        "loose": FACTOR,
        "max_streak": Range(0, (1 << STREAK_BITS) - 1),
        "first_dense": Range(1, RANGES["steps"].high),
        "last_dense": Range(0, RANGES["steps"].high),
        "small": CODED,
        "large": CODED,
        "gain": FACTOR,
        "reach": Range(2.0**-SLOPE_FRAC, 1 << (SLOPE_BITS - SLOPE_FRAC), whole=False),
        "share": Range(0, 1, whole=False),
    }

    def __post_init__(self) -> None:
        if isinstance(self.schedule, str) and self.schedule not in get_args(Curve):
            raise UserError(f"Policy schedule is {shown(self.schedule)}: use {', '.join(get_args(Curve))} or knots.")
        if self.scope not in tuple(Scope):
            raise UserError(f"Policy field scope is {shown(self.scope)}: use one of {', '.join(Scope)}.")
        for name, limits in self.ranges.items():
            value, field = getattr(self, name), f"Policy field {name}"
            if isinstance(value, tuple | list) and name == "schedule":
                if not 0 < len(value) <= MOST_KNOTS:
                    raise UserError(f"{field} has {len(value)} knots: give 1 to {MOST_KNOTS}.")
                value = tuple(limits.check(f"{field}, a knot of it,", knot) for knot in value)
            elif not (name == "schedule" and isinstance(value, str)):
                value = limits.check(field, value)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "scope", Scope(self.scope))
        if not self.small < self.large:
            raise UserError(
                f"Policy fields small and large are {self.small} and {self.large}: give a smaller one for small."
            )
        self._check_contexts()

    def _check_contexts(self) -> None:
        """Refuse what treats contexts apart where the scope has no use for it.

        Raises:
            UserError: the plan is none, or a field does not fit the scope.
        """
        if not isinstance(self.plan, str) or not isinstance(self.difference, bool):
            field, wanted = ("difference", "True or False") if isinstance(self.plan, str) else ("plan", "a text")
            raise UserError(f"Policy field {field} is {shown(getattr(self, field))}: give {wanted}.")
        read_plan(self.plan)
        if self.scope is Scope.SUB_BLOCK and (self.plan or self.share):
            field = "plan" if self.plan else "share"
            raise UserError(f"Policy field {field} is given with scope {self.scope}: give scope {Scope.STREAM}.")
        if self.difference and self.scope is not Scope.STREAM:
            raise UserError(f"Policy field difference is True with scope {self.scope}: give scope {Scope.STREAM}.")

    @property
    def text(self) -> str:
        """The policy as `parse_policy` reads it, with every field, because a model can have defaults of its own."""
        names = () if self.name == "dense" else RADIT_DEFAULTS
        return write_text(self.name, {name: getattr(self, name) for name in names if name != "plan" or self.plan})

    @property
    def lacks_plan(self) -> bool:
        """Whether a plan is still to be made."""
        return self.share > 0 and not self.plan

    @property
    def settings(self) -> dict[str, Any]:
        """Every field but the name, as JSON has them: knots are a list."""
        return {name: value for name, value in json.loads(json.dumps(asdict(self))).items() if name != "name"}

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the policy."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def tables(self, integer: IntegerDiT) -> PolicyTables:
        """Return the integers of a run of `integer`, see `model/policy/policy_integers.py`."""
        from radit.model.policy.policy_integers import tables_of  # torch comes with it

        return tables_of(self, integer)


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
    "scope": Scope.SUB_BLOCK,
    "plan": "",
    "share": 0.0,
    "difference": False,
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
    "scope": Scope.STREAM,
}

# Ours on top of a strong solver: whole timesteps by a plan, and the contexts by their difference (docs/policies.md).
PLANNED_DEFAULTS: dict[str, Any] = FORECAST_DEFAULTS | {
    "last_dense": 0,
    "reach": 0.75,
    "share": 0.6,
    "difference": True,
}


def radit(threshold: float = RADIT_DEFAULTS["threshold"], **fields: Any) -> Policy:
    """Return RADiT's policy: `RADIT_DEFAULTS` with other `fields` of `Policy` put in their place."""
    return Policy("radit", **(RADIT_DEFAULTS | fields | {"threshold": threshold}))


def forecast(threshold: float = FORECAST_DEFAULTS["threshold"], **fields: Any) -> Policy:
    """Return our policy: `FORECAST_DEFAULTS` with other `fields` of `Policy` put in their place."""
    return Policy("forecast", **(FORECAST_DEFAULTS | fields | {"threshold": threshold}))


def planned(share: float = PLANNED_DEFAULTS["share"], **fields: Any) -> Policy:
    """Return our planned policy: `PLANNED_DEFAULTS` with other `fields` of `Policy` put in their place."""
    return Policy("planned", **(PLANNED_DEFAULTS | fields | {"share": share}))


@dataclass(frozen=True)
class PolicyKind:
    """A policy that texts can name.

    Fields:
        make: gives it; takes fields of `Policy`.
        label: its name in tables and plots.
        color: of its lines in plots, hexadecimal RGB.
        reuse: what it does where it does not compute, for a sentence that begins with its label.
    """

    make: Callable[..., Policy]
    label: str
    color: str = "#616e7c"
    reuse: str = ""


# In the order of every table.
POLICIES: dict[str, PolicyKind] = {
    "dense": PolicyKind(dense, "dense", "#1b4f72"),
    "radit": PolicyKind(radit, "RADiT", "#2a9d8f", "reuses the cached branch as it is"),
    "forecast": PolicyKind(forecast, "forecast", "#f2a541", "extrapolates the last two"),
    "planned": PolicyKind(
        planned, "planned", "#b5446e", "extrapolates the label's stream and the difference of the contexts"
    ),
}


def kind_of(name: str) -> PolicyKind:
    """Return a policy's line of the table; of a name that is not there, one without colour and words."""
    return POLICIES.get(name) or PolicyKind(Policy, name)


def parse_policy(text: str, ours: Policy | None = None, option: str = "--policy") -> Policy:
    """Return the policy of a text such as "dense" or "radit:threshold=0.3:first_dense=1:schedule=1.2/0.9/0.6".

    Args:
        text: a name, and settings that replace the policy's own.
        ours: what the policy of its name is without settings; by default that policy's defaults.
        option: where the text was given, for the sentence.

    Raises:
        UserError: the name or a field is unknown, or a value does not fit its field.
    """
    name, settings = split_text(text)
    if name not in POLICIES:
        raise UserError(f"{option} is {shown(name)}: choose {', '.join(POLICIES)}.")
    if name == "dense" and settings:
        raise UserError(f"{option} is {shown(text)}: dense computes everything and has no settings, write 'dense'.")
    values = read_settings(settings, Policy, option, RADIT_DEFAULTS, Policy.ranges)
    return replace(ours, **values) if ours is not None and ours.name == name else POLICIES[name].make(**values)
