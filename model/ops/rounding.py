"""Rounding shift and saturation, shared by all units.

``round_shift``: ``v -> floor(v / 2**s + 1/2)`` (half up), formed as ``((v >> (s-1)) + 1) >> 1``.
"""

import torch

from radit.model.formats import INT8_MAX


def round_shift(value: torch.Tensor, shift: torch.Tensor | int) -> torch.Tensor:
    """``value >> shift`` rounded half up; ``shift >= 1``, broadcast over ``value``."""
    return ((value >> (shift - 1)) + 1) >> 1


def saturate(value: torch.Tensor, bits: int) -> torch.Tensor:
    """Clamp to the two's-complement range of ``bits``."""
    return value.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def saturate_int8(value: torch.Tensor) -> torch.Tensor:
    """Clamp to the symmetric int8 range ``-127 .. 127``."""
    return value.clamp(-INT8_MAX, INT8_MAX)
