"""What all published caching policies have in common.

A `Method` is a kind of policy with its numbers: printable, hashable, without state. For every batch of images it makes
a `Rule`, which observes what the method looks at and decides which images reuse a sub-block. The published policies
decide per image, for both guidance contexts together: their code runs both in one batch and decides for that batch.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.formats import ACT_FRAC
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.ranges import RANGES, Range
from radit.model.settings_text import write_text

Limits = Mapping[str, tuple[float, float]]
Bounds = int | Sequence[int]
"""Number of the first sub-block of every block, and how many sub-blocks there are; or that alone, where all blocks have
two."""
RELATIVE = (0.0, 1000.0)  # thresholds of relative changes: beyond it everything is reused
STEPS = (1, RANGES["steps"].high)
FEW_IMAGES = (1, 1024)  # of a calibration, whose dense runs are all kept in memory


@dataclass(frozen=True)
class Sight:
    """What a sub-block shows before it is decided. N images.

    Fields:
        s: its number.
        index: timestep, as a position in `integer.timesteps`.
        act: (N, contexts, T, D) float64, its modulated input in real units.
        moved: (N, contexts, T, D) float64, what the sub-blocks before it added to the residual stream in this
            timestep, in the stream's integers; None for sub-block 0.
    """

    s: int
    index: int
    act: Tensor
    moved: Tensor | None


def real_input(integer: IntegerDiT, s: int, index: int, act: Tensor) -> Tensor:
    """Return the modulated input (.., T, D) of sub-block s in real units, float64, of act Q9.6."""
    return act.double() * (integer.input_step(index, s).to(act.device) / 2**ACT_FRAC)


def bounds_of(sub_blocks: Bounds) -> Sequence[int]:
    """Return the first sub-block of every block, and the number of all."""
    return range(0, sub_blocks + 1, 2) if isinstance(sub_blocks, int) else sub_blocks


class Rule:
    """Decides for one batch of N images; forgotten with it. This one computes everything."""

    def __init__(self, images: int) -> None:
        self.images = images

    def observe(self, sight: Sight) -> None:
        """Look at sub-block `sight.s`, before `decide` is asked about it."""

    def decide(self, s: int, index: int) -> Tensor:
        """Images (N,), or images and contexts (N, contexts), bool, that reuse sub-block s at timestep `index`, if they
        have a branch of it."""
        return self.every(False)

    def learn(self, s: int, branch: Tensor) -> None:
        """See the branch (N, contexts, T, D) that sub-block s gave after `decide`: computed, cached or forecast."""

    def passed(self, s: int, index: int, x: Tensor) -> None:
        """See the residual stream (N, contexts, T, D) behind sub-block s, float64, in the stream's integers."""

    def every(self, reuse: bool) -> Tensor:
        """The same decision for all images: (N,) bool."""
        return torch.full((self.images,), reuse)


@dataclass(frozen=True)
class Method:
    """A published policy and its numbers. It exists in software alone; its cycles come from the cycle model.

    Class attributes:
        name: as `parse_method` knows it.
        planned: decisions do not depend on the image, so that the host knows them before the run.
        keeps_output: of a span the stream behind it is kept, and takes the place of the stream; else what the span adds
            to the stream.
        limits: the smallest and largest value of numbers; others are 0 (whole ones: 1) or more, and finite.
    """

    name: ClassVar[str]
    planned: ClassVar[bool] = False
    keeps_output: ClassVar[bool] = False
    limits: ClassVar[Limits] = {}

    def __post_init__(self) -> None:
        for name, limits in self.ranges().items():
            value, field = getattr(self, name), f"Policy {self.name} has {name}, which"
            if isinstance(value, tuple | list):
                found = tuple(limits.check(field, part) for part in value)
            else:
                found = limits.check(field, value)
            object.__setattr__(self, name, found)

    @classmethod
    def ranges(cls) -> dict[str, Range]:
        """Return the ranges of all numbers, and of knots, by field."""
        found = {}
        for each in fields(cls):
            kind = each.type if isinstance(each.type, str) else getattr(each.type, "__name__", "")
            if kind in ("int", "float") or kind.startswith("tuple"):
                limits = cls.limits.get(each.name, (1, 2**63 - 1) if kind == "int" else (0.0, sys.float_info.max))
                found[each.name] = Range(*limits, whole=kind == "int")
        return found

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        """Return the decisions of a new batch."""
        return Rule(images)

    @property
    def slope_gain(self) -> int:
        """Gain of the forecast's slope, Q1.7; 0: the latest computed branch is reused as it is."""
        return 0

    @property
    def forecast_order(self) -> int:
        """Results that a forecast takes beside the latest one; 0: it is reused as it is."""
        return int(self.slope_gain > 0)

    @property
    def whole_stream(self) -> bool:
        """Whether all sub-blocks are one span."""
        return False

    def spans(self, sub_blocks: Bounds) -> tuple[range, ...]:
        """Sub-blocks in a row that are reused together as one residual of the stream; none: branch by branch."""
        return (range(bounds_of(sub_blocks)[-1]),) if self.whole_stream else ()

    def watched(self, sub_blocks: Bounds) -> Sequence[int]:
        """Which of a model's sub-blocks are compared with an earlier tensor that is kept for that."""
        return ()

    @property
    def text(self) -> str:
        """The policy as `parse_method` reads it, with all of its numbers."""
        return write_text(self.name, {each.name: getattr(self, each.name) for each in fields(self)})

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the policy."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def relative_change(now: Tensor, then: Tensor) -> Tensor:
    """Return mean |now - then| / mean |then| of each image, (N,) float64, of values (N, ..).

    Image by image: the last bits of a sum, and with them decisions, must not depend on the batch.
    """
    pairs = zip(now, then, strict=True)
    return torch.stack([(a - b).abs().mean() / b.abs().mean() for a, b in pairs]).cpu()


def keep(kept: Tensor | None, now: Tensor, where: Tensor) -> Tensor:
    """Return `kept` (N, ..) with the images `where` (N,) bool replaced by those of `now`; all of `now` at first."""
    if kept is None:
        return now.clone()
    kept[where] = now[where]
    return kept
