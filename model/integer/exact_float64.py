"""The operations of `model/ops`, fused for speed: integers carried exactly by float64.

A product chain ``(sum + bias) * mult >> shift`` has less than 53 bits, every term is a multiple of
``2**-shift``, and float64 therefore adds it exactly in any order: the rounding constant 1/2 can be folded into the
bias. The sums of weight products come from an int8 matrix kernel where the processor has an exact one that is faster;
elsewhere the multiplier is folded into the weights as well, which leaves one float64 product, one floor and one clamp.
Functions of one 16-bit value are looked up in a table that the golden function itself fills.
Every function here equals its golden counterpart word by word (tests/model/test_reference.py).

All tensors are float64 holding integers unless stated otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from radit.model.formats import (
    ACT_BITS,
    ACT_FRAC,
    INT8_MAX,
    LN_BITS,
    MAX_EXPONENT,
    SCORE_FRAC,
    SLOPE_FRAC,
    WIDE_BITS,
    X_BITS,
)
from radit.model.ops.ccu import encode
from radit.model.ops.gelu import gelu
from radit.model.ops.layernorm import SHIFT_OFFSET
from radit.model.ops.recip import recip
from radit.model.ops.reuse import BRANCH
from radit.model.ops.rsqrt import rsqrt
from radit.model.ops.softmax import MASKED, softmax

HALF = 0.5
WIDE_VALUES = torch.arange(-(1 << (WIDE_BITS - 1)), 1 << (WIDE_BITS - 1))
_GELU = gelu(WIDE_VALUES).float()  # at index u + 32768


PLACES = ("residual", "layernorm", "modulate", "score", "u")  # where 16-bit formats clamp


class Tally:
    """Counts, by name, of the values that a clamp changed."""

    def __init__(self, clips: bool = False) -> None:
        self.count_clips = clips
        self.saturated: dict[str, int] = dict.fromkeys(PLACES, 0)
        self.clipped: dict[str, int] = {}

    def saturate(self, name: str, value: Tensor, bits: int, counts: Tensor | None = None) -> Tensor:
        """Clamp to a two's-complement format, in place, and count what changed, where ``counts`` is True."""
        if not value.numel():
            return value
        low, high = float(-(1 << (bits - 1))), float((1 << (bits - 1)) - 1)
        least, most = torch.aminmax(value)
        if least < low or most > high:
            changed = (value < low) | (value > high)
            changed = changed if counts is None else changed & counts
            self.saturated[name] = self.saturated.get(name, 0) + int(changed.sum())
            value.clamp_(low, high)
        return value

    def clip(self, name: str, value: Tensor) -> Tensor:
        """Clamp to symmetric int8, in place, and count what changed where clips are counted."""
        if self.count_clips:
            self.clipped[name] = self.clipped.get(name, 0) + int((value.abs() > INT8_MAX).sum())
        return value.clamp_(-INT8_MAX, INT8_MAX)


def scale_of(mult: Tensor, shift: Tensor) -> Tensor:
    """``mult * 2**-shift`` of integer tensors, exact."""
    return torch.ldexp(mult.double(), -shift.to(torch.int32))


@cache
def has_int8_kernel(device: str) -> bool:
    """Whether torch multiplies int8 matrices on a kind of device exactly, and on the CPU faster than in float64.

    Kernels without instructions of their own saturate sums of two products: they show on values at the limits.
    """
    size = 256
    a = torch.full((size, size), INT8_MAX, dtype=torch.int8, device=device)
    a[1::2] = -INT8_MAX
    wide, kernel = a.double(), torch._int_mm
    try:
        if not torch.equal(kernel(a, a.t()).double(), wide @ wide.t()):
            return False
    except RuntimeError:  # this device has none
        return False
    return device != "cpu" or _seconds(lambda: kernel(a, a.t())) < _seconds(lambda: torch.mm(wide, wide.t()))


def _seconds(work: Callable[[], Tensor], times: int = 5) -> float:
    """The shortest of a few runs."""
    taken = []
    for _ in range(times):
        since = time.perf_counter()
        work()
        taken.append(time.perf_counter() - since)
    return min(taken)


def linear(a: Tensor, weight: Tensor, bias: Tensor, scale: Tensor) -> Tensor:
    """``matmul`` and the rounding of ``requant``: a (M, K), weight (out, K) int8, bias and scale (out,) -> (M, out)."""
    offset = bias * scale + HALF
    if has_int8_kernel(a.device.type) and (a.device.type == "cpu" or _suits_cuda(a, weight)):
        return torch._int_mm(a.to(torch.int8), weight.t()).double().mul_(scale).add_(offset).floor_()
    return torch.addmm(offset, a, (weight * scale.unsqueeze(1)).t()).floor_()


def _suits_cuda(a: Tensor, weight: Tensor) -> bool:
    """CUDA's int8 kernel takes more than 16 rows, and 8 inputs or outputs at a time."""
    return len(a) > 16 and weight.shape[0] % 8 == 0 and weight.shape[1] % 8 == 0


def residual_add(
    x: Tensor, branch: Tensor, gate: Tensor, gate_shift: int, tally: Tally, offset: Tensor | float = 0.0
) -> Tensor:
    """x and branch (.., T, D), gate (.., 1, D), offset (.., T, D) -> the next x."""
    scaled = gate * 2.0**-gate_shift
    return tally.saturate("residual", torch.addcmul(x, branch, scaled).add_(HALF + offset).floor_(), X_BITS)


def difference(stream: Tensor, label: Tensor, tally: Tally) -> Tensor:
    """stream of the null class and label's (.., T, D) -> what the first has more."""
    return tally.saturate("residual", stream - label, X_BITS)


def with_difference(label: Tensor, apart: Tensor, tally: Tally) -> Tensor:
    """label's stream and the difference of the null class's (.., T, D) -> that of the null class."""
    return tally.saturate("residual", label + apart, X_BITS)


def layernorm(x: Tensor, eps: int, tally: Tally) -> Tensor:
    """x (.., T, D) -> (.., T, D) Q5.10."""
    hidden = x.shape[-1]
    s1 = x.sum(-1, keepdim=True)
    s2 = torch.linalg.vecdot(x, x).unsqueeze(-1)
    whole = s1.long()
    mant, q = rsqrt(hidden * s2.long() - whole * whole + eps)
    scale = scale_of(mant, q + SHIFT_OFFSET)
    y = torch.addcmul(HALF - s1 * scale, x, hidden * scale).floor_()
    return tally.saturate("layernorm", y, LN_BITS)


def modulate(y: Tensor, scale: Tensor, shift: Tensor, mod_shift: int, tally: Tally) -> Tensor:
    """y (.., T, D), scale and shift (.., 1, D) -> (.., T, D) Q9.6."""
    act = torch.addcmul(shift + HALF, y, scale * 2.0**-mod_shift).floor_()
    return tally.saturate("modulate", act, ACT_BITS)


def quantize(act: Tensor, tally: Tally) -> Tensor:
    """act Q9.6 -> int8 values."""
    return tally.clip("act", torch.mul(act, 2.0**-ACT_FRAC).add_(HALF).floor_())


def forecast(latest: Tensor, before: Tensor, slope: Tensor, limits: tuple[int, int] = BRANCH) -> Tensor:
    """latest, before (.., T, D), slope (..) Q3.8 -> forecast branch, or stream, (.., T, D)."""
    moved = torch.addcmul(latest + HALF, latest - before, slope[..., None, None] * 2.0**-SLOPE_FRAC).floor_()
    return moved.clamp_(*limits)


def activate(u: Tensor, after: Tensor, shift: int, tally: Tally) -> Tensor:
    """u (.., M) Q5.10, after (M,) -> GELU(u) as int8 values."""
    active = look_up(_GELU.to(u.device), u).double()
    return tally.clip("h", active.mul_(after * 2.0**-shift).add_(HALF).floor_())


def code_table(boundaries: Tensor) -> Tensor:
    """Golden 4-bit code of every 16-bit value, (65536,) uint8, at index act + 32768."""
    return encode(WIDE_VALUES.to(torch.int32), boundaries).to(torch.uint8)


def look_up(table: Tensor, value: Tensor) -> Tensor:
    """Entries (..) of a table of 65536 by 16-bit values (..)."""
    index = (value + float(1 << (WIDE_BITS - 1))).to(torch.int32)
    return table.index_select(0, index.flatten()).view(value.shape)


def _exp_table() -> Tensor:
    """Golden numerator for every distance z from the row's maximum, the last entry for all beyond."""
    z = torch.arange((MAX_EXPONENT + 1) << SCORE_FRAC)
    numerators, _ = softmax(torch.stack([torch.zeros_like(z), -z], 1))
    return numerators[:, 1].double()


_EXP = _exp_table()


def attend(
    q: Tensor, k: Tensor, v: Tensor, score_scale: float, gain: tuple[int, int], valid: Tensor | None, tally: Tally
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention inside groups: q, k, v (.., n, head_dim), valid (.., 1, n) -> o unclipped, score, numerators.

    `score_scale` is score_mult * 2**-score_shift; `gain` is (gain, gain_shift).
    """
    score = torch.matmul(q, (k * score_scale).transpose(-1, -2)).add_(HALF).floor_()
    score = tally.saturate("score", score, WIDE_BITS, valid)
    inside = score.clamp(min=MASKED + 1)
    if valid is not None:
        inside = inside.masked_fill(~valid, MASKED)
    z = (inside.amax(-1, keepdim=True) - inside).clamp_(max=len(_EXP) - 1).to(torch.int32)
    numerators = _EXP.to(z.device).index_select(0, z.flatten()).view(z.shape)
    if valid is not None:
        numerators = numerators.masked_fill(~valid, 0.0)
    mant, shift = recip(numerators.sum(-1, keepdim=True).long(), *gain)
    o = (torch.matmul(numerators, v) * scale_of(mant, shift)).add_(HALF).floor_()
    return o, score, numerators
