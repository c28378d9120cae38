"""The constant tables of the arithmetic units, as plain integers (shared by golden functions and RTL).

Each table is defined by the formula beside it, evaluated at the midpoint of its step.
"""

import math

from radit.model.formats import (
    EXP_ROM_FRAC,
    GELU_FRAC,
    INT8_MAX,
    INVERSE_BITS,
    PHI_ENTRIES,
    PHI_FRAC,
    PHI_STEP_BITS,
    SCORE_FRAC,
    SEED_INDEX_BITS,
    STREAK_BITS,
)

SEEDS = 1 << SEED_INDEX_BITS

# 1/sqrt(m), Q1.15, for m = (index + 1/2) / 256, index 64 .. 255.
RSQRT_FIRST = SEEDS // 4
RSQRT_ROM = tuple(round(2**15 / math.sqrt((i + 0.5) / SEEDS)) for i in range(RSQRT_FIRST, SEEDS))

# 1/m, Q1.15, for m = (index + 1/2) / 256, index 128 .. 255.
RECIP_FIRST = SEEDS // 2
RECIP_ROM = tuple(round(2**15 / ((i + 0.5) / SEEDS)) for i in range(RECIP_FIRST, SEEDS))

# 1/gap, Q1.12, for a gap of 0 .. 63 timesteps; 0 for gap 0.
GAP_INVERSE = (0,) + tuple(round((1 << (INVERSE_BITS - 1)) / gap) for gap in range(1, 1 << STREAK_BITS))

# 127 * 2**-f with 8 extra bits, f = index / 64.
EXP_ROM = tuple(round(INT8_MAX * 2**EXP_ROM_FRAC * 2 ** (-i / (1 << SCORE_FRAC))) for i in range(1 << SCORE_FRAC))


def _phi(u: float) -> float:
    """tanh form of the normal distribution function (Hendrycks & Gimpel 2016)."""
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))


# Phi(u), Q1.12, for u = (index + 1/2) / 64; the last entry stands for every |u| >= 255/64.
PHI_ROM = tuple(
    round((1 << PHI_FRAC) * _phi((i + 0.5) * 2 ** (PHI_STEP_BITS - GELU_FRAC))) for i in range(PHI_ENTRIES - 1)
) + (1 << PHI_FRAC,)
