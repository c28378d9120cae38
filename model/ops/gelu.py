"""GELU, tanh form, and requantization to int8.

``u Q5.10 -> Phi(|u|) Q1.12 from a 256-entry ROM (step 1/64, midpoints) -> u * Phi half up >> 12 -> Q5.10
-*mult 10 bit-> half up >> shift -> int8 saturated``; mult per channel.
``Phi(-u) = 1 - Phi(u)``; beyond |u| = 4 Phi is 0 or 1.
Source of the form: 0.5 (1 + tanh(sqrt(2/pi) (u + 0.044715 u**3))), Hendrycks & Gimpel 2016.
"""

import torch

from radit.model.formats import PHI_ENTRIES, PHI_FRAC, PHI_STEP_BITS
from radit.model.ops.rounding import round_shift, saturate_int8
from radit.model.roms import PHI_ROM

_PHI = torch.tensor(PHI_ROM, dtype=torch.int64)


def gelu(u: torch.Tensor) -> torch.Tensor:
    """u Q5.10 -> GELU(u) Q5.10."""
    index = (u.abs() >> PHI_STEP_BITS).clamp(max=PHI_ENTRIES - 1)
    phi = _PHI.to(u.device)[index]
    phi = torch.where(u < 0, (1 << PHI_FRAC) - phi, phi)
    return round_shift(u * phi, PHI_FRAC)


def gelu_int8(u: torch.Tensor, mult: torch.Tensor | int, shift: int) -> torch.Tensor:
    """u (.., M) Q5.10 -> GELU(u) as int8 in the scales that mult (M,), or one of all, and shift set."""
    return saturate_int8(round_shift(gelu(u) * mult, shift))
