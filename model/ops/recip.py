"""Reciprocal of a positive integer times a gain: ``gain / s ~ mant * 2**-shift``.

``s -> s = m * 2**n, m Q0.20 in [1/2, 1) -> 128-entry seed Q1.15 -> one Newton step r (2 - m r) -> Q1.15
-*gain (16 bit, normalized)-> >> 16 -> mant 16 bit``; ``shift = n + gain_shift - 1``. Relative error
below 2**-13 (bounded by a test). Valid range: 1 <= s < 2**20, gain_shift >= 1.
"""

import torch

from radit.model.formats import PROB_SUM_BITS, RECIP_BITS, SEED_INDEX_BITS
from radit.model.ops.rsqrt import bit_length
from radit.model.roms import RECIP_FIRST, RECIP_ROM

MANT_MAX = (1 << RECIP_BITS) - 1
_SEED = torch.tensor(RECIP_ROM, dtype=torch.int64)


def recip(s: torch.Tensor, gain: int, gain_shift: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``(mant, shift)`` such that ``value * gain / s`` is ``value * mant >> shift``."""
    n = bit_length(s)
    m = s << (PROB_SUM_BITS - n)
    seed = _SEED.to(s.device)[(m >> (PROB_SUM_BITS - SEED_INDEX_BITS)) - RECIP_FIRST]
    product = (seed * m) >> PROB_SUM_BITS
    root = ((seed * ((2 << 15) - product)) >> 15).clamp(max=MANT_MAX)
    return (root * gain) >> 16, n + gain_shift - 1
