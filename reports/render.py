"""``report.html``: one self-contained page from summary.json and arrays.npz; no network, no scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from reports import plots
from reports.arrays import ARRAYS_FILE, ReportArrays, load_arrays
from reports.files import atomic_write
from reports.schema import Comparison, CycleModel, PolicyResult, Quality
from reports.summary import load_summary

TEMPLATES = Path(__file__).parent / "templates"
MAX_IMAGES = 10
SUMMARY_FILE, REPORT_FILE = "summary.json", "report.html"
COMPONENT_LABELS = {
    "residual_layernorm": "residual add, LayerNorm, modulation",
    "memory_a": "A memory",
    "memory_k": "K memory",
    "memory_v": "V memory",
    "memory_hidden": "hidden memory",
    "memory_prob": "probability memory",
    "memory_score": "score memory",
    "memory_weight": "weight ring",
    "memory_x": "x memory",
    "memory_fifo": "x FIFO",
    "memory_conditioning": "conditioning memory",
    "memory_param": "parameter memory",
    "gelu": "GELU",
}


@dataclass(frozen=True)
class QualityRow:
    """One line of the quality table; ``verdict`` is "", "yes" or "no"."""

    name: str
    values: tuple[str, ...]  # float, int8 dense, int8 skipping
    claim: str = ""
    verdict: str = ""


def render(summary: Comparison, arrays: ReportArrays | None) -> str:
    """The page; without arrays it has no images and no skip map."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"count": count, "uj": uj, "share": share}
    return environment.get_template("report.html.j2").render(
        s=summary,
        images=image_rows(arrays) if arrays else None,
        skip_map=plots.skip_map(arrays.reused) if arrays else None,
        reused=float(arrays.reused.mean()) if arrays else None,
        stall_bars=plots.stall_bars(summary),
        stall_tables={name: stall_rows(result) for name, result in summary.results.items()},
        cause_labels=plots.CAUSE_LABELS,
        cycle_models={name: model_line(model) for name, model in summary.cycle_models.items()},
        roofline=plots.roofline_plot(summary),
        energy_bars=plots.energy_bars(summary),
        energy_rows=energy_rows(summary),
        energy_ratio=energy_ratio(summary),
        quality_rows=quality_rows(summary.quality) if summary.quality else None,
        counter_rows=counter_rows(summary),
    )


def write_report(out: Path, summary: Comparison, arrays: ReportArrays | None) -> Path:
    """Render and write ``out/report.html``, whole or not at all; return its path."""
    path = out / REPORT_FILE
    atomic_write(path, render(summary, arrays))
    return path


def rerender(out: Path) -> Path:
    """Write report.html again from the summary.json and arrays.npz in ``out``.

    Raises:
        UserError: either file is missing or broken.
    """
    return write_report(out, load_summary(out / SUMMARY_FILE).comparison(), load_arrays(out / ARRAYS_FILE))


def count(value: float) -> str:
    """Integer with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def uj(value: float) -> str:
    """Energy in uJ with about three significant digits, no exponent."""
    if value == 0:
        return "0"
    if value >= 100:
        return count(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def image_rows(arrays: ReportArrays) -> dict[str, Any]:
    """Data URIs of the first images: dense, radit, difference; and what the difference's colours mean."""
    dense, radit = arrays.dense[:MAX_IMAGES], arrays.radit[:MAX_IMAGES]
    difference = radit.astype(np.float64) - dense
    limit = float(np.abs(difference).max())
    return {
        "rows": (
            ("dense", [plots.image_uri(image) for image in dense]),
            ("skipping", [plots.image_uri(image) for image in radit]),
            ("difference", [plots.difference_uri(image, limit) for image in difference]),
        ),
        "limit": limit,
        "shown": len(dense),
        "total": len(arrays.dense),
    }


def stall_rows(result: PolicyResult) -> list[tuple[str, list[float], int]]:
    """(phase, share of the run's cycles by cause, cycles of the phase), and the same of all phases together."""
    by_phase = dict(result.stalls)
    by_phase["all"] = {cause: sum(part[cause] for part in result.stalls.values()) for cause in plots.CAUSE_LABELS}
    return [
        (phase, [part[cause] / max(1, result.cycles) for cause in plots.CAUSE_LABELS], sum(part.values()))
        for phase, part in by_phase.items()
    ]


def model_line(model: CycleModel) -> str:
    """Predicted against measured cycles in words."""
    return f"{count(model.predicted)} predicted, {count(model.measured)} measured ({model.found})"


def share(value: float) -> str:
    """A share of 0 to 1 in percent; nothing where it is nothing."""
    return "" if value == 0 else f"{value:.1%}" if value >= 0.001 else "<0.1%"


def energy_rows(summary: Comparison) -> list[dict[str, Any]]:
    """Groups of components with their bounds in both runs, and the components of groups that have several."""
    rows = []
    named = {name for names in plots.ENERGY_GROUPS.values() for name in names}
    other = tuple(name for name in summary.dense.energy_breakdown_uj if name not in named)
    for group, names in [*plots.ENERGY_GROUPS.items(), *([("other", other)] if other else [])]:
        rows.append(_energy_row(group, names, summary, head=True))
        parts = [_energy_row(_label(name), (name,), summary, head=False) for name in names]
        parts = [row for row in parts if row["dense"][1] or row["radit"][1]]
        rows += parts if len(parts) > 1 else []
    return [row for row in rows if row["dense"][1] or row["radit"][1]]


def _label(component: str) -> str:
    """A component's name as the table shows it."""
    return COMPONENT_LABELS.get(component, component.replace("_", " "))


def _energy_row(label: str, names: tuple[str, ...], summary: Comparison, head: bool) -> dict[str, Any]:
    def bounds(result: PolicyResult) -> tuple[float, float, float]:
        parts = [result.energy_breakdown_uj[name] for name in names if name in result.energy_breakdown_uj]
        return sum(p.low for p in parts), sum(p.nominal for p in parts), sum(p.high for p in parts)

    return {"label": label, "head": head, "dense": bounds(summary.dense), "radit": bounds(summary.radit)}


def energy_ratio(summary: Comparison) -> tuple[float, float]:
    """Smallest and largest dense / radit energy over the low, nominal and high columns of the table."""
    dense, radit = summary.dense.energy_uj, summary.radit.energy_uj
    each = [getattr(dense, bound) / getattr(radit, bound) for bound in ("low", "nominal", "high")]
    return min(each), max(each)


def quality_rows(q: Quality) -> list[QualityRow]:
    """The quality table: float, int8 dense, int8 skipping, and the claims that the numbers carry."""

    def verdict(holds: bool) -> str:
        return "yes" if holds else "no"

    noise = f"re-seeding spread {q.fd_noise:.3g}"
    return [
        QualityRow(
            "Frechet distance to the real digits", tuple(f"{v:.4g}" for v in (q.fd_float, q.fd_int8, q.fd_radit))
        ),
        QualityRow(
            "change of the distance, int8 against float",
            ("", f"{q.fd_int8 - q.fd_float:+.3g}", ""),
            noise,
            verdict(abs(q.fd_int8 - q.fd_float) <= q.fd_noise),
        ),
        QualityRow(
            "change of the distance, skipping against int8 dense",
            ("", "", f"{q.fd_radit - q.fd_int8:+.3g}"),
            noise,
            verdict(abs(q.fd_radit - q.fd_int8) <= q.fd_noise),
        ),
        QualityRow(
            "accuracy of the classifier on the labels",
            tuple(f"{v:.1%}" for v in (q.accuracy_float, q.accuracy_int8, q.accuracy_radit)),
        ),
        QualityRow(
            "mean squared pixel error to int8 dense",
            ("", "", f"{q.mse_radit_to_dense:.3g}"),
            f"fewer steps at the same MACs: {q.mse_fewer_steps_same_macs:.3g}",
            verdict(q.mse_radit_to_dense < q.mse_fewer_steps_same_macs),
        ),
    ]


def counter_rows(summary: Comparison) -> list[tuple[str, int, int]]:
    """(counter, dense, radit), all of them."""
    return [(name, value, summary.radit.counters.get(name, 0)) for name, value in summary.dense.counters.items()]
