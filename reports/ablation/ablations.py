"""``radit ablate``: our policy with one thing changed at a time, all variants computing as much as each other.

Images and decisions come from the bit-exact integer model; costs are those of ``radit frontier``.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from radit.model.baselines.smoothcache import CALIBRATION_SEED
from radit.model.detectors.detector import Detector
from radit.model.dit.checkpoint import load_config
from radit.model.dit.sampler import Sampler
from radit.model.outputs import output_folder
from radit.model.quality.judge import Judge, judge_of
from radit.model.quality.measures import mse
from radit.model.quality.quality_run import CACHE
from radit.model.system.workers import Workers
from radit.reports.ablation.plot import plot
from radit.reports.ablation.schema import AblationPoint, Ablations, error_at
from radit.reports.ablation.variants import IMAGES, OURS, Variant, chosen, tuned
from radit.reports.common.files import PLOTS, point_files, write_points
from radit.reports.cost.traffic import external_bytes
from radit.reports.frontier.candidates import Candidate
from radit.reports.frontier.costs import costs
from radit.reports.frontier.measure import POINTS, Measured, Settings, measure

STEM = "ablations"
RESAMPLED, BOOTSTRAP_SEED = 2000, 0
DETECTION = ("code_history_read", "code_history_write")
BRANCHES = ("branch_cache_read", "branch_cache_previous_read", "branch_cache_write")
RULES = [
    "Every variant differs from forecast (model/policy/skip_policy.py) in what its name says; thresholds are chosen "
    "on dense runs of other noise, or by runs where the inputs of sub-block 0 do not determine the decisions.",
    "error: paired squared error to the dense int8 images, on the line through a variant's own points at exactly the "
    "wanted reduction of MACs; ratio: over that of 4-bit codes, with the bootstrap's standard error over the images.",
    "Bytes: of the memory ports, mean per timestep, sub-block and context. A detector pays for what it keeps of the "
    "sub-blocks that it watches: the first where that decides for all.",
    "A second-order forecast is charged three branches for every forecast; cycles leave the third out.",
    "Operations count additions, comparisons and multiplications per value of a watched input; bit operations weigh "
    "them with their operands' widths.",
]


def run_ablations(
    settings: Settings,
    *,
    sampler: Sampler,
    variants: list[str],
    reductions: list[float],
    workers: Workers,
    out: Path,
) -> Ablations:
    """Measure what is missing under ``out``/points; write ablations.json, .csv and the plots; print the table.

    Raises:
        UserError: nobody judges what the model generates, a variant is unknown, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=point_files(STEM), folders=[POINTS])
    judge_of(settings.model)
    wanted = chosen(variants)
    settings.check(sampler.steps, workers.here, runs=1 + len(wanted) * len(reductions))
    plan = [
        (variant, reduction, tuned(settings, sampler, variant, reduction, out / POINTS, workers))
        for variant in wanted
        for reduction in reductions
    ]
    dense, runs = Candidate("dense", sampler), [Candidate(method.text, sampler) for _, _, method in plan]
    measured = measure(settings, [dense, *dict.fromkeys(runs)], out / POINTS, workers)
    judge, base = judge_of(settings.model)(CACHE), measured[dense]
    points = [
        _point(settings, variant, reduction, method, run, measured[run], dense, base, judge)
        for (variant, reduction, method), run in zip(plan, runs, strict=True)
    ]
    errors = [squared_errors(measured[run], base) for run in runs]
    result = Ablations(
        **asdict(settings),
        steps=sampler.steps,
        solver=sampler.solver,
        spacing=sampler.spacing,
        tuning_images=IMAGES,
        tuning_seed=CALIBRATION_SEED,
        rules=RULES,
        points=compared(points, errors),
    )
    write_points(out, STEM, result, {kind: plot(result, kind) for kind in PLOTS})
    return result


def _point(
    settings: Settings, variant: Variant, reduction: float, method: Detector, run: Candidate, found: Measured,
    dense: Candidate, base: Measured, judge: Judge,
) -> AblationPoint:  # fmt: skip
    """A variant's quality and cost, not yet compared with ours."""
    dims, build = settings.sizes()
    cost = method.cost(dims.tokens * dims.hidden)
    moved = external_bytes(found.counters, build)
    spent, whole = costs(settings, run, found), costs(settings, dense, base)
    images, labels = torch.from_numpy(found.images), torch.arange(settings.samples)
    measures = judge.measure(images, labels % load_config(settings.model).num_classes)
    places = len(found.images) * run.sampler.steps * dims.sub_blocks * dims.contexts
    return AblationPoint(
        policy=run.name,
        settings=run.settings,
        cycle_reduction=whole.cycles / spent.cycles,
        mac_reduction=whole.macs / spent.macs,
        energy_reduction=whole.energy_uj / spent.energy_uj,
        external_bytes_reduction=whole.external_bytes / spent.external_bytes,
        fd=measures["fd"],
        accuracy=measures["accuracy"],
        mse=mse(images, torch.from_numpy(base.images)),
        saturations=found.saturations,
        group=variant.group,
        label=variant.label,
        wanted=reduction,
        threshold=method.threshold,
        stored_bits=cost.stored_bits,
        operations=cost.operations,
        bit_operations=cost.bit_operations,
        detection_bytes=sum(moved[cause] for cause in DETECTION) / places,
        branch_bytes=sum(moved[cause] for cause in BRANCHES) / places,
    )


def squared_errors(found: Measured, base: Measured) -> np.ndarray:
    """Mean squared error (N,) of every image to the dense one."""
    errors: np.ndarray = np.square(found.images.astype(np.float64) - base.images).reshape(len(base.images), -1).mean(1)
    return errors


def compared(points: list[AblationPoint], errors: list[np.ndarray]) -> list[AblationPoint]:
    """The points with their errors at the wanted reductions and their ratios to ours, of errors (N,) per image."""
    exact = [error_at(points, point) for point in points]
    ours = {point.wanted: i for i, point in enumerate(points) if point.label == OURS.label}
    found = []
    for point, error, each in zip(points, exact, errors, strict=True):
        mine = ours[point.wanted]
        ratio = error / exact[mine] if exact[mine] else 1.0
        spread = ratio_spread(each, errors[mine])
        found.append(point.model_copy(update={"error": error, "ratio": ratio, "ratio_spread": spread}))
    return found


def ratio_spread(errors: np.ndarray, ours: np.ndarray) -> float:
    """Standard error of mean(errors) / mean(ours), paired (N,), over images drawn again."""
    draws = np.random.default_rng(BOOTSTRAP_SEED).integers(0, len(ours), (RESAMPLED, len(ours)))
    below = ours[draws].mean(axis=1)
    if not below.all():
        return 0.0
    return float((errors[draws].mean(axis=1) / below).std())
