"""``report.html``: one self-contained page from summary.json and arrays.npz; no network, no scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from radit.model.files import write_file
from radit.model.policy.skip_policy import kind_of
from radit.model.quality.names import BAR, DATA, DENSE, FEWER, FLOAT, RECORD
from radit.model.quality.quality_schema import PolicyQuality, Quality
from radit.reports.energy.memory_plan import describe_plans
from radit.reports.run import plots
from radit.reports.run.arrays import RunArrays
from radit.reports.run.pictures import contact_sheet, data_uri, difference_uri, png, sample_uri
from radit.reports.run.redundancy import ELSEWHERE, kind_rows
from radit.reports.run.schema import CycleModel, PolicyResult, Summary

TEMPLATES = Path(__file__).parents[1] / "templates"
MAX_IMAGES = 10
REPORT_FILE = "report.html"
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
    values: tuple[str, ...]  # float, then int8 under every policy
    claim: str = ""
    verdict: str = ""


def render(summary: Summary, arrays: RunArrays | None) -> str:
    """The page; without arrays it has no images and no skip maps."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"count": count, "uj": uj, "share": share}
    skipping, kinds = arrays.skipping if arrays else {}, summary.sub_blocks
    return environment.get_template("report.html.j2").render(
        s=summary,
        noun=summary.sampler.noun,
        images=image_rows(arrays) if arrays else None,
        labels={name: kind_of(name).label for name in summary.results},
        reuses=[f"{kind_of(name).label} {kind_of(name).reuse}" for name in summary.ratios if kind_of(name).reuse],
        memory_plan=describe_plans({name: result.memory_plan for name, result in summary.results.items()}),
        skip_maps={
            name: (plots.skip_map(record, kinds, summary.sampler.noun), record.reused_share)
            for name, record in skipping.items()
        },
        kind_tables={name: rows for name, record in skipping.items() if (rows := kind_rows(record, kinds))},
        skip_curves=plots.skip_curves(skipping, kinds) if skipping else None,
        elsewhere=ELSEWHERE,
        stall_bars=plots.stall_bars(summary),
        stall_tables={name: stall_rows(result) for name, result in summary.results.items()},
        cause_labels=plots.CAUSE_LABELS,
        cycle_models={
            name: model_line(model, summary.memory.as_model.tolerance) for name, model in summary.cycle_models.items()
        },
        roofline=plots.roofline_plot(summary),
        energy_bars=plots.energy_bars(summary),
        energy_rows=energy_rows(summary),
        energy_ratios={name: energy_ratio(summary.results[DENSE], summary.results[name]) for name in summary.ratios},
        quality_rows=quality_rows(summary.quality, list(summary.results)) if summary.quality else None,
        counter_rows=counter_rows(summary),
    )


def write_report(out: Path, summary: Summary, arrays: RunArrays | None) -> Path:
    """Render and write ``out/report.html``, whole or not at all; return its path."""
    path = out / REPORT_FILE
    write_file(path, render(summary, arrays))
    return path


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


def image_rows(arrays: RunArrays) -> dict[str, Any]:
    """Data URIs of the first images or clips of every policy and their differences to dense; what the colours mean; of
    clips, the contact sheet."""
    shown = {name: images[:MAX_IMAGES] for name, images in arrays.images.items()}
    dense = shown[DENSE].astype(np.float64)
    differences = {name: images - dense for name, images in shown.items() if name != DENSE}
    limit = max(float(np.abs(difference).max()) for difference in differences.values())
    rows = [(kind_of(name).label, [sample_uri(image) for image in images]) for name, images in shown.items()]
    for name, difference in differences.items():
        label = f"{kind_of(name).label} − dense"
        rows.append((label, [difference_uri(image, limit) for image in difference]))
    sheet = data_uri("image/png", png(contact_sheet(arrays.images))) if arrays.are_clips else None
    return {"rows": rows, "limit": limit, "shown": len(dense), "total": len(arrays.images[DENSE]), "sheet": sheet}


def stall_rows(result: PolicyResult) -> list[tuple[str, list[float], int]]:
    """(phase, share of the run's cycles by cause, cycles of the phase), and the same of all phases together."""
    by_phase = dict(result.stalls)
    by_phase["all"] = {cause: sum(part[cause] for part in result.stalls.values()) for cause in plots.CAUSE_LABELS}
    return [
        (phase, [part[cause] / max(1, result.cycles) for cause in plots.CAUSE_LABELS], sum(part.values()))
        for phase, part in by_phase.items()
    ]


def model_line(model: CycleModel, tolerance: float) -> str:
    """Predicted against measured cycles in words."""
    allowed = f", tolerance {tolerance:.0%}" if tolerance else ""
    return f"{count(model.predicted)} predicted, {count(model.measured)} measured ({model.found}{allowed})"


def share(value: float) -> str:
    """A share of 0 to 1 in percent; nothing where it is nothing."""
    return "" if value == 0 else f"{value:.1%}" if value >= 0.001 else "<0.1%"


def energy_rows(summary: Summary) -> list[dict[str, Any]]:
    """Groups of components with their bounds in every run, and the components of groups that have several."""
    rows = []
    named = {name for names in plots.ENERGY_GROUPS.values() for name in names}
    other = tuple(name for name in summary.results[DENSE].energy_breakdown_uj if name not in named)
    for group, names in [*plots.ENERGY_GROUPS.items(), *([("other", other)] if other else [])]:
        rows.append(_energy_row(group, names, summary, head=True))
        parts = [_energy_row(_label(name), (name,), summary, head=False) for name in names]
        parts = [row for row in parts if _spent(row)]
        rows += parts if len(parts) > 1 else []
    return [row for row in rows if _spent(row)]


def _spent(row: dict[str, Any]) -> bool:
    """True where a run has nominal energy in this row."""
    return any(nominal for _, nominal, _ in row["bounds"].values())


def _label(component: str) -> str:
    """A component's name as the table shows it."""
    return COMPONENT_LABELS.get(component, component.replace("_", " "))


def _energy_row(label: str, names: tuple[str, ...], summary: Summary, head: bool) -> dict[str, Any]:
    def bounds(result: PolicyResult) -> tuple[float, float, float]:
        parts = [result.energy_breakdown_uj[name] for name in names if name in result.energy_breakdown_uj]
        return sum(p.low for p in parts), sum(p.nominal for p in parts), sum(p.high for p in parts)

    return {"label": label, "head": head, "bounds": {name: bounds(run) for name, run in summary.results.items()}}


def energy_ratio(dense: PolicyResult, skipping: PolicyResult) -> tuple[float, float]:
    """Smallest and largest dense / skipping energy over the low, nominal and high columns of the table."""
    bounds = ("low", "nominal", "high")
    each = [getattr(dense.energy_uj, bound) / getattr(skipping.energy_uj, bound) for bound in bounds]
    return min(each), max(each)


def quality_rows(q: Quality, policies: list[str]) -> list[QualityRow]:
    """The quality table: float and int8 under the policies, and the claims that the numbers carry."""

    def row(name: str, field: str, pattern: str) -> QualityRow:
        """A measure of the float model and of every policy."""
        values = {policy: getattr(found, field) for policy, found in q.by_policy.items()}
        return _quality_row(name, values, [FLOAT, *policies], pattern)

    def clips(name: str, field: str, pattern: str) -> QualityRow | None:
        """A measure that only clips have, beside the data's own value."""
        if q.data is None:
            return None
        values = {policy: getattr(found.clips, field) for policy, found in q.by_policy.items() if found.clips}
        claim = f"the data's own: {pattern.format(values[DATA])}"
        return _quality_row(name, values, [FLOAT, *policies], pattern, claim=claim)

    skipping = [name for name in policies if name != DENSE and name in q.by_policy]
    reductions = {name: q.by_policy[name].mac_reduction for name in skipping}
    rows = [
        row("Frechet distance to the data", "fd", "{:.4g}"),
        _change(q, DENSE, FLOAT, policies, "int8 against float"),
        *(_change(q, name, DENSE, policies, f"{kind_of(name).label} against int8 dense") for name in skipping),
        _quality_row("MACs, dense over skipping", reductions, ["", *policies], "{:.2f}"),
        row("accuracy of the classifier on the labels", "accuracy", "{:.1%}"),
        row("prompts spelled as a whole", "complete", "{:.1%}"),
        clips("frames with the label's class", "accuracy_frames", "{:.1%}"),
        clips("clips within half a pixel of a bouncing path", "straight", "{:.1%}"),
        clips("departure from the nearest bouncing path, pixels", "departure", "{:.2f}"),
        clips("speed, pixels per frame", "speed", "{:.2f}"),
        *(_converged(q, name, policies) for name in (FLOAT, DENSE, *skipping)),
        *(_tipped_over(q, policies),),
        *(each for name in skipping for each in _errors(q, name, policies)),
    ]
    return [each for each in rows if each and any(each.values)]


def _quality_row(
    name: str, values: Mapping[str, float | str | None], columns: list[str], pattern: str, **claim: str
) -> QualityRow:
    """A line with the values of the columns that have one."""
    cells = [values.get(column) for column in columns]
    return QualityRow(name, tuple("" if v is None or v == "" else pattern.format(v) for v in cells), **claim)


def _change(q: Quality, name: str, against: str, policies: list[str], words: str) -> QualityRow | None:
    """How far the distance moved, and whether that is within what re-seeding does."""
    found, other = q.by_policy[name].fd, q.by_policy[against].fd
    if found is None or other is None:
        return None
    claim = {"claim": f"re-seeding spread {q.fd_noise:.3g}", "verdict": _verdict(abs(found - other) <= q.fd_noise)}
    title = f"change of the distance, {words}"
    return _quality_row(title, {name: found - other}, ["", *policies], "{:+.3g}", **claim)


def _converged(q: Quality, name: str, policies: list[str]) -> QualityRow | None:
    """A policy's error to the converged samples, beside the dense runs that it has to beat."""
    found = q.by_policy[name]
    if found.to_converged is None:
        return None
    claim = {}
    other = q.by_policy.get(FEWER)
    if other is not None and other.same_macs_as == name and other.to_converged is not None:
        claim = {"claim": f"{_steps_of(FEWER, other)}: {other.converged_text}"}
        claim["verdict"] = _verdict(found.to_converged.mean < other.to_converged.mean)
    elif name == DENSE and RECORD in q.by_policy:
        claim = {"claim": f"{_steps_of(RECORD, q.by_policy[RECORD])}: {q.by_policy[RECORD].converged_text}"}
    label = "float" if name == FLOAT else kind_of(name).label
    title = f"mean squared pixel error to the converged image +- standard error, {label}"
    return _quality_row(title, {name: found.converged_text}, [FLOAT, *policies], "{}", **claim)


def _tipped_over(q: Quality, policies: list[str]) -> QualityRow:
    """How many samples became another picture than the converged one."""
    values = {name: found.to_converged.tipped_over for name, found in q.by_policy.items() if found.to_converged}
    return _quality_row("samples that tip over into another picture", values, [FLOAT, *policies], "{:.1%}")


def _errors(q: Quality, name: str, policies: list[str]) -> list[QualityRow]:
    """A policy's error to the dense samples, beside those of the dense runs of fewer steps that it is held against."""
    found = q.by_policy[name]
    spread = "" if found.mse_spread is None else " +- standard error"
    title = f"mean squared pixel error to int8 dense{spread}, {kind_of(name).label}"
    claims = []
    for bar, other in ((bar, q.by_policy.get(bar)) for bar in (FEWER, BAR)):
        if other is None or other.same_macs_as not in (None, name):
            continue
        if found.mse_to_dense is not None and other.mse_to_dense is not None:
            verdict = _verdict(found.mse_to_dense < other.mse_to_dense)
            claims.append({"claim": f"{_steps_of(bar, other)}: {other.error_text}", "verdict": verdict})
    values, columns = {name: found.error_text}, ["", *policies]
    return [_quality_row(title, values, columns, "{}", **claim) for claim in claims or [{}]]


def _steps_of(name: str, found: PolicyQuality) -> str:
    """A dense run of other steps, in words."""
    suffix = {FEWER: " at the same MACs", RECORD: " of DDIM"}.get(name, "")
    return f"dense with {found.steps} steps{suffix}"


def _verdict(holds: bool) -> str:
    return "yes" if holds else "no"


def counter_rows(summary: Summary) -> list[tuple[str, list[int]]]:
    """Every counter with its value under every policy."""
    runs = summary.results.values()
    return [(name, [run.counters.get(name, 0) for run in runs]) for name in summary.results[DENSE].counters]
