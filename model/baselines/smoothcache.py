"""SmoothCache (J. Liu et al., "SmoothCache: A Universal Inference Acceleration Technique for DiTs", 2024; code
`SmoothCache/calibration/calibration_helper.py` of Roblox/SmoothCache v0.1.1-6-gedeb4ed).

A table made beforehand says which kinds of sub-block (attention, cross-attention, MLP) are reused in which timestep.
With L_t the branches of a few dense calibration images, and the mean over the depth,

    E(t, k) = mean of ||L_t - L_(t+k)||_1 / ||L_(t+k)||_1

From timestep 0 on: t is computed; the largest k of `ahead`, .., 1 with E(t, k) <= alpha gives the k timesteps behind t
that are reused, and t + k + 1 comes next; where there is none, t + 1. The last timestep is computed. Only the distance
to the end of a row of reuses counts, those within it are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.baselines.base import FEW_IMAGES, RELATIVE, STEPS, Limits, Method, Rule
from radit.model.dit.sampler import make_noise
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.reference import Reference, StageCapture
from radit.model.policy.skip_policy import dense
from radit.model.threads import one_thread

CALIBRATION_SEED = 20_411  # not an evaluation's
CFG = 1.5


@dataclass(frozen=True)
class SmoothCache(Method):
    """Reuse up to `ahead` timesteps whose calibrated error is at most `alpha`, unitless; calibrated on `images` images.

    In software alone; cycles by the cycle model.
    """

    name: ClassVar[str] = "smoothcache"
    planned: ClassVar[bool] = True
    limits: ClassVar[Limits] = {"alpha": RELATIVE, "ahead": STEPS, "images": FEW_IMAGES}
    alpha: float = 0.18
    ahead: int = 3
    images: int = 8

    def rule(self, integer: IntegerDiT, images: int) -> Rule:
        table = reuse_table(_errors(ByIdentity(integer), self.images), self.alpha, self.ahead)
        return _TableRule(images, table, integer.config.kinds)


class _TableRule(Rule):
    def __init__(self, images: int, table: Tensor, kinds: Sequence[str]) -> None:
        super().__init__(images)
        self._rows = dict(zip(dict.fromkeys(kinds), table, strict=True))
        self._kinds = kinds

    def decide(self, s: int, index: int) -> Tensor:
        return self.every(bool(self._rows[self._kinds[s]][index]))


def reuse_table(errors: Tensor, alpha: float, ahead: int) -> Tensor:
    """Return (kinds, steps) bool, True where reused, of errors (kinds, steps, steps) between t and t + k."""
    table = torch.zeros(errors.shape[:2], dtype=torch.bool)
    for kind, error in enumerate(errors):
        steps, computed = len(error), 0
        while computed < steps:
            reaches = range(min(ahead, steps - 1 - computed), 0, -1)
            reach = next((k for k in reaches if error[computed, computed + k] <= alpha), 0)
            table[kind, computed + 1 : computed + 1 + reach] = True
            computed += reach + 1
    table[:, -1] = False
    return table


def branch_errors(branches: Tensor, kinds: Sequence[str]) -> Tensor:
    """Return (kinds, steps, steps) float64: the mean relative L1 error of the branch of t at t + k, at [t, t + k].

    Args:
        branches: (steps, S, ..) float, real units.
        kinds: of every sub-block, in the order of whose first the rows are.
    """
    flat = branches.flatten(2)
    size = flat.abs().sum(2)
    error = torch.stack([(flat - now).abs().sum(2) / size for now in flat]).double()  # (t, t + k, S)
    named = [[s for s, kind in enumerate(kinds) if kind == each] for each in dict.fromkeys(kinds)]
    return torch.stack([error[:, :, chosen].mean(2) for chosen in named])


class ByIdentity:
    """An integer model as a key of a cache: the same object is the same model."""

    def __init__(self, integer: IntegerDiT) -> None:
        self.integer = integer

    def __hash__(self) -> int:
        return id(self.integer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.integer is self.integer


@lru_cache(maxsize=4)
@one_thread()
def _errors(key: ByIdentity, images: int) -> Tensor:
    return branch_errors(calibration_branches(key.integer, images), key.integer.config.kinds)


def calibration_branches(integer: IntegerDiT, images: int) -> Tensor:
    """Return the branches (steps, S, images, contexts, T, D) float32 in real units of dense calibration images."""
    scale = integer.branch_scale.float()[:, None, None, None]
    timesteps = dense_timesteps(integer, images)
    return torch.stack([torch.stack([one.branch for one in captures]).float() * scale for captures, _ in timesteps])


def dense_timesteps(integer: IntegerDiT, images: int) -> Iterator[tuple[list[StageCapture], Tensor]]:
    """Yield the captures of a timestep's sub-blocks, and the stream (images, contexts, T, D) behind the last, of dense
    calibration images."""
    config, reference = integer.config, Reference(integer, dense().tables(integer))
    labels = torch.arange(images) % config.num_classes
    host = Host(integer.dit, integer, labels, make_noise(config, images, CALIBRATION_SEED), CFG, config.tokens)
    reference.start(images, host.contexts)
    for index in range(integer.steps):
        captures: list[StageCapture] = []
        x, _ = reference.step(host.enter(), index, host.tables, captures)
        host.leave(x, index)
        yield captures, x
