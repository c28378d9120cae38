"""LayerNorm without affine part, per token over the hidden dimension D.

``y = (D x - s1) / sqrt(D s2 - s1**2 + eps)`` with ``s1 = sum x``, ``s2 = sum x*x``: the usual
``(x - mean) / sqrt(var + eps)`` multiplied through by D, exact up to the reciprocal root.
``x Q15.0 -> d = D x - s1 (29 bit) -*mant Q1.15-> 45 bit -half up >> (q + 15 - LN_FRAC)-> Q5.10 saturated``.
"""

import torch

from radit.model.formats import LN_BITS, LN_FRAC
from radit.model.ops.rounding import round_shift, saturate
from radit.model.ops.rsqrt import rsqrt

SHIFT_OFFSET = 15 - LN_FRAC


def layernorm(x: torch.Tensor, eps: int) -> torch.Tensor:
    """x (.., T, D) 16-bit integers -> (.., T, D) Q5.10. ``eps >= 1`` is D**2 * 1e-6 * 4**x_frac."""
    hidden = x.shape[-1]
    s1 = x.sum(-1, keepdim=True)
    s2 = (x * x).sum(-1, keepdim=True)
    mant, q = rsqrt(hidden * s2 - s1 * s1 + eps)
    return saturate(round_shift((hidden * x - s1) * mant, q + SHIFT_OFFSET), LN_BITS)
