"""What the models are trained on, and for how long."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.errors import UserError, shown
from radit.model.plain_text import one_line
from radit.model.reading import path_text
from radit.model.text.characters import spelled
from radit.model.text.prompts import Prompts
from radit.model.training.batches import Relabel, Transform
from radit.model.training.clips import load_clips
from radit.model.training.digits import Digits, split_digits
from radit.model.training.moving_digits import Motion, animate
from radit.model.training.pictures import load_fashion, load_pictures, mirrored
from radit.model.training.prompted_digits import all_texts, side_by_side


@dataclass(frozen=True)
class Recipe:
    """Optimizer steps, images or clips per step, highest learning rate of AdamW; for two cores (`docs/video.md`)."""

    steps: int
    batch_size: int
    peak_rate: float


RECIPES = {
    "digits": Recipe(4500, 64, 1e-3),
    "moving-digits": Recipe(24000, 32, 1e-3),
    "fashion": Recipe(30000, 32, 1e-3),
    "cifar10": Recipe(40000, 128, 3e-4),
    "prompted-digits": Recipe(16000, 64, 1e-3),
}


def recipe_of(model: str) -> Recipe:
    """Return how a model is trained.

    Raises:
        UserError: there is no recipe.
    """
    if model not in RECIPES:
        names = " or ".join(map(repr, RECIPES))
        raise UserError(f"MODEL is {shown(model)}, which cannot be trained here: use {names}.")
    return RECIPES[model]


@dataclass(frozen=True)
class TrainingData:
    """What a model learns from.

    Fields:
        config: of the model that fits the data.
        samples: (N, ...) images or clips, or what `transform` makes them of.
        labels: (N,) int64.
        transform, relabel: see `Batches`.
        facts: what the checkpoint says about the data, by name.
        prompts: what labels number in a model with text.
    """

    config: DiTConfig
    samples: Tensor
    labels: Tensor
    facts: dict[str, str]
    transform: Transform | None = None
    relabel: Relabel | None = None
    prompts: Prompts | None = None

    def digest(self) -> str:
        """Return the SHA-256 (hex) of config, facts, samples and labels."""
        state = hashlib.sha256(json.dumps([self.config.model_dump(), self.facts]).encode())
        for tensor in (self.samples, self.labels):
            state.update(tensor.numpy().tobytes())
        return state.hexdigest()


def training_data(model: str, folder: Path | None = None, motion: Motion | None = None) -> TrainingData:
    """Return what a model learns from: the train split of the digits, standing or moving as `motion` says, the user's
    own clips of `folder`, Fashion-MNIST, or pictures of `folder`.

    Raises:
        UserError: there is no recipe for `model`, it does not learn from a folder or lacks one, its data does not move
            that way, or a bad folder (see `load_clips`, `load_fashion` and `load_pictures`).
    """
    recipe_of(model)
    if model in ("fashion", "cifar10"):
        if motion is not None:
            raise UserError(
                f"--motion is how the digits of 'moving-digits' move, not what {model} learns from: leave it out."
            )
        return _picture_data(model, folder)
    config, digits = NAMED_MODELS[model], split_digits()[0]
    if motion is not None and (config.frames == 1 or folder is not None):
        learnt = f"the clips of {path_text(folder)}" if folder else f"what {model} learns from"
        raise UserError(f"--motion is how the digits of 'moving-digits' move, not {learnt}: leave it out.")
    if folder is not None:
        if config.frames == 1:
            raise UserError(
                f"--data is {path_text(folder)}, but {model} does not learn from clips: use it with 'moving-digits'."
            )
        found = load_clips(folder, config.frames, config.input_size)
        fitting = config.model_copy(update={"num_classes": max(len(found.classes), 1)})
        name = one_line(folder.name or folder.resolve().name)
        facts = {"provenance": f"trained from scratch by `radit train` on {len(found.labels)} clips of {name}"}
        return TrainingData(fitting, found.clips, found.labels, facts | {"classes": json.dumps(found.classes)})
    facts = {
        "provenance": "trained from scratch by model/training/train.py on the train split of scikit-learn's load_digits"
    }
    if config.has_text:
        return _prompted_data(config, digits, facts)
    if config.frames == 1:
        return TrainingData(config, digits.images, digits.labels, facts)

    def move(images: Tensor, generator: torch.Generator) -> Tensor:
        return animate(images, generator, motion, frames=config.frames, size=config.input_size)[0]

    facts["provenance"] += " in synthetic motion (model/training/moving_digits.py)"
    facts["motion"] = str(motion or Motion())
    return TrainingData(config, digits.images, digits.labels, facts, move)


def _picture_data(model: str, folder: Path | None) -> TrainingData:
    """Garments or photographs, mirrored by chance."""
    config, made = NAMED_MODELS[model], f"trained from scratch by `radit train {model}` on"
    if model == "fashion":
        found, facts = load_fashion(folder), {"provenance": f"{made} the training part of Fashion-MNIST"}
    elif folder is None:
        raise UserError(
            f"--data is missing: give a folder of the images that {model} learns from, with a sub-folder per class."
        )
    else:
        found = load_pictures(folder, config.input_size)
        name = one_line(folder.name or folder.resolve().name)
        facts = {"provenance": f"{made} {len(found.labels)} images of {name}", "classes": json.dumps(found.classes)}
        config = config.model_copy(update={"num_classes": len(found.classes)})
    return TrainingData(config, found.images, found.labels, facts, mirrored)


def _prompted_data(config: DiTConfig, digits: Digits, facts: dict[str, str]) -> TrainingData:
    """Digits side by side, and what they spell."""
    facts = {"provenance": f"{facts['provenance']}, side by side (model/training/prompted_digits.py)"}
    prompts = spelled(all_texts(), config.characters, config.context_tokens)
    relabel = partial(side_by_side, digits)
    return TrainingData(config, digits.images, digits.labels, facts, prompts=prompts, relabel=relabel)
