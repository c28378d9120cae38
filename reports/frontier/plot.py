"""The plot of ``radit frontier``: error to the converged images against cycles, by mean and by median."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from radit.reports.frontier.candidates import DENSE, SWEEPS
from radit.reports.frontier.schema import Frontier, Statistic
from radit.reports.frontier.winners import STATISTICS, Curve, curves
from radit.reports.run.plots import COLORS, GRID, INK, MUTED, STYLE

PUBLISHED_COLORS = (*(COLORS[i] for i in (2, 6, 0, 8, 1, 3, 7, 9)), MUTED)
POLICY_COLORS = dict(zip(SWEEPS, (*PUBLISHED_COLORS, COLORS[5], COLORS[4], INK), strict=True))
DASHED = (0, (4, 2))


def plot(frontier: Frontier, kind: str) -> bytes:
    """The plot as "svg" or "png"; same input, same bytes."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 5.8), layout="constrained")
        for axis, statistic in zip(figure.subplots(1, 2), STATISTICS, strict=True):
            _curves(axis, frontier, statistic)
            axis.set_ylabel(f"{statistic} squared error to the converged images")
        first = figure.axes[0]
        figure.legend(*first.get_legend_handles_labels(), loc="outside upper left", ncols=5, frameon=False, fontsize=8)
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _curves(axis: Axes, frontier: Frontier, statistic: Statistic) -> None:
    """The dense solvers dashed, each policy on its samplers."""
    for policy, by_sampler in curves(frontier.points, statistic).items():
        if policy == DENSE:
            _solvers(axis, by_sampler)
            continue
        color, label = POLICY_COLORS.get(policy, INK), policy
        for curve in by_sampler.values():
            _curve(axis, curve, color, "-", label)
            label = "_" + policy  # one entry of the legend
    axis.set_xscale("log")
    axis.set_yscale("log")
    ticks = sorted({point.steps for point in frontier.points})
    axis.set_xticks(ticks, list(map(str, ticks)))
    axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_xlabel("cycles, in dense evaluations of the network, modelled")
    axis.grid(color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _solvers(axis: Axes, by_sampler: dict[str, Curve]) -> None:
    """A curve per solver, over its spacings."""
    solvers: dict[str, Curve] = {}
    for sampler, curve in by_sampler.items():
        solvers.setdefault(sampler.partition(",")[0], []).extend(curve)
    for number, (solver, curve) in enumerate(solvers.items()):
        shade = MUTED if number % 2 else INK
        axis.plot(
            *zip(*sorted(curve), strict=True), color=shade, linestyle=DASHED, marker="os^vDx"[number % 6], markersize=4,
            linewidth=1.2, label=f"dense, {solver}",
        )  # fmt: skip


def _curve(axis: Axes, curve: Curve, color: str, line: object, label: str) -> None:
    axis.plot(
        *zip(*curve, strict=True), color=color, linestyle=line, marker="o", markersize=4, linewidth=1.5, label=label
    )
