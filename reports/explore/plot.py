"""The plot of ``radit explore``: energy against time of every point, and the fronts."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from radit.reports.explore.schema import Exploration, ExploredPoint
from radit.reports.run.plots import COLORS, GRID, INK, MUTED, STYLE

MOST_LABELS = 12  # of a legend
AXES = {  # front -> what it is called, and its second objective
    "front": ("energy per image, mJ", lambda one: one.energy_uj.nominal / 1e3),
    "area_front": ("logic, million gates", lambda one: one.gates / 1e6),
    "error_front": ("mean squared error to the converged images", lambda one: one.error),
}


def plot(result: Exploration, kind: str) -> bytes:
    """The plot as "svg" or "png"; same input, same bytes."""
    shown = [name for name in AXES if any(getattr(one, name) for one in result.points)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.2 * len(shown), 5.4), layout="constrained")
        for axis, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            _panel(axis, name, result.points)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        if len(labels) <= MOST_LABELS:
            figure.legend(handles, labels, loc="outside upper left", ncols=6, frameon=False, fontsize=8)
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=120, metadata=metadata)
    return buffer.getvalue()


def _panel(axis: Axes, name: str, points: Sequence[ExploredPoint]) -> None:
    """All points in pale, those of the fronts in colour by array."""
    label, value = AXES[name]
    known = [one for one in points if name == "front" or getattr(one, name.replace("area_front", "gates").replace(
        "error_front", "error")) is not None]  # fmt: skip
    axis.scatter(
        [one.milliseconds for one in known], [value(one) for one in known], s=4, color=MUTED, alpha=0.25, linewidths=0,
        rasterized=True,
    )  # fmt: skip
    arrays = list(dict.fromkeys(one.array for one in known))
    for number, array in enumerate(arrays):
        front = [one for one in known if one.array == array and getattr(one, name)]
        color = COLORS[number % len(COLORS)]
        axis.scatter(
            [one.milliseconds for one in front], [value(one) for one in front], s=16, color=color, label=array,
            edgecolors=INK, linewidths=0.3,
        )  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("milliseconds per image, modelled")
    axis.set_ylabel(label)
    axis.grid(color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
