"""Softmax numerators relative to the row's maximum, and their sum.

``score Q9.6 in log2 units -> z = max - score -> 127 * 2**-frac(z) from a 64-entry ROM (8 extra bits) -> >> int(z) ->
half up >> 8 -> 0 .. 127``. Scores enter clamped to -32767 .. 32767; -32768 marks a masked key, whose numerator is 0.
The division by the sum happens after the product with V (``recip`` and ``requant``), so that the int8 numerators use
their whole range however flat the row is.
"""

import torch

from radit.model.formats import EXP_ROM_FRAC, MAX_EXPONENT, SCORE_FRAC, WIDE_BITS
from radit.model.ops.rounding import round_shift
from radit.model.roms import EXP_ROM

MASKED = -(1 << (WIDE_BITS - 1))
_EXP = torch.tensor(EXP_ROM, dtype=torch.int64)


def softmax(scores: torch.Tensor, valid: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """scores (.., M, N) Q9.6, valid (.., M, N) bool -> numerators (.., M, N) and their sums (.., M, 1)."""
    scores = scores.clamp(min=MASKED + 1)
    if valid is not None:
        scores = scores.masked_fill(~valid, MASKED)
    z = scores.amax(-1, keepdim=True) - scores
    exponent = (z >> SCORE_FRAC).clamp(max=MAX_EXPONENT)
    e = round_shift(_EXP.to(z.device)[z & ((1 << SCORE_FRAC) - 1)] >> exponent, EXP_ROM_FRAC)
    if valid is not None:
        e = e.masked_fill(~valid, 0)
    return e, e.sum(-1, keepdim=True)
