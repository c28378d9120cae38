"""The plot of ``radit frontier``: error, and distance to the real images, against the cycle reduction."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from radit.reports.frontier.candidates import SWEEPS
from radit.reports.frontier.schema import Frontier, FrontierPoint
from radit.reports.run.plots import COLORS, GRID, INK, MUTED, STYLE

LINES = {0: "-", 1: (0, (4, 2)), 2: (0, (1, 2))}
POLICY_COLORS = dict(zip(SWEEPS, (MUTED, *(COLORS[i] for i in (2, 6, 0, 8, 1, 3, 5, 4))), strict=True))


def plot(frontier: Frontier, kind: str) -> bytes:
    """The plot as "svg" or "png"; same input, same bytes."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 5.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _curves(left, frontier, "mse")
        _curves(right, frontier, "fd")
        if any(point.mse for point in frontier.points):
            left.set_yscale("log")
        left.set_ylabel(f"mean squared error to the dense images of {frontier.reference_steps} steps")
        right.set_ylabel("Frechet distance to the real digits")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=6, frameon=False, fontsize=8)
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _curves(axis: Axes, frontier: Frontier, field: str) -> None:
    """A curve per policy and base steps."""
    policies = list(dict.fromkeys(point.policy for point in frontier.points))
    bases = sorted({point.base_steps for point in frontier.points}, reverse=True)
    for policy in policies:
        for style, base in enumerate(bases):
            chosen = [p for p in frontier.points if (p.policy, p.base_steps) == (policy, base)]
            if chosen:
                color, line = POLICY_COLORS.get(policy, INK), LINES[style % len(LINES)]
                _curve(axis, chosen, field, color, line, f"{policy}, {base} steps")
    axis.set_xlabel("cycle reduction, modelled")
    axis.grid(color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _curve(axis: Axes, points: list[FrontierPoint], field: str, color: str, line: object, label: str) -> None:
    ordered = sorted(points, key=lambda point: point.cycle_reduction)
    across, up = ([getattr(point, name) for point in ordered] for name in ("cycle_reduction", field))
    axis.plot(across, up, color=color, linestyle=line, marker="o", markersize=4, linewidth=1.5, label=label)
