"""SmoothCache (J. Liu et al., "SmoothCache: A Universal Inference Acceleration Technique for DiTs", 2024).

A table made beforehand says which kinds of sub-block (attention, MLP) are reused in which timestep: from a computed
timestep t on, while the mean over the depth of ||L_t - L_(t+k)||_1 / ||L_t||_1 stays below alpha, L the branches of a
few dense calibration images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import FEW_IMAGES, RELATIVE, Limits, Method, Rule
from radit.model.dit.sampler import make_noise
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.reference import Reference, StageCapture
from radit.model.policy.skip_policy import dense

CALIBRATION_SEED = 20_411  # not an evaluation's
CFG = 1.5
KINDS = 2  # attention, MLP


@dataclass(frozen=True)
class SmoothCache(Method):
    """Reuse while the calibrated error stays below `alpha`, unitless; calibrated on `images` images.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "smoothcache"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"alpha": RELATIVE, "images": FEW_IMAGES}
    alpha: float = 0.18
    images: int = 8

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        return _TableRule(images, reuse_table(_errors(ByIdentity(integer), self.images), self.alpha))


class _TableRule(Rule):
    def __init__(self, images: int, table: Tensor) -> None:
        super().__init__(images)
        self._table = table

    def decide(self, s: int, index: int) -> Tensor:
        return self.every(bool(self._table[s % KINDS, index]))


def reuse_table(errors: Tensor, alpha: float) -> Tensor:
    """Return (kinds, steps) bool, True where reused, of errors (kinds, steps, steps) between t and t + k."""
    table = torch.zeros(errors.shape[:2], dtype=torch.bool)
    for kind, error in enumerate(errors):
        computed = 0
        for index in range(1, len(error)):
            table[kind, index] = error[computed, index] < alpha
            if not table[kind, index]:
                computed = index
    return table


def branch_errors(branches: Tensor) -> Tensor:
    """Return (kinds, steps, steps) float64: the mean relative L1 error of the branch of t at t + k, at [t, t + k].

    Args:
        branches: (steps, S, ..) float, real units.
    """
    flat = branches.flatten(2)
    size = flat.abs().sum(2)
    rows = [(flat - now).abs().sum(2) / norm for now, norm in zip(flat, size, strict=True)]
    error = torch.stack(rows).double()  # (t, t + k, S)
    return torch.stack([error[:, :, kind::KINDS].mean(2) for kind in range(KINDS)])


class ByIdentity:
    """An integer model as a key of a cache: the same object is the same model."""

    def __init__(self, integer: IntegerDiT) -> None:
        self.integer = integer

    def __hash__(self) -> int:
        return id(self.integer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.integer is self.integer


@lru_cache(maxsize=4)
def _errors(key: ByIdentity, images: int) -> Tensor:
    return branch_errors(calibration_branches(key.integer, images))


def calibration_branches(integer: IntegerDiT, images: int) -> Tensor:
    """Return the branches (steps, S, images, contexts, T, D) float32 in real units of dense calibration images."""
    config, reference = integer.config, Reference(integer, dense().tables(integer))
    labels = torch.arange(images) % config.num_classes
    host = Host(integer.dit, integer, labels, make_noise(config, images, CALIBRATION_SEED), CFG, config.tokens)
    reference.start(images, host.contexts)
    scale, steps = integer.branch_scale.float()[:, None, None, None], []
    for index in range(integer.steps):
        captures: list[StageCapture] = []
        x, _ = reference.step(host.enter(), index, host.tables, captures)
        host.leave(x, index)
        steps.append(torch.stack([capture.branch for capture in captures]).float() * scale)
    return torch.stack(steps)
