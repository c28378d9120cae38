"""Our policy with another detector: what an ablation changes, everything else as in ``forecast`` of
`model/policy/skip_policy.py`.

A `Detector` says how far a sub-block's input has moved since it was last computed; threshold schedule, guards, streaks,
leading sub-block and forecast are those of the policy, the decision is the DTSM's (`model/ops/dtsm.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import Bounds, Limits, Method, Rule, Sight, bounds_of, keep
from radit.model.dit.config import MOST_BLOCKS
from radit.model.errors import UserError
from radit.model.formats import CODE_BITS, INT8_BITS
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.ops.dtsm import DtsmState, decide
from radit.model.policy.skip_policy import FACTOR_ONE, FORECAST_DEFAULTS, Policy, Scope, forecast
from radit.model.ranges import RANGES

OF_POLICY = ("gain", "reach", "schedule", "last_dense")  # fields
ALWAYS = 1.0  # a distance that no threshold exceeds
DISTANCE_FRAC = 32  # fraction bits of a distance: decisions do not depend on the last bits of a sum


class Slope(StrEnum):
    """What the coefficient c of a forecast F + c (F - F') follows, see `model/comparison/forecasts.py`.

    TIME: the timesteps, k / gap.
    CODES, L1: the measured change of the input of sub-block 0, in changed codes or by its int8 values.
    FITTED: what fits dense runs best.
    """

    TIME = "time"
    CODES = "codes"
    L1 = "l1"
    FITTED = "fitted"


@dataclass(frozen=True)
class Cost:
    """What a detector needs, per value of a watched sub-block's input unless stated otherwise.

    Fields:
        stored_bits: kept from timestep to timestep, read in every one.
        operations: additions, comparisons and multiplications.
        bit_operations: the same, each times the width of its operands in bits; a product of m and n bits is m n.
        always: written in every timestep, not only where the sub-block is computed.
        checks: both cached branches of every sub-block are read where it is computed, too.
    """

    stored_bits: float
    operations: float
    bit_operations: float
    always: bool = False
    checks: bool = False


@dataclass(frozen=True)
class Detector(Method):
    """Reuse while a distance, unitless, stays below `threshold` times the schedule of ``forecast``.

    In software alone; cycles by the cycle model.

    Class attributes:
        sees_input: decisions depend on nothing else of a run.

    Fields:
        gain, reach, scope, last_dense: as in `Policy`.
        order: of the forecast, 1 or 2.
        shared: both guidance contexts decide alike, by the mean of their distances; false: each for itself.
        schedule: knots of the threshold over the timesteps, as in `Policy`.
        slope: what the coefficient of a forecast follows; other than the timesteps only under scope stream.
        difference: where the null class's context is reused, its stream is the label's of the same timestep plus a
            forecast of their difference; it is computed only with the label's. Under scope stream alone.
        null: factor of the threshold in the null class's context.
        guidance: that fitted weights are for.
        blocks: how many blocks are always computed under scope timestep: the first ones, whose output then decides for
            the others, or, negative, the last ones.
    """

    limits: ClassVar[Limits] = {
        "order": (1, 2),
        "null": (0.1, 100.0),
        "blocks": (1 - MOST_BLOCKS, MOST_BLOCKS - 1),
        "guidance": (RANGES["cfg"].low, RANGES["cfg"].high),
        **{name: (Policy.ranges[name].low, Policy.ranges[name].high) for name in (*OF_POLICY, "threshold")},
    }
    sees_input: ClassVar[bool] = True
    threshold: float = FORECAST_DEFAULTS["threshold"]
    gain: float = FORECAST_DEFAULTS["gain"]
    reach: float = FORECAST_DEFAULTS["reach"]
    order: int = 1
    shared: bool = False
    scope: Scope = FORECAST_DEFAULTS["scope"]
    schedule: tuple[float, ...] = FORECAST_DEFAULTS["schedule"]
    last_dense: int = FORECAST_DEFAULTS["last_dense"]
    slope: Slope = Slope.TIME
    difference: bool = False
    null: float = 1.0
    blocks: int = 0
    guidance: float = 1.5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "scope", self.policy.scope)  # which refuses what the policy's own fields do not take
        object.__setattr__(self, "slope", Slope(self.slope))
        wanted = {"slope": Scope.STREAM, "difference": Scope.STREAM, "blocks": Scope.TIMESTEP}
        for name, scope in wanted.items():
            value = getattr(self, name)
            if value not in (Slope.TIME, False, 0) and (self.scope is not scope or self.order > 1):
                raise UserError(
                    f"Policy {self.name} has {name} {value} with scope {self.scope} and order {self.order}: give scope "
                    f"{scope} and order 1, or leave {name} out."
                )

    @property
    def policy(self) -> Policy:
        """The policy whose schedule, guards and forecast hold."""
        return forecast(self.threshold, scope=self.scope, **{name: getattr(self, name) for name in OF_POLICY})

    @property
    def slope_gain(self) -> int:
        return round(self.gain * FACTOR_ONE)

    @property
    def forecast_order(self) -> int:
        return self.order if self.slope_gain else 0

    @property
    def rehearsable(self) -> bool:
        """Whether the inputs of sub-block 0 alone determine all decisions (`model/detectors/rehearsal.py`)."""
        return self.sees_input and self.scope is not Scope.SUB_BLOCK and not self.blocks

    def decider(self, sub_blocks: Bounds) -> int:
        """The sub-block that decides for those behind it, but under scope sub-block."""
        bounds = bounds_of(sub_blocks)
        return bounds[min(max(self.blocks, 0), len(bounds) - 1)]

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        bounds = bounds_of(sub_blocks)
        return range(bounds[-1]) if self.scope is Scope.SUB_BLOCK else (self.decider(bounds),)

    def kept_bits(self, values: int) -> float:
        """Return what is stored per value of a watched input: for the decision, and for a measured slope."""
        return max(self.cost(values).stored_bits, {Slope.CODES: CODE_BITS, Slope.L1: INT8_BITS}.get(self.slope, 0))

    def cost(self, values: int) -> Cost:
        """Return what the detector needs where a sub-block's input of one context has so many values."""
        raise NotImplementedError


class DetectorRule(Rule):
    """The DTSM over a distance that subclasses measure; one state per sub-block that does not follow another."""

    def __init__(self, method: Detector, integer: IntegerDiT, images: int) -> None:
        super().__init__(images)
        self.method, self.integer, self.tables = method, integer, method.policy.tables(integer)
        self.bounds = integer.config.block_bounds
        self.state: dict[int, DtsmState] = {}
        self.reused = self.every(False)
        if method.blocks and abs(method.blocks) >= (depth := integer.config.depth):
            raise UserError(
                f"Policy {method.name} has blocks {method.blocks}: give a number nearer to 0 than the model's {depth}."
            )

    def distance(self, sight: Sight) -> Tensor:
        """How far the input has moved since it was last computed, (N, contexts) float64; anything before that."""
        raise NotImplementedError

    def computed(self, sight: Sight, where: Tensor) -> None:
        """Remember the input where it is computed (N, contexts) bool."""

    def observe(self, sight: Sight) -> None:
        s, index = sight.s, sight.index
        if self.method.scope is not Scope.SUB_BLOCK and s != self.method.decider(self.bounds):
            return
        distance = self.distance(sight).cpu()
        if self.method.shared:
            distance = distance.mean(1, keepdim=True).expand_as(distance)
        distance = torch.cat([distance[:, :1], distance[:, 1:] / self.method.null], 1)
        found = self._compared(distance, s, index)
        if self.method.difference:  # the label's context is computed wherever that of the null class is
            label = torch.where(found[0][:, -1], distance[:, 0], ALWAYS)
            found = self._compared(torch.cat([label.unsqueeze(1), distance[:, 1:]], 1), s, index)
        self.reused, self.state[s] = found
        self.computed(sight, ~self.reused)

    def _compared(self, distance: Tensor, s: int, index: int) -> tuple[Tensor, DtsmState]:
        """The DTSM's decision."""
        count = torch.round(distance * 2.0**DISTANCE_FRAC).long()
        table, force = int(self.tables.thresholds[index, s]), bool(self.tables.force[index])
        state = self.state.get(s, DtsmState.cleared(*count.shape))
        return decide(state, count, 1 << DISTANCE_FRAC, table, force, self.tables.registers)

    def decide(self, s: int, index: int) -> Tensor:
        blocks, bounds = self.method.blocks, self.bounds
        always = s < bounds[blocks] if blocks >= 0 else s >= bounds[blocks - 1]
        return self.every(False) if always else self.reused


class Anchored(DetectorRule):
    """Compares a signature of the input with that of the last computed input."""

    def __init__(self, method: SignatureDetector, integer: IntegerDiT, images: int) -> None:
        super().__init__(method, integer, images)
        self.signature_of, self.apart = method.signature, method.apart
        self.kept: dict[int, Tensor] = {}
        self.now = torch.empty(0)

    def distance(self, sight: Sight) -> Tensor:
        self.now = self.signature_of(sight, self.integer)
        return self.apart(self.now, self.kept.get(sight.s, self.now), self.integer, sight.s)

    def computed(self, sight: Sight, where: Tensor) -> None:
        self.kept[sight.s] = keep(self.kept.get(sight.s), self.now, where.to(self.now.device))


@dataclass(frozen=True)
class SignatureDetector(Detector):
    """A detector that keeps a signature of the last computed input and compares with it."""

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return Anchored(self, integer, images)

    def signature(self, sight: Sight, integer: IntegerDiT) -> Tensor:
        """Return what is kept of an input: (N, contexts, ..)."""
        raise NotImplementedError

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        """Return the distance (N, contexts) float64 of two signatures of sub-block s."""
        raise NotImplementedError


def tiled(act: Tensor, tokens: int, channels: int) -> Tensor:
    """Return the means (.., T / tokens, D / channels) of an input (.., T, D).

    Raises:
        UserError: the tiles do not fill the input.
    """
    *_, height, width = act.shape
    if height % tokens or width % channels:
        raise UserError(
            f"Policy pooled has tokens {tokens} and channels {channels}: give divisors of the {height} tokens and "
            f"{width} channels that the model has."
        )
    return act.unflatten(-1, (-1, channels)).unflatten(-3, (-1, tokens)).mean((-3, -1))
