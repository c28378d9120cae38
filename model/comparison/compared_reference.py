"""Published policies on the integer reference: its operations, its branch cache before the gate, other decisions.

Nothing of this is in the hardware: the decisions are floating-point software, bit-exactness is that of the computed
and of the forecast branches.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from radit.model.baselines.base import Method, Sight, real_input
from radit.model.detectors.detector import Detector
from radit.model.formats import CODE_LEVELS, STREAK_BITS
from radit.model.integer.engines import Stages
from radit.model.integer.exact_float64 import Tally
from radit.model.integer.integer_dit import Conditioning, IntegerDiT
from radit.model.integer.policy_tables import PolicyTables
from radit.model.integer.reference import Reference
from radit.model.ops.dtsm import DtsmRegisters, decide


class MethodReference(Reference):
    """The reference under a published policy."""

    def __init__(self, integer: IntegerDiT, method: Method) -> None:
        self.method = method
        super().__init__(integer, tables_of(method, integer))

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every cached result and every decision."""
        super().start(images, contexts)
        self._rule = self.method.rule(self.integer, images)
        self._entered = self._moved = None

    def _add(self, x: Tensor, branch: Tensor, s: int, index: int, tables: Conditioning, tally: Tally) -> Tensor:
        self._entered = x if s == 0 else self._entered
        x = self._passed(s, x, super()._add(x, branch, s, index, tables, tally), tally)
        self._moved = x - self._entered
        self._rule.passed(s, index, x)
        return x

    def _passed(self, s: int, before: Tensor, x: Tensor, tally: Tally) -> Tensor:
        """The stream behind sub-block s, of the stream before it and with its branch added."""
        return x

    def _follow(self, s: int, index: int) -> tuple[Tensor, Tensor] | None:
        return self._settled(s, index) if bool(self.policy.follow[index, s]) else None

    def _decide(self, act: Tensor, s: int, index: int) -> tuple[Tensor | None, Tensor, Tensor]:
        real = real_input(self.integer, s, index, act)
        self._rule.observe(Sight(s, index, real, self._moved if s else None))
        return None, *self._settled(s, index)  # nothing is encoded

    def _settled(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        """Changed codes (none) and computed, both (N, contexts), of what the rule decides and the machine can do."""
        none = torch.zeros(self.images, self.contexts, dtype=torch.int64)
        wanted = self._rule.decide(s, index)
        wanted = wanted[:, : self.contexts] if wanted.dim() > 1 else wanted.unsqueeze(1).expand_as(none)
        reuse, self.state[s] = decide(self.state[s], none, 1, 0, False, self.policy.registers, wanted)
        return none, ~reuse

    def _branch(
        self, a: Tensor, computed: Tensor, codes: Tensor | None, s: int, index: int, tally: Tally, stages: Stages | None
    ) -> Tensor:
        branch = super()._branch(a, computed, codes, s, index, tally, stages)
        if not self.policy.stream_scope:
            self._rule.learn(s, branch)
        return branch


def tables_of(method: Method, integer: IntegerDiT) -> PolicyTables:
    """Return tables that cache, forecast with the method's gain, and leave all decisions to it."""
    if isinstance(method, Detector):
        tables = method.policy.tables(integer)
        follow = tables.follow.clone()
        follow[:, method.decider(integer.config.block_bounds)] = False
        return replace(tables, follow=follow, difference=method.difference)
    steps, subs = integer.act_scale.shape
    return PolicyTables(
        detect=True,
        thresholds=torch.zeros(steps, subs, dtype=torch.int64),
        force=torch.zeros(steps, dtype=torch.bool),
        boundaries=torch.zeros(steps, subs, CODE_LEVELS, dtype=torch.int64),
        gains=torch.full((steps, subs), method.slope_gain),
        follow=torch.zeros(steps, subs, dtype=torch.bool),
        stream_scope=False,
        registers=DtsmRegisters(max_streak=(1 << STREAK_BITS) - 1),
        plan=torch.ones(steps, 2, dtype=torch.bool),
    )
