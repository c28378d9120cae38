"""Image quality of float, int8 and skipping generation, measured on the bit-exact integer model and kept.

All variants start from the same noise. ``fd_noise`` is the largest minus the smallest Frechet distance of the float
model over ``RESEEDED`` seeds: differences below it say nothing. The alternative of *fewer steps* runs the dense integer
model with as many timesteps as the skipping run's MACs would pay for, rounded up.

The result is stored beside the checkpoint, with the hash of everything that determines it: weights, quantization,
policy, settings and the code that computes them (its syntax tree, so that comments do not count).
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import os
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from rich.progress import Progress
from torch import Tensor

from model.calibrate import load_or_calibrate, model_digest
from model.checkpoint import find_checkpoint, load_config, load_model
from model.classifier import load_or_train_classifier
from model.dit import DiT
from model.errors import UserError
from model.generate import generate, mac_reduction
from model.integer import IntegerDiT
from model.quality import accuracy, frechet_to_digits, mse
from model.quantize import quantize
from model.reference import Reference
from model.sampler import DDIM, make_noise, sample
from model.skip import POLICIES, forecast, radit

SAMPLES = 1000
SEED = 0  # not the calibration's
RESEEDED = 3  # float runs, the measured one among them, whose distances spread by fd_noise
CACHE = Path("build") / "quality"
BAR = 0.6  # share of the steps whose paired error is the bar of equal quality: 30 of 50
PIECE = 25  # images of one task
DIGIT_SHAPE = (1, 8, 8)
MODULES = "calibrate carrier classifier config data dit engines formats generate groups integer quality quality_run "
MODULES += "quantize reference roms sampler skip"


@dataclass(frozen=True)
class Settings:
    """What is measured: a model, the sampler and the number of images."""

    model: str
    samples: int = SAMPLES
    steps: int = 50
    cfg: float = 1.5
    seed: int = SEED


def run_quality(*, model: str, samples: int, steps: int, cfg: float, seed: int, force: bool) -> dict[str, Any]:
    """Measure, store beside the checkpoint, print; a stored result that is current is only printed."""
    settings = Settings(model, samples, steps, cfg, seed)
    check_shape(model)
    path = stored_path(model)
    found = None if force else _load(path, settings)
    if found is None:
        found = measure(settings)
        path.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found["result"], indent=2))
    return found["result"]


def stored_or_measured(model: str, steps: int, cfg: float) -> dict[str, Any]:
    """The quality fields of summary.json: the stored ones while their hash matches, else measured now."""
    settings = Settings(model, steps=steps, cfg=cfg)
    digest = settings_digest(settings)
    kept = CACHE / f"{digest}.json"
    for path, origin in (
        (stored_path(model), "stored with the checkpoint"),
        (kept, "measured before"),
    ):
        found = _load(path, settings)
        if found is not None:
            return found["result"] | {"origin": f"{origin}, hash {digest[:12]} matches"}
    print("no stored quality result matches; measuring (minutes) ...", flush=True)
    found = measure(settings)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found, indent=2) + "\n")
    return found["result"] | {"origin": "measured in this run"}


def check_shape(model: str) -> None:
    """Refuse a model whose images are not of the digits' shape.

    Raises:
        UserError: names the shape and the remedy; or the model is unknown.
    """
    config = load_config(model)
    if config.sample_shape != DIGIT_SHAPE:
        raise UserError(
            f"--model is {model!r} with {' x '.join(map(str, config.sample_shape))} "
            f"{'images' if config.frames == 1 else 'clips'}: "
            "quality is measured on 8 x 8 digits, use 'digits' or a file of its shape."
        )


def stored_path(model: str) -> Path:
    """Where a model's quality result lies: ``<stem>.quality.json`` beside its checkpoint."""
    checkpoint = find_checkpoint(model) or CACHE / model
    return checkpoint.with_suffix(".quality.json")


def _load(path: Path, settings: Settings) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if found.get("hash") == settings_digest(settings) else None


def settings_digest(settings: Settings) -> str:
    """SHA-256 (hex) of everything that determines the result."""
    dit = load_model(settings.model)
    integer = _integer(dit, settings.model, settings.steps)
    facts = [settings.samples, settings.steps, settings.cfg, settings.seed, RESEEDED, model_digest(dit)]
    facts += [integer.digest(), radit().digest(), forecast().digest(), code_digest()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def code_digest() -> str:
    """SHA-256 (hex) of the code behind the result, without comments and docstrings."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in MODULES.split()] + sorted((here / "ops").glob("*.py"))
    state = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
                node.body = node.body[1:] or [ast.Pass()]
        state.update(ast.dump(tree).encode())
    return state.hexdigest()


def _integer(dit: DiT, model: str, steps: int) -> IntegerDiT:
    return quantize(dit, load_or_calibrate(dit, find_checkpoint(model), steps), DDIM(steps))


def measure(settings: Settings) -> dict[str, Any]:
    """Generate every variant and compare; the model's images are digits, see `check_shape`."""
    dit = load_model(settings.model)
    started = time.perf_counter()
    with Progress() as progress:
        result = _measure(settings, dit, progress)
    return {
        "hash": settings_digest(settings),
        "settings": vars(settings),
        "policies": [repr(radit()), repr(forecast())],
        "result": result,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _measure(settings: Settings, dit: DiT, progress: Progress) -> dict[str, Any]:
    judge = load_or_train_classifier(CACHE)
    labels = torch.arange(settings.samples) % dit.config.num_classes
    integer = _integer(dit, settings.model, settings.steps)
    seeds = [f"float {settings.seed + i}" for i in range(RESEEDED)]
    first = _generate(settings, [*seeds, "dense", "radit", "forecast"], progress)
    reduction, ours = (_reduction(first[name], integer) for name in ("radit", "forecast"))
    fewer = max(1, math.ceil(settings.steps / reduction))
    short = _generate(replace(settings, steps=fewer), ["dense"], progress)
    bar = _generate(replace(settings, steps=max(1, round(BAR * settings.steps))), ["dense"], progress)
    images = {name: torch.cat([image for image, _ in parts]) for name, parts in first.items()}
    distances = {name: frechet_to_digits(image, judge) for name, image in images.items()}
    spread = [distances[name] for name in seeds]
    return {
        "samples": settings.samples,
        "fd_float": distances[seeds[0]],
        "fd_int8": distances["dense"],
        "fd_radit": distances["radit"],
        "fd_noise": max(spread) - min(spread),
        "accuracy_float": accuracy(images[seeds[0]], labels, judge),
        "accuracy_int8": accuracy(images["dense"], labels, judge),
        "accuracy_radit": accuracy(images["radit"], labels, judge),
        "mse_radit_to_dense": mse(images["radit"], images["dense"]),
        "mse_fewer_steps_same_macs": mse(torch.cat([image for image, _ in short["dense"]]), images["dense"]),
        "mac_reduction": reduction,
        "fd_forecast": distances["forecast"],
        "accuracy_forecast": accuracy(images["forecast"], labels, judge),
        "mse_forecast_to_dense": mse(images["forecast"], images["dense"]),
        "mac_reduction_forecast": ours,
        "mse_30_of_50": mse(torch.cat([image for image, _ in bar["dense"]]), images["dense"]),
        "fewer_steps": fewer,
    }


def _reduction(parts: list[Part], integer: IntegerDiT) -> float:
    """MACs of a dense run over those of a variant."""
    return mac_reduction(integer, torch.cat([reuse for _, reuse in parts], 2))


Part = tuple[Tensor, Tensor]  # images (n, C, H, W), reuse (steps, S, n, contexts)


def _generate(settings: Settings, variants: list[str], progress: Progress) -> dict[str, list[Part]]:
    """Images of every variant, piece by piece over the processor's cores."""
    starts = range(0, settings.samples, PIECE)
    tasks = [(variant, start) for variant in variants for start in starts]
    bar = progress.add_task(f"{settings.steps} steps: {len(variants)} variants", total=len(tasks) * PIECE)
    found: dict[str, list[Part]] = {variant: [] for variant in variants}
    work = (delayed(_piece)(settings, variant, start) for variant, start in tasks)
    for (variant, _), part in zip(
        tasks, Parallel(n_jobs=os.cpu_count() or 1, return_as="generator")(work), strict=True
    ):
        found[variant].append(part)
        progress.advance(bar, PIECE)
    return found


def _piece(settings: Settings, variant: str, start: int) -> Part:
    """A few images of one variant, on one thread."""
    torch.set_num_threads(1)
    kind, _, seed = variant.partition(" ")
    dit, reference = _ready(settings.model, settings.steps, kind)
    labels = torch.arange(start, min(start + PIECE, settings.samples)) % dit.config.num_classes
    noise = make_noise(dit.config, settings.samples, int(seed or settings.seed))[start : start + PIECE]
    if reference is None:
        return sample(dit, noise, labels, settings.steps, settings.cfg), torch.empty(0)
    images, record = generate(reference, dit, labels, noise, cfg=settings.cfg)
    if record.saturations:
        raise RuntimeError(f"{record.saturations} values saturated a 16-bit format: {record.saturated}")
    return images, record.reuse


@cache
def _ready(model: str, steps: int, kind: str) -> tuple[DiT, Reference | None]:
    """Model and, for integer variants, reference of a process."""
    dit = load_model(model)
    if kind == "float":
        return dit, None
    integer = _integer(dit, model, steps)
    return dit, Reference(integer, POLICIES[kind]().tables(integer))
