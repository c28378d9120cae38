"""Quality of float, int8 and skipping generation, measured on the bit-exact integer model and kept.

Images or clips: `model/quality/judge.py` has who judges them.

All variants start from the same noise. ``fd_noise`` is the largest minus the smallest Frechet distance of the float
model over ``RESEEDED`` seeds: differences below it say nothing. The results stand by variant: ``float``, ``dense`` (the
integer model), every skipping policy; ``fewer_steps``, the dense integer model with as many timesteps as the MACs of
our policy would pay for, rounded up; of DDIM ``30_of_50``, with three fifths of them, of another solver
``ddim_50``, 50 steps of DDIM for the record; of clips and garments also ``data``. Errors are to the converged samples
(`model/quality/converged.py`), and beside them to the dense ones.

The result is stored beside the checkpoint, with the hash of everything that determines it: weights, quantization,
policy, settings and the code that computes them (its syntax tree, so that comments do not count). The result has a hash
of its own, so that a damaged one is measured again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress, TaskProgressColumn, TimeRemainingColumn
from torch import Tensor

from radit.model.console import progress_bar
from radit.model.detectors.plans import with_plan
from radit.model.dit.checkpoint import find_checkpoint, load_config, load_model
from radit.model.dit.memory_needs import check_comparison
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.sampler_names import DDIM, HEUN, UNIFORM, Solver, Spacing
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.files import write_json
from radit.model.integer.calibration import load_or_calibrate, model_digest
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.outputs import output_file
from radit.model.policy.policy_file import policy_of, usual_policies
from radit.model.policy.skip_policy import Policy, dense
from radit.model.quality.converged import CONVERGED, paired_errors, picture_distance
from radit.model.quality.judge import DigitJudge, judge_of
from radit.model.quality.measures import mse, squared_errors
from radit.model.quality.names import BAR, DATA, DENSE, FEWER, FLOAT, RECORD
from radit.model.quality.quality_schema import Quality
from radit.model.reading import fitting, read_json
from radit.model.source_code import code_digest
from radit.model.system.caches import content_digest, kept
from radit.model.system.workers import Workers, local_workers
from radit.model.threads import one_thread

SEED = 0  # not the calibration's
RESEEDED = 3  # float runs, the measured one among them, whose distances spread by fd_noise
CACHE = Path("build") / "quality"
BAR_SHARE = 0.6  # of the steps: the paired error of that run is the bar of equal quality
VARIANTS = RESEEDED + 6  # kept at a time: float runs, dense, two policies, what they are compared with
PIECE = 25  # images, or frames of whole clips, of one task
BEHIND = (
    "radit.model.integer.generate",
    "radit.model.integer.quantize",
    "radit.model.policy.policy_integers",
    "radit.model.quality.converged",
    "radit.model.quality.measures",
)

log = logging.getLogger("radit")


@dataclass(frozen=True)
class Settings:
    """What is measured: a model, the sampler and the number of images or clips."""

    model: str
    samples: int = DigitJudge.samples
    steps: int = 50
    cfg: float = 1.5
    seed: int = SEED
    solver: Solver = DDIM
    spacing: Spacing = UNIFORM

    @property
    def sampler(self) -> Sampler:
        """All of its timesteps."""
        return Sampler(self.steps, solver=self.solver, spacing=self.spacing)

    def of(self, sampler: Sampler) -> Settings:
        """Return the same with another sampler."""
        return replace(self, steps=sampler.steps, solver=sampler.solver, spacing=sampler.spacing)


def run_quality(
    *,
    model: str,
    samples: int | None,
    sampler: Sampler,
    cfg: float,
    seed: int,
    force: bool,
    workers: Workers | None = None,
) -> dict[str, Any]:
    """Measure and store beside the checkpoint; a stored result that is current is taken as it is.

    Raises:
        UserError: the model is unknown, or nobody judges what it generates.
    """
    workers = workers or local_workers()
    settings = _checked(Settings(model, samples or judge_of(model).samples, cfg=cfg, seed=seed).of(sampler), workers)
    path = output_file(stored_path(model), "The file of the result of --model")
    found = None if force else _load(path, settings)
    if found is None:
        found = measure(settings, workers)
        write_json(path, found)
    return found["result"]


def stored_or_measured(model: str, sampler: Sampler, cfg: float) -> dict[str, Any]:
    """The quality fields of summary.json: the stored ones while their hash matches, else measured now."""
    workers = local_workers()
    settings = _checked(Settings(model, judge_of(model).samples, cfg=cfg).of(sampler), workers)
    digest, origin = settings_digest(settings), "measured before"
    found = _load(stored_path(model), settings)
    if found is not None:
        origin = "stored with the checkpoint"
    else:

        def make() -> dict[str, Any]:
            nonlocal origin
            log.info("no stored quality result matches; measuring (minutes) ...")
            origin = ""
            return measure(settings, workers)

        found = kept(CACHE / f"{digest}.json", lambda path: _load(path, settings), make, write_json)
    note = f"{origin}, hash {digest[:12]} matches" if origin else "measured in this run"
    return found["result"] | {"origin": note}


def _checked(settings: Settings, workers: Workers) -> Settings:
    """The same, known to fit into the memory, and to be guided only where it can be."""
    check_comparison(
        settings.model, load_config(settings.model), samples=settings.samples,
        steps=max(CONVERGED.steps, settings.steps), cfg=settings.cfg, runs=VARIANTS, jobs=workers.here,
    )  # fmt: skip
    return settings


def stored_path(model: str) -> Path:
    """Where a model's quality result lies: ``<stem>.quality.json`` beside its checkpoint."""
    checkpoint = find_checkpoint(model) or CACHE / model
    return checkpoint.with_suffix(".quality.json")


def stored_result(path: Path) -> dict[str, Any] | None:
    """Return what a file holds, ``result``, a `Quality`, and ``hash``; None where it is missing, damaged or another."""
    if not os.path.lexists(path):
        return None
    try:
        found = read_json(path, "quality result", "delete it")
        if isinstance(found, dict) and content_digest(found.get("result")) == found.get("result_hash"):
            fitting(Quality, found["result"], path, "quality result", "delete it")
            return found
    except UserError:
        pass
    log.info("quality result %s is damaged or of another version, it counts for nothing", path)
    return None


def _load(path: Path, settings: Settings) -> dict[str, Any] | None:
    found = stored_result(path)
    return found if found is not None and found.get("hash") == settings_digest(settings) else None


def settings_digest(settings: Settings) -> str:
    """SHA-256 (hex) of everything that determines the result."""
    dit = load_model(settings.model)
    integer = _integer(dit, settings.model, settings.sampler)
    facts = [settings.samples, settings.steps, settings.cfg, settings.seed, RESEEDED, model_digest(dit)]
    facts += [] if settings.sampler.is_ddim else [settings.solver, settings.spacing]
    facts += [integer.digest(), *(policy.digest() for policy in _policies(settings, integer).values())]
    facts.append(code_digest(*BEHIND, *judge_of(settings.model).modules))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _policies(settings: Settings, integer: IntegerDiT) -> dict[str, Policy]:
    """The skipping policies as the model has them, by name, ours last."""
    names = [name for name in usual_policies(settings.model) if name != DENSE]
    found = {name: policy_of(name, settings.model, integer, settings.cfg) for name in names}
    return {name: with_plan(policy, integer, settings.cfg) for name, policy in found.items()}


def _integer(dit: DiT, model: str, sampler: Sampler) -> IntegerDiT:
    return quantize(dit, load_or_calibrate(dit, find_checkpoint(model), sampler), sampler)


def measure(settings: Settings, workers: Workers) -> dict[str, Any]:
    """Generate every variant and compare; the model's samples are those of a judge, see `judge_of`."""
    dit = load_model(settings.model)
    integer = _integer(dit, settings.model, settings.sampler)
    started = time.perf_counter()
    with progress_bar(TaskProgressColumn(), TimeRemainingColumn()) as progress:
        result = _measure(settings, dit, workers, progress)
    return {
        "hash": settings_digest(settings),
        "result_hash": content_digest(result),
        "settings": vars(settings),
        "policies": {name: policy.settings for name, policy in _policies(settings, integer).items()},
        "result": result,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _measure(settings: Settings, dit: DiT, workers: Workers, progress: Progress) -> dict[str, Any]:
    judge = judge_of(settings.model)(CACHE)
    labels = torch.arange(settings.samples) % dit.config.num_classes
    integer = _integer(dit, settings.model, settings.sampler)
    seeds = [f"{FLOAT} {settings.seed + i}" for i in range(RESEEDED)]
    skipping = _policies(settings, integer)
    *_, ours = skipping
    first = _generate(settings, [*seeds, DENSE, *skipping], workers, progress)
    reductions = {name: _reduction(first[name], integer) for name in skipping}
    others = _compared_with(settings.sampler, reductions[ours])
    images = {name: _joined(parts) for name, parts in first.items()}
    for name, sampler in others.items():
        images[name] = _joined(_generate(settings.of(sampler), [DENSE], workers, progress)[DENSE])
    converged = _joined(_generate(settings.of(CONVERGED), seeds[:1], workers, progress)[seeds[0]])
    distance = picture_distance(converged, labels)
    found = {name: judge.measure(images[name], labels) for name in (*seeds, DENSE, *skipping, *others)}
    spread = [found[name]["fd"] for name in seeds]
    entries = {name: _measures(found[name]) for name in (seeds[0], DENSE, *skipping, *others)}
    for name, entry in entries.items():
        entry["to_converged"] = paired_errors(images[name], converged, distance).model_dump()
    entries[DENSE] |= {"mse_to_dense": 0.0, "mac_reduction": 1.0}
    for name, policy in skipping.items():
        entries[name] |= {"text": policy.text, "mac_reduction": reductions[name]}
    for name, sampler in others.items():
        entries[name]["steps"] = sampler.steps
    for name in (*skipping, *(name for name in others if name != RECORD)):
        entries[name] |= _paired(images[name], images[DENSE])
    entries[FEWER]["same_macs_as"] = ours
    entries = {FLOAT if name == seeds[0] else name: entry for name, entry in entries.items()}
    if data := judge.of_data(settings.samples, settings.seed):
        entries[DATA] = _measures(data)
    return {"samples": settings.samples, "fd_noise": max(spread) - min(spread), "by_policy": entries}


def _compared_with(sampler: Sampler, reduction: float) -> dict[str, Sampler]:
    """The samplers of the dense runs that skipping has to beat, by name.

    Args:
        sampler: of the run. reduction: MACs of its dense run over those of our policy.
    """
    wanted = {FEWER: max(1, math.ceil(sampler.steps / reduction))}
    if sampler.is_ddim:
        wanted[BAR] = max(1, round(BAR_SHARE * sampler.steps))
    if sampler.solver == HEUN:
        wanted = {name: steps | 1 for name, steps in wanted.items()}  # it takes odd numbers
    found = {name: replace(sampler, steps=steps) for name, steps in wanted.items()}
    return found if sampler.is_ddim else found | {RECORD: Sampler(50)}


def _joined(parts: list[Part]) -> Tensor:
    """The images of a variant's pieces, in order."""
    return torch.cat([images for images, _ in parts])


def _measures(found: dict[str, float]) -> dict[str, Any]:
    """What images have, and apart what only clips have."""
    shared = {name: found[name] for name in ("fd", "accuracy", "complete") if name in found}
    clips = {name: value for name, value in found.items() if name not in shared}
    return shared | ({"clips": clips} if clips else {})


def _paired(images: Tensor, dense: Tensor) -> dict[str, Any]:
    """The mean error of images (N, ..) to the dense ones; how far it is to be trusted; what half of them stay below."""
    errors = squared_errors(images, dense)
    spread = {"standard_error": float(errors.std()) / math.sqrt(len(errors)), "median": float(errors.median())}
    return {"mse_to_dense": mse(images, dense), "mse_spread": spread}


def _reduction(parts: list[Part], integer: IntegerDiT) -> float:
    """MACs of a dense run over those of a variant."""
    decisions = DecisionRecord.joined([record for _, record in parts if record is not None])
    return decisions.mac_reduction(integer.config.sub_block_macs())


Part = tuple[Tensor, DecisionRecord | None]  # images (n, C, H, W) or clips (n, F, C, H, W); None: of the float model


def _generate(settings: Settings, variants: list[str], workers: Workers, progress: Progress) -> dict[str, list[Part]]:
    """Images of every variant, piece by piece over the workers."""
    piece = max(1, PIECE // load_config(settings.model).frames)
    tasks = [(variant, start, piece) for variant in variants for start in range(0, settings.samples, piece)]
    bar = progress.add_task(f"{settings.steps} steps: {len(variants)} variants", total=len(tasks))
    found: dict[str, list[Part]] = {variant: [] for variant in variants}
    parts = workers.over([(_piece, settings, *task) for task in tasks])
    for (variant, *_), part in zip(tasks, parts, strict=True):
        found[variant].append(part)
        progress.advance(bar)
    return found


@one_thread()
def _piece(settings: Settings, variant: str, start: int, count: int) -> Part:
    """A few images or clips of one variant, on one thread."""
    kind, _, seed = variant.partition(" ")
    dit, reference = _model_and_reference(settings, kind)
    labels = torch.arange(start, min(start + count, settings.samples)) % dit.config.num_classes
    noise = make_noise(dit.config, settings.samples, int(seed or settings.seed))[start : start + count]
    if reference is None:
        return sample(dit, noise, labels, settings.sampler, settings.cfg), None
    images, record = generate(reference, dit, labels, noise, cfg=settings.cfg)
    if record.saturations:
        raise RuntimeError(f"{record.saturations} values saturated a 16-bit format: {record.saturated}")
    return images, record.decisions


@cache
def _model_and_reference(settings: Settings, kind: str) -> tuple[DiT, Reference | None]:
    """Model and, for integer variants, reference of a process."""
    dit = load_model(settings.model)
    if kind == FLOAT:
        return dit, None
    integer = _integer(dit, settings.model, settings.sampler)
    policy = dense() if kind == DENSE else _policies(settings, integer)[kind]
    return dit, Reference(integer, policy.tables(integer))
