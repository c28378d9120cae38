"""Compress-and-Compare Unit: 4-bit codes of the modulated input, compared with the stored ones.

``a Q9.6 -cut 3-> Q9.3 -> m = itself, or its complement where a < 0 -> level 0..7 = number of boundaries b_1 <= .. <=
b_7 that m reaches -> code = sign << 3 | level`` (level 0 has no sign). The seven boundaries carry the three encoding
rules (see ``model/policy/skip_policy.py``) and are loaded per timestep, divided by the timestep's activation scale:
codes therefore compare across timesteps.
"""

import torch

from radit.model.formats import CODE_CUT


def encode(a: torch.Tensor, boundaries: torch.Tensor) -> torch.Tensor:
    """a (..) Q9.6, boundaries (7,) in Q7.3 -> 4-bit codes (..)."""
    seen = a >> CODE_CUT
    magnitude = torch.where(a < 0, ~seen, seen)
    level = torch.zeros_like(a)
    for boundary in boundaries.tolist():
        level = level + (magnitude >= boundary)
    return torch.where((a < 0) & (level > 0), level + 8, level)


def changed(codes: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """Number of codes with a non-zero XOR over the last two dimensions (T, D)."""
    return ((codes ^ stored) != 0).sum((-2, -1))
