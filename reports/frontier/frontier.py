"""``radit frontier``: published caching policies, fewer steps and ours, as quality against cost.

Images and decisions come from the bit-exact integer model, cycles from the cycle model, which equals the RTL; traffic
and energy from the same counts and tables as a co-simulation's.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from radit.model.dit.checkpoint import load_config
from radit.model.outputs import output_folder
from radit.model.quality.classifier import DigitClassifier, load_or_train_classifier
from radit.model.quality.measures import accuracy, frechet_to_digits, mse, psnr, ssim
from radit.model.quality.quality_run import CACHE, check_shape, stored_path, stored_result
from radit.reports.common.files import PLOTS, point_files, write_points
from radit.reports.cost.traffic import STREAMS, external_bytes
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import plan_memory
from radit.reports.frontier.candidates import FEWER, Candidate, candidates
from radit.reports.frontier.measure import ARRAY, MEMORY, POINTS, Measured, Settings, calibrated, measure
from radit.reports.frontier.plot import plot
from radit.reports.frontier.schema import Frontier, FrontierPoint, winners

WORST_SHARE = 0.05
STEM = "frontier"
RULES = [
    f"Array {ARRAY[0]}x{ARRAY[1]}, memory latency {MEMORY.latency} cycles, {MEMORY.bandwidth:g} bytes per cycle; "
    "cycles of every image by the cycle model from its own decisions, mean over the images.",
    "Only fewer-steps, radit and forecast run on the hardware. The other policies exist in software alone: their "
    "cycles are those of this machine if it took their decisions, with skipping switched on and the decision for free.",
    "All policies cache the branches of sub-blocks before the gate and pay the traffic of that cache; forecasts pay "
    "for two branches.",
    "Policies that compare nothing (fewer-steps, fora, taylorseer, smoothcache) pay no history traffic and no "
    "detection energy. Those that compare pay them as the CCU does, 4 bits a value, for the sub-blocks they watch: "
    "fbcache, teacache and forecast 1, blockl1 every second one, radit all. The others are decided before their pass.",
    "The detectors of an ablation pay for what they keep of the sub-blocks that they watch, at its bits; their lanes "
    "are charged as the CCU's.",
    "Policies that know their schedule beforehand ask for weights early in timesteps that compute everything.",
    "Energy is nominal, host included; external bytes are those of the memory ports, without the host's streams.",
]


def run_frontier(
    *, model: str, samples: int, steps: list[int], policies: list[str], cfg: float, seed: int, jobs: int | None,
    out: Path,
) -> Frontier:  # fmt: skip
    """Measure what is missing under ``out``/points; write frontier.json, frontier.csv and the plots.

    Raises:
        UserError: the model's images are not digits, a policy does not parse, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=point_files(STEM), folders=[POINTS])
    check_shape(model)
    settings, largest, cores = Settings(model, samples, cfg, seed), max(steps), jobs or os.cpu_count() or 1
    settings.check(largest, cores)
    dense, wanted = Candidate("dense", largest), candidates(policies, steps, calibrated(model, largest))
    measured = measure(settings, [dense, *wanted], out / POINTS, cores)
    judge = load_or_train_classifier(CACHE)
    points = [point_of(settings, one, measured[one], dense, measured[dense], judge) for one in wanted]
    result = Frontier(
        model=model,
        samples=samples,
        cfg=cfg,
        seed=seed,
        reference_steps=largest,
        fd_noise=_fd_noise(model),
        mse_30_of_50=_error_of_fewer(points, 30) if largest == 50 else None,
        rules=RULES,
        points=points,
        winners=winners(points),
    )
    write_points(out, STEM, result, {kind: plot(result, kind) for kind in PLOTS})
    return result


def point_of(
    settings: Settings, one: Candidate, found: Measured, dense: Candidate, base: Measured, judge: DigitClassifier
) -> FrontierPoint:
    """Quality and cost of a point against the dense run."""
    images, reference = torch.from_numpy(found.images), torch.from_numpy(base.images)
    labels = torch.arange(settings.samples) % load_config(settings.model).num_classes
    ratio = psnr(images, reference)
    return FrontierPoint(
        policy=one.name,
        settings=one.settings,
        base_steps=one.base_steps,
        cycle_reduction=float(base.cycles.sum() / found.cycles.sum()),
        mac_reduction=float(base.macs.sum() / found.macs.sum()),
        energy_reduction=_energy(settings, dense, base) / _energy(settings, one, found),
        external_bytes_reduction=_bytes(settings, base) / _bytes(settings, found),
        fd=frechet_to_digits(images, judge),
        accuracy=accuracy(images, labels, judge),
        mse=mse(images, reference),
        psnr=ratio if np.isfinite(ratio) else None,
        ssim=ssim(images, reference),
        worst5_mse=worst_mse(found.images, base.images),
        saturations=found.saturations,
    )


def worst_mse(images: np.ndarray, reference: np.ndarray) -> float:
    """Mean squared error of the worst 5 %, at least one, of images (N, C, H, W)."""
    errors = np.sort(np.square(images.astype(np.float64) - reference).mean(axis=(1, 2, 3)))
    return float(errors[-max(1, round(len(errors) * WORST_SHARE)) :].mean())


def _energy(settings: Settings, one: Candidate, found: Measured) -> float:
    """Nominal energy of an image, uJ, its host's included."""
    dims, build = settings.sizes()
    count = len(found.images)
    counters = {name: round(total / count) for name, total in found.counters.items()}
    table, compared = load_table(), one.costs.compared(dims.sub_blocks)
    sram = table.reuse_sram.capacity
    costs = one.costs
    plan = plan_memory(dims, build, sram, costs.cached_results, stream_scope=costs.stream_scope, compared=compared)
    work = host_work(load_config(settings.model), one.sampler_steps, 1, dims.contexts)
    return energy(counters, build, table, plan, work).total_uj.nominal


def _bytes(settings: Settings, found: Measured) -> float:
    """Bytes through the memory ports."""
    moved = external_bytes(found.counters, settings.sizes()[1])
    return sum(size for cause, size in moved.items() if cause not in STREAMS)


def _fd_noise(model: str) -> float | None:
    """The spread of the Frechet distance over seeds, as `radit quality` measured it."""
    found = stored_result(stored_path(model))
    return None if found is None else found["result"]["fd_noise"]


def _error_of_fewer(points: list[FrontierPoint], steps: int) -> float | None:
    """The error of the dense run of so many timesteps."""
    return next((p.mse for p in points if (p.policy, p.settings) == (FEWER, f"steps={steps}")), None)
