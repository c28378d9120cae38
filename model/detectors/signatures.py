"""Detectors that compare what they keep of the last computed input: codes, levels, int8 values, sums, sketches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import Limits, Sight
from radit.model.detectors.detector import Cost, SignatureDetector, tiled
from radit.model.detectors.sensitivity import channel_weights
from radit.model.formats import ACT_BITS, ACT_FRAC, CODE_BITS, INT8_BITS, INT8_MAX
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.ops.ccu import encode
from radit.model.policy.policy_integers import code_boundaries
from radit.model.policy.skip_policy import FORECAST_DEFAULTS

SIGN = 1 << (CODE_BITS - 1)
SUM_BITS, SUM_FRAC = 16, 10  # of a pooled value, in units of the input's root mean square
SKETCH_BITS = 24
SKETCH_SEED = 17
SENSITIVITY = (0.0, 8.0)  # a power of effects that differ by orders of magnitude
PROJECTIONS = (1, 1024)  # each keeps a sign for every value of an input, in memory


@dataclass(frozen=True)
class Codes(SignatureDetector):
    """The share of changed codes, of `bits` bits; with 4 ours. Fewer bits keep every second, or fourth, boundary.

    `sensitivity` weighs channels by the power of their effect on the prediction (`channel_weights`); 0: all alike.
    """

    name: ClassVar[str] = "codes"
    limits: ClassVar[Limits] = {
        **SignatureDetector.limits,
        "bits": (2, CODE_BITS),
        "sensitivity": SENSITIVITY,
    }
    bits: int = CODE_BITS
    sensitivity: float = 0.0

    def signature(self, sight: Sight, integer: IntegerDiT) -> Tensor:
        return codes(sight, integer, self.bits)

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        return weighted(now != then, self.sensitivity, integer, s)

    def cost(self, values: int) -> Cost:
        encoder = (1 << (self.bits - 1)) - 1
        weights = _weighing(self.sensitivity)
        return Cost(self.bits, encoder + 2 + weights, encoder * ACT_BITS + self.bits + 1 + weights * INT8_BITS)


@dataclass(frozen=True)
class Levels(SignatureDetector):
    """The mean distance of the 4-bit codes' levels in place of the share of changed codes."""

    name: ClassVar[str] = "levels"

    def signature(self, sight: Sight, integer: IntegerDiT) -> Tensor:
        found = codes(sight, integer, CODE_BITS)
        return torch.where(found >= SIGN, SIGN - found, found)

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        return (now - then).abs().mean((-2, -1), dtype=torch.float64)

    def cost(self, values: int) -> Cost:
        encoder = SIGN - 1
        return Cost(CODE_BITS, encoder + 2, encoder * ACT_BITS + 2 * CODE_BITS)


@dataclass(frozen=True)
class L1(SignatureDetector):
    """The mean distance of the int8 input, each in its timestep's own step: what codes and sums approximate.

    `sensitivity` as in `Codes`.
    """

    name: ClassVar[str] = "l1"
    limits: ClassVar[Limits] = {**SignatureDetector.limits, "sensitivity": SENSITIVITY}
    sensitivity: float = 0.0

    def signature(self, sight: Sight, integer: IntegerDiT) -> Tensor:
        return int8_input(sight, integer)

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        return weighted((now - then).abs(), self.sensitivity, integer, s)

    def cost(self, values: int) -> Cost:
        weights = _weighing(self.sensitivity)
        return Cost(INT8_BITS, 3 + weights, INT8_BITS * INT8_BITS + 2 * ACT_BITS + weights * ACT_BITS)


@dataclass(frozen=True)
class Pooled(SignatureDetector):
    """The mean distance of the input's means over tiles of `tokens` x `channels`, 16 bits each."""

    name: ClassVar[str] = "pooled"
    limits: ClassVar[Limits] = {
        **SignatureDetector.limits,
        "tokens": (1, 4096),  # the most that a tile can have: the machine's
        "channels": (1, 4096),
    }
    tokens: int = 16
    channels: int = 1

    def signature(self, sight: Sight, integer: IntegerDiT) -> Tensor:
        mean = tiled(equalized(sight, integer), self.tokens, self.channels)
        limit = (1 << (SUM_BITS - 1)) - 1
        return torch.floor(mean * 2.0**SUM_FRAC + 0.5).clamp(-limit, limit) / 2.0**SUM_FRAC

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        return (now - then).abs().mean((-2, -1))

    def cost(self, values: int) -> Cost:
        tile = self.tokens * self.channels
        return Cost(SUM_BITS / tile, 1 + 3 / tile, ACT_BITS + (SUM_BITS**2 + 2 * SUM_BITS) / tile)


@dataclass(frozen=True)
class Sketch(SignatureDetector):
    """The mean distance of `projections` sums of the whole input, each with its own random signs."""

    name: ClassVar[str] = "sketch"
    limits: ClassVar[Limits] = {**SignatureDetector.limits, "projections": PROJECTIONS}
    projections: int = 16

    def signature(self, sight: Sight, integer: IntegerDiT) -> Tensor:
        flat = equalized(sight, integer).flatten(2)
        signs = random_signs(self.projections, flat.shape[-1]).to(flat.device)
        return flat @ signs.T / math.sqrt(flat.shape[-1])

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        return (now - then).abs().mean(-1)

    def cost(self, values: int) -> Cost:
        share = self.projections / values
        stored = SKETCH_BITS * share
        return Cost(stored, self.projections + 3 * share, self.projections * SKETCH_BITS + 3 * SKETCH_BITS * share)


def codes(sight: Sight, integer: IntegerDiT, bits: int) -> Tensor:
    """Return codes (N, contexts, T, D) int16 of `bits` bits: the CCU's, with fewer boundaries below 4."""
    boundaries = code_boundaries(integer, FORECAST_DEFAULTS["small"], FORECAST_DEFAULTS["large"])[sight.index, sight.s]
    step = 1 << (CODE_BITS - bits)
    return encode(torch.round(integer_units(sight, integer)).to(torch.int16), boundaries[step - 1 :: step])


def int8_input(sight: Sight, integer: IntegerDiT) -> Tensor:
    """Return what the array sees, (N, contexts, T, D) float64, in units of the input's root mean square."""
    whole = torch.floor(integer_units(sight, integer) / 2**ACT_FRAC + 0.5).clamp(-INT8_MAX, INT8_MAX)
    return whole * float(integer.act_scale[sight.index, sight.s] / integer.act_rms[sight.s])


def integer_units(sight: Sight, integer: IntegerDiT) -> Tensor:
    """Return the input in units of Q9.6, whole numbers but for the last bits."""
    return sight.act / (integer.input_step(sight.index, sight.s).to(sight.act.device) / 2**ACT_FRAC)


def equalized(sight: Sight, integer: IntegerDiT) -> Tensor:
    """Return the input with equalized channels, in units of its root mean square."""
    return sight.act / (integer.act_share[sight.s].to(sight.act.device) * float(integer.act_rms[sight.s]))


def weighted(difference: Tensor, sensitivity: float, integer: IntegerDiT, s: int) -> Tensor:
    """Return the mean (N, contexts) of differences (N, contexts, T, D), their channels weighted."""
    if sensitivity:
        difference = difference * channel_weights(integer, s, sensitivity).to(difference.device)
    return difference.mean((-2, -1), dtype=torch.float64)


def _weighing(sensitivity: float) -> int:
    """Multiplications per value."""
    return int(sensitivity > 0)


@lru_cache(maxsize=8)
def random_signs(projections: int, values: int) -> Tensor:
    """Return (projections, values) float64 of 1 and -1."""
    generator = torch.Generator().manual_seed(SKETCH_SEED)
    return torch.randint(0, 2, (projections, values), generator=generator).double() * 2 - 1
