"""Gated residual add, and the difference of two contexts' streams.

``branch int8 -*gate Q15.0-> 24 bit -half up >> gate_shift-> + x Q15.0 + offset Q15.0 -> saturated 16 bit``.
gate is per channel and context and already contains the branch's scale and x's fraction bits; offset is per channel and
frame, with x's fraction bits: the frame embedding, in the one pass that adds it.
``X16 - X16`` and ``X16 + X16 -> saturated 16 bit``.
"""

import torch

from radit.model.formats import X_BITS
from radit.model.ops.rounding import round_shift, saturate


def residual_add(
    x: torch.Tensor, branch: torch.Tensor, gate: torch.Tensor, gate_shift: int, offset: torch.Tensor | int = 0
) -> torch.Tensor:
    """x (.., T, D), branch (.., T, D), gate (.., 1, D), offset (T, D) -> the new x, saturated to 16 bit."""
    return saturate(x + round_shift(branch * gate, gate_shift) + offset, X_BITS)


def difference(stream: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """The null class's stream less its label's (.., T, D), saturated to 16 bit."""
    return saturate(stream - label, X_BITS)


def with_difference(label: torch.Tensor, apart: torch.Tensor) -> torch.Tensor:
    """The null class's stream (.., T, D) of its label's and of their difference, saturated to 16 bit."""
    return saturate(label + apart, X_BITS)
