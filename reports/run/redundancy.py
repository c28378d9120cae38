"""Where in the trajectory the redundancy lies: shares of reused sub-blocks, by kind and by timestep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radit.model.integer.decision_record import DecisionRecord

THIRDS = ("first", "middle", "last")
EVEN = 0.02  # spread of the thirds below which none stands out
ALL = "all"
ELSEWHERE = (
    "Elsewhere: of images (DiT-XL/2 on ImageNet) the early, noisy timesteps are the redundant ones [C: from learned "
    "schedules]; of video, features change along a U over the timesteps, so that the middle is redundant [P: abstract "
    "of arXiv 2509.13789]."
)


@dataclass(frozen=True)
class KindRow:
    """Reused share, 0 .. 1, of the sub-blocks of one kind: whole run, its thirds, and what these look like."""

    kind: str
    share: float
    thirds: tuple[float, ...]
    shape: str


def kind_rows(record: DecisionRecord, kinds: list[str]) -> list[KindRow]:
    """Every kind of sub-block, then all together; nothing of fewer than three timesteps.

    Args:
        kinds: of every sub-block.
    """
    if record.timesteps < len(THIRDS):
        return []
    rows = []
    curves = record.reused_by_kind(kinds) | record.reused_by_kind([ALL] * len(kinds))
    for kind, curve in curves.items():
        thirds = tuple(float(part.mean()) for part in np.array_split(curve, len(THIRDS)))
        rows.append(KindRow(kind, float(curve.mean()), thirds, shape_of(*thirds)))
    return rows


def shape_of(first: float, middle: float, last: float) -> str:
    """What the shares of three thirds look like, in words."""
    if max(first, middle, last) - min(first, middle, last) < EVEN:
        return "even"
    if middle < min(first, last):
        return "least in the middle"
    if middle > max(first, last):
        return "most in the middle"
    return "front-loaded" if first > last else "back-loaded"
