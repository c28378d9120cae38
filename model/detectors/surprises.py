"""Surprise as the detector: the distance to the input that was to be expected, in place of the last computed one.

With the last two computed inputs I_F and I_F', `gap` timesteps apart, the input expected k timesteps after I_F is
I_F + (I_F - I_F') k / gap. Source of the idea: RFC, 2025, which forecasts the input so; the form that keeps one number
in place of a second input, `count`, is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import Rule, Sight, keep
from radit.model.detectors.detector import Cost, Detector, DetectorRule, SignatureDetector
from radit.model.detectors.signatures import L1, Codes, Levels
from radit.model.integer.integer_dit import IntegerDiT


class Form(StrEnum):
    """How far an input is from the expected one, c the share of changed 4-bit codes.

    COUNT: | c_k - c_gap k / gap |, c_k of the input against I_F, c_gap of I_F against I_F' when it was computed.
    LEVELS: mean distance of the codes' levels to the expected levels.
    L1: mean distance of the int8 inputs, in units of the input's root mean square.
    """

    COUNT = "count"
    LEVELS = "levels"
    L1 = "l1"


SIGNATURES: dict[Form, SignatureDetector] = {Form.COUNT: Codes(), Form.LEVELS: Levels(), Form.L1: L1()}


@dataclass(frozen=True)
class Surprise(Detector):
    """Reuse while the input is about where the last two computed ones let expect it.

    Fields:
        form: of the distance.
    """

    name: ClassVar[str] = "surprise"
    threshold: float = 0.1
    schedule: tuple[float, ...] = (1.0,)
    form: Form = Form.COUNT

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "form", Form(self.form))

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return SurpriseRule(self, integer, images)

    def cost(self, values: int) -> Cost:
        plain = SIGNATURES[self.form].cost(values)
        if self.form is Form.COUNT:
            return plain
        return Cost(2 * plain.stored_bits, plain.operations + 3, plain.bit_operations + 3 * plain.stored_bits)


class SurpriseRule(DetectorRule):
    """Keeps of each sub-block the last computed input and its share of changes, or the last two inputs."""

    def __init__(self, method: Surprise, integer: IntegerDiT, images: int) -> None:
        super().__init__(method, integer, images)
        self.signatures, self.counts = SIGNATURES[method.form], method.form is Form.COUNT
        self.latest: dict[int, Tensor] = {}
        self.before: dict[int, Tensor] = {}  # its change until the latest: of counts one number for all values
        self.now = self.moved = torch.empty(0)

    def distance(self, sight: Sight) -> Tensor:
        s = sight.s
        self.now = self.signatures.signature(sight, self.integer)
        latest = self.latest.get(s, self.now)
        if self.counts:
            self.moved = self.signatures.apart(self.now, latest, self.integer, s).cpu()
            return (self.moved - self._expected(s, self.moved)).abs()
        self.moved = self.now - latest
        return (self.moved - self._expected(s, self.moved)).abs().mean((-2, -1), dtype=torch.float64)

    def _expected(self, s: int, like: Tensor) -> Tensor:
        """The change since the latest computed input that a line through the last two lets expect."""
        if s not in self.state:
            return torch.zeros_like(like)
        ratio = (self.state[s].streak + 1.0) / self.state[s].gap.clamp(min=1)
        return self.before[s] * ratio.view(*ratio.shape, *(1,) * (like.dim() - 2)).to(like.device)

    def computed(self, sight: Sight, where: Tensor) -> None:
        s, there = sight.s, where.to(self.now.device)
        self.before[s] = keep(self.before.get(s), self.moved, where.to(self.moved.device))
        self.latest[s] = keep(self.latest.get(s), self.now, there)
