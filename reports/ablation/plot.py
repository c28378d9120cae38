"""The plot of ``radit ablate``: every variant's error over ours, at each reduction of MACs."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.figure import Figure

from radit.reports.ablation.schema import Ablations
from radit.reports.run.plots import COLORS, GRID, MUTED, STYLE

SHADES = (COLORS[0], COLORS[6], COLORS[2], COLORS[8])
TICKS = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0, 20.0)
APART = 0.22  # rows between the reductions of a variant


def plot(result: Ablations, kind: str) -> bytes:
    """The plot as "svg" or "png"; same input, same bytes."""
    names = list(dict.fromkeys((point.group, point.label) for point in result.points))
    reductions = sorted({point.wanted for point in result.points})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.2 + 0.3 * len(names)), layout="constrained")
        axis = figure.subplots()
        for number, reduction in enumerate(reductions):
            points = [point for point in result.points if point.wanted == reduction]
            rows = [names.index((p.group, p.label)) + (number - (len(reductions) - 1) / 2) * APART for p in points]
            axis.errorbar(
                [point.ratio for point in points],
                rows,
                xerr=[point.ratio_spread for point in points],
                color=SHADES[number % len(SHADES)],
                fmt="o",
                markersize=4,
                linewidth=1.2,
                label=f"{reduction:g}x fewer MACs",
            )
        axis.axvline(1.0, color=MUTED, linewidth=0.8)
        axis.set_xscale("log")
        shown = [point.ratio for point in result.points]
        axis.set_xticks([tick for tick in TICKS if min(shown) / 1.4 <= tick <= max(shown) * 1.4] or [1.0])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axis.set_yticks(range(len(names)), [f"{group}: {label}" for group, label in names])
        axis.invert_yaxis()
        axis.set_xlabel("squared error to the dense images over that of 4-bit codes")
        axis.grid(axis="x", color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        figure.legend(loc="outside upper left", ncols=len(reductions), frameon=False, fontsize=8)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()
