"""Where in the trajectory the redundancy lies: shares of reused sub-blocks, by kind and by timestep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def by_kind(reused: np.ndarray, kinds: list[str]) -> dict[str, np.ndarray]:
    """Reused share (timesteps,), 0 .. 1, of the sub-blocks of each kind and of all.

    Args:
        reused: bool (N, timesteps, sub_blocks, contexts).
        kinds: of every sub-block.
    """
    named = np.array(kinds)
    curves = {kind: reused[:, :, named == kind].mean((0, 2, 3)) for kind in dict.fromkeys(kinds)}
    return curves | {ALL: reused.mean((0, 2, 3))}


def kind_rows(reused: np.ndarray, kinds: list[str]) -> list[KindRow]:
    """Every kind of sub-block, then all together; nothing of fewer than three timesteps. Arguments: see `by_kind`."""
    if reused.shape[1] < len(THIRDS):
        return []
    rows = []
    for kind, curve in by_kind(reused, kinds).items():
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
