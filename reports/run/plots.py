"""Plots of the report, as SVG in data URIs."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from radit.accel.control.registers import CAUSES
from radit.model.dit.config import KIND_NAMES, MLP
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.skip_policy import kind_of
from radit.reports.run.pictures import data_uri
from radit.reports.run.redundancy import THIRDS
from radit.reports.run.schema import PolicyResult, Summary

INK, MUTED, GRID = "#1f2933", "#616e7c", "#e4e7eb"
COLORS = (
    "#1b4f72 #7fb3d5 #2a9d8f #8fcfc4 #d1495b #e79aa5 #f2a541 #f7d08a #6d597a #b8a9c9 #7a8450 #b5c18e".split()
)  # one hue pair per theme: array, on chip, off chip, skipping, host, standing
ENERGY_GROUPS: dict[str, tuple[str, ...]] = {
    "MACs, active": ("mac_active",),
    "MACs, held and idle clock": ("mac_held", "mac_idle_clock"),
    "vector units": ("requantization", "residual_layernorm", "softmax", "gelu"),
    "on-chip memories": tuple(
        f"memory_{name}" for name in "a k v hidden prob score weight x fifo conditioning param".split()
    ),
    "weights, external": ("external_weights",),
    "conditioning and parameters, external": ("external_conditioning", "external_prompts"),
    "detection (CCU, DTSM, history)": ("detection",),
    "branch cache and forecast": ("branch_cache", "reuse"),
    "x streams": ("x_streams",),
    "clock and control": ("clock_and_control",),
    "leakage": ("leakage",),
    "host": ("host",),
}
CAUSE_LABELS = {
    "array": "array multiplies",
    "weights": "waits for weights",
    "operands": "waits for operands",
    "drain": "waits for the drain",
    "vector": "waits for vector units",
    "controller": "waits for the controller",
}
CAUSE_COLORS = dict(zip(CAUSE_LABELS, (COLORS[i] for i in (0, 4, 6, 2, 1, 9)), strict=True))
STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "svg.hashsalt": "radit",
}


def _svg(width: float, height: float, draw: Callable[[Figure], None]) -> str:
    """Draw a figure, inches, and return it as a data URI; same input, same bytes."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return data_uri("image/svg+xml", buffer.getvalue())


def skip_map(record: DecisionRecord, kinds: list[str], noun: str = "image") -> str:
    """Share of images or clips that reused, sub-blocks (of the given kinds) x timesteps, one panel per context."""
    share, sub_blocks, contexts = record.skip_map(), record.sub_blocks, record.contexts
    names = ("conditional", "unconditional") if contexts == 2 else tuple(f"context {i}" for i in range(contexts))

    def draw(figure: Figure) -> None:
        height = 0.9 + 0.11 * sub_blocks
        axes = figure.subplots(1, contexts, sharey=True, squeeze=False)[0]
        for context, axis in enumerate(axes):
            picture = axis.imshow(share[:, :, context].T, aspect="auto", cmap="YlGnBu", vmin=0, vmax=1)
            axis.set_title(f"{names[context]}: {share[:, :, context].mean():.0%} reused", fontsize=10, loc="left")
            axis.set_xlabel("timestep, in order of sampling")
            axis.tick_params(length=0)
        axes[0].set_yticks(range(sub_blocks), _sub_block_names(kinds), fontsize=8 if height < 4 else 6)
        bar = figure.colorbar(picture, ax=list(axes), pad=0.01, fraction=0.03)
        bar.set_label(f"share of {noun}s that reused")
        bar.outline.set_visible(False)

    return _svg(10, 1.2 + 0.2 * min(sub_blocks, 40), draw)


def _sub_block_names(kinds: list[str]) -> list[str]:
    blocks = [kinds[:number].count(KIND_NAMES[MLP]) for number in range(len(kinds))]
    return [f"block {block} {kind}" for block, kind in zip(blocks, kinds, strict=True)]


def skip_curves(decisions: Mapping[str, DecisionRecord], kinds: list[str]) -> str:
    """Reused share over the timesteps, a line per kind of sub-block, one panel per policy; thirds are marked."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(decisions), sharey=True, squeeze=False)[0]
        for axis, (policy, record) in zip(axes, decisions.items(), strict=True):
            for place, (kind, curve) in enumerate(record.reused_by_kind(kinds).items()):
                color, dash = COLORS[2 * place], (0, (5, place)) if place else "-"
                axis.plot(curve, color=color, linestyle=dash, linewidth=1.6, label=kind)
            for end in np.cumsum([len(part) for part in np.array_split(range(record.timesteps), len(THIRDS))])[:-1]:
                axis.axvline(end - 0.5, color=MUTED, linewidth=0.8, linestyle=":")
            axis.set_title(kind_of(policy).label, fontsize=10, loc="left")
            axis.set_xlabel("timestep, in order of sampling")
            axis.yaxis.set_major_formatter(PercentFormatter(1.0))
            axis.set_ylim(-0.03, 1.03)
            _bare(axis)
            axis.grid(axis="y", color=GRID, linewidth=0.8)
        axes[0].set_ylabel("reused")
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False, fontsize=9
        )

    return _svg(10, 2.9, draw)


def _bare(axis: Axes) -> None:
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0)
    axis.grid(axis="x", color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)


def _stack(axis: Axes, policies: list[str], parts: dict[str, list[float]], colors: list[str]) -> np.ndarray:
    """A horizontal stacked bar per policy, the first on top; returns their lengths."""
    places = range(len(policies))
    start = np.zeros(len(policies))
    for (name, values), color in zip(parts.items(), colors, strict=True):
        if max(values) > 0:
            axis.barh(
                places, values, left=start, color=color, label=name, height=0.55, edgecolor="white", linewidth=0.6
            )
        start += values
    axis.set_yticks(places, [kind_of(name).label for name in policies])
    axis.invert_yaxis()
    _bare(axis)
    return start


def cause_cycles(result: PolicyResult) -> dict[str, float]:
    """Million cycles by what the array waited for, all phases together."""
    return {cause: sum(part[cause] for part in result.stalls.values()) / 1e6 for cause in CAUSES}


def stall_bars(summary: Summary) -> str:
    """Cycles of all runs, stacked by cause."""
    runs = {name: cause_cycles(result) for name, result in summary.results.items()}

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        parts = {CAUSE_LABELS[cause]: [run[cause] for run in runs.values()] for cause in CAUSES}
        _stack(axis, list(runs), parts, [CAUSE_COLORS[cause] for cause in CAUSES])
        axis.set_xlabel("million cycles, measured in the RTL simulation")
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)

    return _svg(10, 1.5 + 0.5 * len(runs), draw)


def roofline_plot(summary: Summary) -> str:
    """MAC utilization against memory bandwidth: modelled curves, rooflines, and what was measured."""

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        for policy, result in summary.results.items():
            line, name, color = result.roofline, kind_of(policy).label, kind_of(policy).color
            grid = np.geomspace(line.bandwidth[0], line.bandwidth[-1], 200)
            roof = np.minimum(1.0, grid / line.bytes_per_peak_cycle)
            axis.plot(grid, roof, color=color, linewidth=1, linestyle=(0, (5, 3)), label=f"{name}: roofline")
            axis.plot(line.bandwidth, line.utilization, color=color, linewidth=1.8, label=f"{name}: cycle model")
            bandwidth = summary.memory.bandwidth or line.bandwidth[-1]
            label = f"{name}: measured" + ("" if summary.memory.bandwidth else ", unlimited memory")
            axis.plot(
                bandwidth, result.mac_utilization, "o", color=color, markeredgecolor="white", markersize=9, label=label
            )
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
        axis.set_ylim(0, 1.05)
        axis.set_xlabel("memory bandwidth, bytes per cycle, all ports together")
        axis.set_ylabel("MAC utilization")
        _bare(axis)
        axis.grid(axis="y", color=GRID, linewidth=0.8)
        figure.legend(loc="outside upper left", ncols=len(summary.results), frameon=False, fontsize=9)

    return _svg(10, 4.4, draw)


def energy_groups(result: PolicyResult) -> dict[str, float]:
    """Nominal energy, uJ, in the report's groups."""
    parts = result.energy_breakdown_uj
    groups = {group: sum(parts[n].nominal for n in names if n in parts) for group, names in ENERGY_GROUPS.items()}
    named = {name for names in ENERGY_GROUPS.values() for name in names}
    other = sum(value.nominal for name, value in parts.items() if name not in named)
    return groups | ({"other": other} if other else {})


def energy_bars(summary: Summary) -> str:
    """Nominal energy of all runs, stacked by component group, whiskers from the low to the high total."""
    runs = {name: energy_groups(result) for name, result in summary.results.items()}
    groups = list(dict.fromkeys(group for run in runs.values() for group in run))

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        parts = {group: [run.get(group, 0.0) for run in runs.values()] for group in groups}
        ends = _stack(axis, list(runs), parts, [*COLORS, MUTED][: len(parts)])
        bounds = [result.energy_uj for result in summary.results.values()]
        spread = [
            [e - b.low for e, b in zip(ends, bounds, strict=True)],
            [b.high - e for e, b in zip(ends, bounds, strict=True)],
        ]
        axis.errorbar(
            ends, range(len(ends)), xerr=np.maximum(spread, 0), fmt="none", ecolor=INK, elinewidth=1.2, capsize=5
        )
        axis.set_xlabel("uJ, modelled: bar nominal, whisker low to high of the energy table")
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)

    return _svg(10, 2.2 + 0.5 * len(runs), draw)
