"""Dynamic Threshold Scaling Module: the decision of a sub-block, for each context.

``theta = (table * (256 - streak * streak_step) >> 8) * factor >> 7`` (Q0.16, saturated); reuse iff
``count << 16 < theta * total``, a result is cached, nothing forces a computation and the streak is not exhausted.
``factor`` (Q1.7) is ``tight`` when the distance to the last computed input grew in this step by more than its running
average, ``loose`` otherwise: the features' fluctuation.
A sub-block that follows takes the decision of the one before it instead of the comparison.
All values are int64 tensors of one shape (..), bool where named so.
"""

from dataclasses import dataclass

import torch

from radit.model.formats import AVERAGE_SHIFT, FACTOR_BITS, SLOPE_MAX, STREAK_BITS, THRESHOLD_BITS

GAP_MAX = (1 << STREAK_BITS) - 1
THRESHOLD_MAX = (1 << THRESHOLD_BITS) - 1


@dataclass
class DtsmState:
    """What the controller remembers per sub-block and context; cleared at the start of an image."""

    valid: torch.Tensor  # bool: a result is cached
    streak: torch.Tensor  # reuses since the last computation
    last_count: torch.Tensor  # distance to the last computed input, one step ago
    average: torch.Tensor  # running average of the distance's change per step
    gap: torch.Tensor  # timesteps between the last two computations; 0: there was one at most

    @classmethod
    def cleared(cls, *shape: int) -> "DtsmState":
        """The state at the start of an image."""
        zero = torch.zeros(shape, dtype=torch.int64)
        return cls(torch.zeros(shape, dtype=torch.bool), zero, zero.clone(), zero.clone(), zero.clone())


@dataclass(frozen=True)
class DtsmRegisters:
    """Run-time registers: streak_step (Q0.8), tight and loose (Q1.7), max_streak (0: never reuse), slope_max (Q3.8, the
    largest coefficient of a forecast)."""

    streak_step: int = 0
    tight: int = 128
    loose: int = 128
    max_streak: int = 0
    slope_max: int = SLOPE_MAX


def threshold(table: int, streak: torch.Tensor, growing: torch.Tensor, regs: DtsmRegisters) -> torch.Tensor:
    """The scaled threshold, Q0.16."""
    scale = ((1 << FACTOR_BITS) - streak * regs.streak_step).clamp(min=0)
    factor = torch.where(growing, regs.tight, regs.loose)
    return ((((table * scale) >> FACTOR_BITS) * factor) >> (FACTOR_BITS - 1)).clamp(max=THRESHOLD_MAX)


def decide(
    state: DtsmState,
    count: torch.Tensor,
    total: int,
    table: int,
    force: bool,
    regs: DtsmRegisters,
    lead: torch.Tensor | None = None,
) -> tuple[torch.Tensor, DtsmState]:
    """Return (reuse, next state) where ``count`` of ``total`` codes changed since the last computation.

    ``lead``, bool, takes the place of the comparison in a sub-block that follows the one before it.
    """
    delta = (count - state.last_count).abs()
    average = torch.where(state.average == 0, delta, state.average)
    theta = threshold(table, state.streak, delta > average, regs)
    reuse = (count << THRESHOLD_BITS) < theta * total if lead is None else lead
    reuse = reuse & state.valid & (state.streak < regs.max_streak)
    if force:
        reuse = torch.zeros_like(reuse)
    moved = average + ((delta - average) >> AVERAGE_SHIFT)
    zero = torch.zeros_like(count)
    apart = torch.where(state.valid, (state.streak + 1).clamp(max=GAP_MAX), zero)
    following = DtsmState(
        valid=torch.ones_like(state.valid),
        streak=torch.where(reuse, state.streak + 1, zero),
        last_count=torch.where(reuse, count, zero),
        average=torch.where(state.valid, moved, zero),
        gap=torch.where(reuse, state.gap, apart),
    )
    return reuse, following
