"""Train a float model from scratch: noise prediction on digits, garments, photographs or clips (`recipes.py`).

Source: J. Ho et al., "Denoising Diffusion Probabilistic Models", 2020, section 3.4 (the simple loss).

Whatever is random is drawn on the CPU from one seed, so that a resumed run equals an uninterrupted one. The model is on
the GPU where there is one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional

from radit.model.console import PlainConsole, figures, progress_bar
from radit.model.dit.checkpoint import check_target, save_checkpoint
from radit.model.dit.memory_needs import of_training
from radit.model.dit.schedule import DIFFUSION_STEPS, add_noise
from radit.model.dit.transformer import DiT, with_texts
from radit.model.errors import UserError, shown
from radit.model.limits import check_memory
from radit.model.outputs import output_file
from radit.model.ranges import RANGES, Range
from radit.model.settings_text import ANY
from radit.model.system.processes import alone
from radit.model.training.batches import Batches
from radit.model.training.moving_digits import Motion
from radit.model.training.recipes import Recipe, TrainingData, recipe_of, training_data
from radit.model.training.training_state import read_state, state_path, write_state

DEFAULT_SEED = 0
WARMUP_STEPS = 100
EMA_DECAY = 0.999
CLIP_NORM = 1.0
WEIGHT_DECAY = 0.01
LOSS_SMOOTHING = 0.98
STATE_EVERY = 100  # steps
RATES = Range(1e-9, 1.0, whole=False)  # of learning
DIVERGED = (
    "give another --seed, a larger --batch-size or other --data; no checkpoint is written, and what --resume goes on "
    "from is from before"
)
LINE_EVERY = 1000  # steps, where the output is no terminal and shows no bar

log = logging.getLogger("radit")


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate of one step: linear warm-up to `peak`, then a cosine down to zero at `steps`."""
    warm = min((step + 1) / WARMUP_STEPS, 1.0)
    return peak * warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def noise_loss(model: DiT, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean squared error of the predicted noise, a scalar, at random timesteps, some labels dropped.

    Images (N, C, H, W) or clips (N, F, C, H, W), and labels (N,), on the CPU; the loss is on the model's device.
    """
    t = torch.randint(DIFFUSION_STEPS, (len(images),), generator=generator)
    eps = torch.randn(images.shape, generator=generator)
    dropped = torch.rand(len(labels), generator=generator) < model.config.class_dropout_prob
    labels = torch.where(dropped, model.config.null_class, labels)
    device = next(model.parameters()).device
    noisy, t, labels, eps = (part.to(device) for part in (add_noise(images, eps, t), t, labels, eps))
    return functional.mse_loss(model(noisy, t, labels)[..., : images.shape[-3], :, :], eps)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the averaged weights towards the current ones; the first steps, far from converged, count less."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)


class Trainer:
    """One training: model, averaged weights, optimizer, source and randomness, from one step to the next.

    Args:
        data: what to learn from.
        recipe: steps, batch size and learning rate.
        seed: of the initial weights, the order of the data, its motion, the noise and the dropped labels.

    Attributes:
        step: steps done.
        loss: smoothed loss.
        average: averaged weights, the result.
    """

    def __init__(self, data: TrainingData, recipe: Recipe, seed: int) -> None:
        self.recipe, self.step, self.loss = recipe, 0, 1.0
        device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(seed)
        self.model, self.average = DiT(data.config).to(device), DiT(data.config).to(device)
        self.average.load_state_dict(self.model.state_dict())
        self.model.prompts = data.prompts
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=recipe.peak_rate, weight_decay=WEIGHT_DECAY)
        self.generator = torch.Generator().manual_seed(seed)
        self.source = Batches(
            data.samples, data.labels, recipe.batch_size, self.generator, data.transform, data.relabel
        )

    def advance(self) -> None:
        """Take one optimizer step.

        Raises:
            UserError: the loss is not finite; the weights stay what they are.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.recipe.steps, self.recipe.peak_rate)
        loss = noise_loss(self.model, *next(self.source), self.generator)
        value = loss.item()
        if not math.isfinite(value):
            raise UserError(f"Training has a loss of {value} at step {self.step + 1}: {DIVERGED}.")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        update_average(self.average, self.model, self.step)
        self.loss = LOSS_SMOOTHING * self.loss + (1.0 - LOSS_SMOOTHING) * value
        self.step += 1

    def check(self) -> None:
        """Refuse weights that are not finite, before they are kept.

        Raises:
            UserError: some are not.
        """
        for module in (self.model, self.average):
            if not all(bool(torch.isfinite(tensor).all()) for tensor in module.state_dict().values()):
                raise UserError(f"Training has weights that are not finite at step {self.step}: {DIVERGED}.")

    def state(self) -> dict[str, Any]:
        """Return everything that the next steps depend on: tensors and numbers by name."""
        parts = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        random = {"generator": self.generator.get_state(), "order": self.source.order}
        return parts | random | {"step": self.step, "loss": self.loss}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            Exception: of any kind, it is none.
        """
        step, loss, order = Range(0, self.recipe.steps).of(state["step"]), ANY.of(state["loss"]), state["order"]
        if order.dtype != torch.int64 or order.dim() != 1 or not set(order.tolist()) <= set(range(self.source.count)):
            raise ValueError(order)
        for name in ("model", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        for parameter, moments in self.optimizer.state.items():
            if any(moment.dim() and moment.shape != parameter.shape for moment in moments.values()):
                raise ValueError(moments)
        self.generator.set_state(state["generator"])
        self.source.order, self.step, self.loss = order, int(step), loss


def train_model(
    model: str,
    out: str | Path,
    steps: int | None = None,
    seed: int = DEFAULT_SEED,
    batch_size: int | None = None,
    peak_rate: float | None = None,
    data: Path | None = None,
    motion: Motion | None = None,
    resume: bool = False,
) -> DiT:
    """Train a model, write its averaged weights to `out` and return it.

    The state of the training is kept beside `out` while it lasts, anew every 100 steps.

    Args:
        model: a name of `RECIPES`.
        out: .safetensors file to write.
        steps, batch_size, peak_rate: instead of the recipe's own, see `Recipe`.
        seed: see `Trainer`.
        data: folder of the user's own clips, see `load_clips`; by default the digits.
        motion: of moving digits, by default `Motion()`.
        resume: go on with an interrupted training of the same settings and data.

    Raises:
        UserError: a field is out of range, the data is bad, `out` cannot be written, there is nothing to resume, or
            loss or weights are no longer finite; then `out` and the state kept last stay as they are.
    """
    usual, out = recipe_of(model), output_file(check_target(out))
    output_file(state_path(out))
    source = training_data(model, data, motion)
    recipe = Recipe(
        usual.steps if steps is None else steps,
        min(usual.batch_size, len(source.labels)) if batch_size is None else batch_size,
        usual.peak_rate if peak_rate is None else peak_rate,
    )
    _check(recipe, len(source.labels))
    needs = of_training(source.config, recipe.batch_size)
    check_memory(f"Training {model} on {recipe.batch_size} samples per step", needs, "give fewer of them")
    facts = {"seed": seed, **asdict(recipe)}
    trainer, key = Trainer(source, recipe, seed), {**facts, "data": source.digest()}
    if resume:
        _resume(trainer, state_path(out), key)
    elif state_path(out).exists():
        log.info("starting over; --resume would have gone on with the training of %s", state_path(out))
    with alone(out, "--out", is_folder=False):
        _run(trainer, state_path(out), key)
        facts["loss"] = round(trainer.loss, 5)
        save_checkpoint(out, trainer.average, {name: str(fact) for name, fact in facts.items()} | source.facts)
        state_path(out).unlink(missing_ok=True)
    average = trainer.average.cpu().eval().requires_grad_(False)
    return with_texts(average) if source.config.characters else average


def _check(recipe: Recipe, samples: int) -> None:
    """Steps, batch size and learning rate in range."""
    RANGES["training_steps"].check("--steps", recipe.steps)
    try:
        Range(1, samples).of(recipe.batch_size)
    except ValueError:
        raise UserError(
            f"--batch-size is {shown(recipe.batch_size)}: give a whole number from 1 to {samples}, the images or clips "
            "that there are."
        ) from None
    RATES.check("peak_rate", recipe.peak_rate)


def _resume(trainer: Trainer, path: Path, key: dict[str, Any]) -> None:
    """Go on from the state of an interrupted training.

    Raises:
        UserError: there is none, it belongs to other settings, or holds what no training keeps.
    """
    state = read_state(path, key)
    try:
        trainer.restore(state)
    except Exception:  # of any kind: torch raises what it likes on other content
        raise UserError(f"Training state {path} does not fit: delete it and train anew.") from None
    trainer.check()


def _run(trainer: Trainer, state: Path, key: dict[str, Any]) -> None:
    """Take the remaining steps under a progress bar, or with a line now and then; keep the state as often."""
    lines = PlainConsole()
    with _progress() as progress, _told_where(trainer, trainer.step):
        task = progress.add_task("train", total=trainer.recipe.steps, completed=trainer.step, loss=trainer.loss)
        while trainer.step < trainer.recipe.steps:
            trainer.advance()
            progress.update(task, advance=1, loss=trainer.loss)
            if trainer.step % STATE_EVERY == 0:
                trainer.check()
                write_state(state, key, trainer.state())
            if trainer.step % LINE_EVERY == 0 and not progress.console.is_terminal:
                lines.print(f"{trainer.step} of {trainer.recipe.steps} steps, loss {trainer.loss:.4f}")
    trainer.check()


@contextmanager
def _told_where(trainer: Trainer, kept: int) -> Iterator[None]:
    """Say, when a training is interrupted, where it would go on from; `kept` steps came from a state."""
    try:
        yield
    except KeyboardInterrupt as error:
        step = max(kept, trainer.step // STATE_EVERY * STATE_EVERY)
        if step:
            error.add_note(f"--resume goes on from step {step}")
        raise


def _progress() -> Progress:
    """Progress bar with the smoothed loss."""
    loss = figures("loss {task.fields[loss]:.4f}")
    return progress_bar(MofNCompleteColumn(), loss, TimeElapsedColumn(), TimeRemainingColumn())
