"""Models, float and quantized: what a Python program starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from radit.arguments import as_arguments
from radit.model.dit.checkpoint import find_checkpoint
from radit.model.dit.checkpoint import load_model as load_dit
from radit.model.dit.config import DiTConfig
from radit.model.dit.memory_needs import SMALLER, joined, of_calibration, of_integers
from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import DDIM, UNIFORM, Solver, Spacing
from radit.model.dit.transformer import DiT
from radit.model.integer.calibration import DEFAULT_CFG, affordable_images, load_or_calibrate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize as quantized_dit
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.ranges import checked, checked_or_none


@dataclass(frozen=True, eq=False)
class Model:
    """A float model, from `load_model`.

    Fields:
        name: as it was asked for, a name or the path of a checkpoint file.
        dit: the PyTorch module, float32, in evaluation mode, frozen.
        blocks: how many of its first blocks were kept; None: all.
        prompt: what it draws, as it was asked for; None: what it draws by itself, or labels.
    """

    name: str
    dit: DiT
    blocks: int | None = None
    prompt: str | None = None

    @property
    def config(self) -> DiTConfig:
        """Its dimensions."""
        return self.dit.config


@dataclass(frozen=True, eq=False)
class QuantizedModel:
    """A model and its integer form, from `quantize`; the integers are those of the hardware.

    Fields:
        model: the float model.
        integer: int8 weights, integer scales and tables (`radit.model.integer.integer_dit`).
        cfg: guidance scale of the images that its int8 ranges were taken from.
    """

    model: Model
    integer: IntegerDiT
    cfg: float = DEFAULT_CFG

    @property
    def config(self) -> DiTConfig:
        """Its dimensions."""
        return self.model.config

    @property
    def steps(self) -> int:
        """Timesteps of the sampler that it is quantized for."""
        return self.integer.sampler_steps

    @property
    def timesteps(self) -> int:
        """How many of them, from the first on."""
        return self.integer.steps


def load_model(name: str | Path, blocks: int | None = None, prompt: str | None = None) -> Model:
    """Load a model.

    Args:
        name: "digits", "moving-digits", "fashion" or "prompted-digits", trained; "dit-s-2" to "dit-xl-2-512",
            "pixart-xl-2-256" to "-1024" or "latte-xl-2", with seeded weights; or
            the path of a checkpoint in the naming of DiT or Latte (.safetensors, .pt, .ckpt) or of a folder of
            diffusers' DiT, and behind it what it does not tell: "FILE:prediction=noise:num_heads=6".
        blocks: how many of its blocks to keep, from the first on; None: all.
        prompt: what a model with text draws: texts, or files of embeddings, separated by commas (`docs/models.md`);
            its labels number them. None: those that it has by itself.

    Raises:
        UserError: the name is unknown, the file cannot be read or does not fit, the model has not so many blocks, or
            the prompts are none for it.
    """
    blocks = checked_or_none(blocks=blocks)
    with as_arguments():
        return Model(str(name), load_dit(name, blocks, prompt), blocks, prompt)


def quantize(
    model: Model | str | Path,
    steps: int = 50,
    *,
    timesteps: int | None = None,
    cfg: float = DEFAULT_CFG,
    sampler: Solver = DDIM,
    spacing: Spacing = UNIFORM,
) -> QuantizedModel:
    """Calibrate a model for a sampler and make integers of it.

    Calibration takes the ranges of all values from a few dozen seeded images of the float model. What is stored with a
    shipped checkpoint, or under build/calibration, is not computed again.

    Args:
        model: from `load_model`, or what that takes.
        steps: timesteps of the sampler, that is evaluations of the network (count, 1 to 1000).
        timesteps: quantize for the first of them only (count); None: all.
        cfg: guidance scale of the calibration's images (factor, 1: no guidance); the command line and `cosimulate`
            take 1.5, whatever a run's own scale is.
        sampler: solver, one of "ddim", "dpmpp-2m", "dpmpp-3m", "unipc", "euler", "heun", "ddpm".
        spacing: of its timesteps: "uniform" in time, "quadratic", "log-snr", or "leading".

    Raises:
        UserError: see `load_model`; or steps or timesteps are out of range.
    """
    (steps, cfg), timesteps = checked(steps=steps, cfg=cfg), checked_or_none(timesteps=timesteps)
    with as_arguments():
        way = Sampler(steps, timesteps, sampler, spacing)
    given = model if isinstance(model, Model) else load_model(model)
    _check_memory(given, timesteps or steps, cfg)
    calibration = load_or_calibrate(given.dit, find_checkpoint(given.name), way, cfg)
    way = replace(way, first=len(calibration.timesteps))
    return QuantizedModel(given, quantized_dit(given.dit, calibration, way), cfg)


def _check_memory(model: Model, steps: int, cfg: float) -> None:
    """Refuse to quantize what this machine has no memory for; the float model is there already."""
    contexts = 1 if cfg == 1.0 else 2
    images = affordable_images(model.config, steps, contexts)
    parts = joined(of_integers(model.config, steps), of_calibration(model.config, images, contexts))
    check_memory(f"Model {one_line(model.name)}", parts | {"weights": 0}, SMALLER)


def whole_name(model: Model) -> str | None:
    """The name that settings of the whole model are stored under; None for a model cut to its first blocks."""
    return model.name if model.blocks is None else None
