"""adaLN modulation and activation quantization.

``y Q5.10 -*scale 16 bit-> 32 bit -half up >> mod_shift-> + shift Q9.6 -> a Q9.6 saturated 16 bit``;
``a -half up >> 6-> int8 saturated``. scale and shift are per channel, context and timestep and already
hold the division by the timestep's activation scale, so ``a`` counts int8 steps in 1/64.
"""

import torch

from radit.model.formats import ACT_BITS, ACT_FRAC
from radit.model.ops.rounding import round_shift, saturate, saturate_int8


def modulate(y: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, mod_shift: int) -> torch.Tensor:
    """y (.., T, D), scale and shift (.., 1, D) -> a (.., T, D) in Q9.6."""
    return saturate(round_shift(y * scale, mod_shift) + shift, ACT_BITS)


def quantize(a: torch.Tensor) -> torch.Tensor:
    """a Q9.6 -> int8."""
    return saturate_int8(round_shift(a, ACT_FRAC))
