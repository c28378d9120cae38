"""Reciprocal square root of a positive integer: ``1/sqrt(w) ~ mant * 2**-15 * 2**-q``.

``w -> w = m * 4**q, m Q0.16 in [1/4, 1) -> 192-entry seed Q1.15 -> one Newton step -> mant Q1.15``.
Relative error below 2**-14 (bounded by a test). Valid range: 1 <= w < 2**54. Formula: Newton-Raphson on
``1/r**2 - m`` (r' = r (3 - m r**2) / 2).
"""

import torch

from radit.model.formats import RSQRT_BITS, SEED_INDEX_BITS, VAR_BITS
from radit.model.roms import RSQRT_FIRST, RSQRT_ROM

MANT_MAX = (1 << RSQRT_BITS) - 1
_SEED = torch.tensor(RSQRT_ROM, dtype=torch.int64)


def bit_length(value: torch.Tensor) -> torch.Tensor:
    """Number of bits of a non-negative integer below 2**62 (0 for 0), exact."""
    length = torch.zeros_like(value)
    rest = value.clone()
    for step in (32, 16, 8, 4, 2, 1):
        big = rest >= (1 << step)
        length = torch.where(big, length + step, length)
        rest = torch.where(big, rest >> step, rest)
    return length + (rest > 0)


def rsqrt(w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``(mant, q)`` of ``w`` (any shape, 1 <= w < 2**54)."""
    q = (bit_length(w) + 1) >> 1
    m = (w << (VAR_BITS - 2 * q)) >> (VAR_BITS - 16)
    seed = _SEED.to(w.device)[(m >> (RSQRT_BITS - SEED_INDEX_BITS)) - RSQRT_FIRST]
    square = (seed * seed) >> 15
    product = (square * m) >> 16
    correction = (3 << 15) - product
    mant = (seed * correction) >> 16
    return mant.clamp(max=MANT_MAX), q
