"""Requantization of accumulators.

``acc Q31.0 -+bias-> 33 bit -*mult-> 49 bit -half up >> shift-> Q15.0 (saturated) -> int8 (saturated)``.
mult: unsigned 16 bit, per output channel or per token; shift: 1 .. 63.
"""

import torch

from radit.model.formats import WIDE_BITS
from radit.model.ops.rounding import round_shift, saturate, saturate_int8


def requant_wide(
    acc: torch.Tensor, bias: torch.Tensor | int, mult: torch.Tensor | int, shift: torch.Tensor | int
) -> torch.Tensor:
    """Requantize to 16 bit (saturating): GELU inputs and attention scores."""
    return saturate(round_shift((acc + bias) * mult, shift), WIDE_BITS)


def requant(
    acc: torch.Tensor, bias: torch.Tensor | int, mult: torch.Tensor | int, shift: torch.Tensor | int
) -> torch.Tensor:
    """Requantize to int8 (symmetric, saturating)."""
    return saturate_int8(requant_wide(acc, bias, mult, shift))
