"""Gated residual add.

``branch int8 -*gate Q15.0-> 24 bit -half up >> gate_shift-> + x Q15.0 -> saturated 16 bit``.
gate is per channel and context and already contains the branch's scale and x's fraction bits.
"""

import torch

from radit.model.formats import X_BITS
from radit.model.ops.rounding import round_shift, saturate


def residual_add(x: torch.Tensor, branch: torch.Tensor, gate: torch.Tensor, gate_shift: int) -> torch.Tensor:
    """x (.., T, D), branch (.., T, D), gate (.., 1, D) -> the new x, saturated to 16 bit."""
    return saturate(x + round_shift(branch * gate, gate_shift), X_BITS)
