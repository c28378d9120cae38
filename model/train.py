"""Train the digit model: noise prediction on 8 x 8 digits, minutes on two cores.

Source: J. Ho et al., "Denoising Diffusion Probabilistic Models", 2020, section 3.4 (the simple loss).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional

from model.checkpoint import CHECKPOINT_DIR, save_checkpoint
from model.config import NAMED_MODELS
from model.data import Digits, split_digits
from model.dit import DiT
from model.errors import UserError
from model.sampler import DIFFUSION_STEPS, add_noise

DIGITS_CHECKPOINT = CHECKPOINT_DIR / "digits.safetensors"
DEFAULT_STEPS = 4500
DEFAULT_SEED = 0
DEFAULT_BATCH_SIZE = 64
DEFAULT_PEAK_RATE = 1e-3
WARMUP_STEPS = 100
EMA_DECAY = 0.999
CLIP_NORM = 1.0
WEIGHT_DECAY = 0.01
LOSS_SMOOTHING = 0.98
PROVENANCE = "trained from scratch by model/train.py on the train split of scikit-learn's load_digits"


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate of one step: linear warm-up to `peak`, then a cosine down to zero at `steps`."""
    warm = min((step + 1) / WARMUP_STEPS, 1.0)
    return peak * warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def batches(digits: Digits, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (size, 1, 8, 8) and labels (size,) for ever, in a fresh order every epoch."""
    while True:
        for index in torch.randperm(len(digits), generator=generator).split(size):
            if len(index) == size:
                yield digits.images[index], digits.labels[index]


def noise_loss(model: DiT, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean squared error of the predicted noise, a scalar, at random timesteps, some labels dropped."""
    t = torch.randint(DIFFUSION_STEPS, (len(images),), generator=generator)
    eps = torch.randn(images.shape, generator=generator)
    dropped = torch.rand(len(labels), generator=generator) < model.config.class_dropout_prob
    labels = torch.where(dropped, model.config.null_class, labels)
    return functional.mse_loss(model(add_noise(images, eps, t), t, labels)[..., : images.shape[-3], :, :], eps)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the averaged weights towards the current ones; the first steps, far from converged, count less."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)


def train_digits(
    out: str | Path = DIGITS_CHECKPOINT,
    steps: int = DEFAULT_STEPS,
    seed: int = DEFAULT_SEED,
    batch_size: int = DEFAULT_BATCH_SIZE,
    peak_rate: float = DEFAULT_PEAK_RATE,
) -> DiT:
    """Train the digit model, write its averaged weights to `out` and return it.

    Args:
        out: .safetensors file to write.
        steps: optimizer steps.
        seed: of the initial weights, the order of the images, the noise and the dropped labels.
        batch_size: images per step.
        peak_rate: highest learning rate of AdamW.

    Raises:
        UserError: `steps` or `batch_size` is out of range, or `out` cannot be written.
    """
    train, _ = split_digits()
    if steps < 1:
        raise UserError(f"Training field steps is {steps}: give it at least 1.")
    if not 1 <= batch_size <= len(train):
        raise UserError(f"Training field batch_size is {batch_size}: give it a value from 1 to {len(train)}.")
    torch.manual_seed(seed)
    model, average = DiT(NAMED_MODELS["digits"]), DiT(NAMED_MODELS["digits"])
    average.load_state_dict(model.state_dict())
    generator = torch.Generator().manual_seed(seed)
    source = batches(train, batch_size, generator)
    loss = _optimize(model, average, source, generator, steps, peak_rate)
    facts = {"seed": seed, "steps": steps, "batch_size": batch_size, "peak_rate": peak_rate, "loss": round(loss, 5)}
    save_checkpoint(out, average, {**{name: str(fact) for name, fact in facts.items()}, "provenance": PROVENANCE})
    return average.eval().requires_grad_(False)


def _optimize(
    model: DiT,
    average: DiT,
    source: Iterator[tuple[Tensor, Tensor]],
    generator: torch.Generator,
    steps: int,
    peak_rate: float,
) -> float:
    """Run the optimizer for `steps` steps under a progress bar; return the smoothed loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak_rate, weight_decay=WEIGHT_DECAY)
    smooth = 1.0
    with _progress() as progress:
        task = progress.add_task("train", total=steps, loss=smooth)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, peak_rate)
            loss = noise_loss(model, *next(source), generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            update_average(average, model, step)
            smooth = LOSS_SMOOTHING * smooth + (1.0 - LOSS_SMOOTHING) * loss.item()
            progress.update(task, advance=1, loss=smooth)
    return smooth


def _progress() -> Progress:
    """Progress bar with the smoothed loss."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
