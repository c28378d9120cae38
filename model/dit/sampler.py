"""Samplers, from noise to image, and classifier-free guidance. The noise schedule is in `schedule.py`.

DDIM: J. Song et al., "Denoising Diffusion Implicit Models", 2020, equation 12 with eta = 0. DDPM is in `ancestral.py`.
The other solvers are those of diffusers (`solvers.py`). Guidance: J. Ho, T. Salimans, "Classifier-Free Diffusion
Guidance", 2022.

With ab = prod(1 - beta) up to t, and ab' the same at the next timestep (1 after the last one):

    x0 = (x - sqrt(1 - ab) * eps) / sqrt(ab)        x_prev = sqrt(ab') * x0 + sqrt(1 - ab') * eps

Pixels are known to lie in -1 .. 1: there x0 is clipped to that range, and eps follows it, as in the published code.
Without, noise beyond 4 sigma, one image in a hundred, ends in pixels far outside. Latent images have no such range.
All solvers are given the eps that follows, so that they converge to one image.

Clips have a frame axis before their channels, (N, F, C, H, W), wherever an image is (N, C, H, W).

Guidance runs pairs of contexts in one batch of 2N: context 2i is image i with its label, context 2i + 1 is the
same image with the null class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from radit.model.dit.config import PIXEL_CHANNELS, DiTConfig, check_guidance
from radit.model.dit.sampler_names import DDIM, DDPM, HEUN, LEADING, SOLVERS, SPACINGS, UNIFORM, Solver, Spacing
from radit.model.dit.schedule import alpha_bars, leading, spaced, with_the_last
from radit.model.errors import UserError, shown
from radit.model.ranges import RANGES
from radit.model.threads import one_thread

NOISE_BLOCK = 16
PIXEL_LIMIT = 1.0

ModelFn = Callable[[Tensor, Tensor, Tensor], Tensor]


class Walk(Protocol):
    """One run of a sampler: given the timesteps in turn, from the noise on, it remembers what its solver needs."""

    def step(self, x: Tensor, eps: Tensor, index: int, variance: Tensor | None = None) -> Tensor:
        """Return x of the next timestep, of x (N, C, H, W) and the predicted noise eps (N, C, H, W) at `index`.

        Args:
            variance: (N, C, H, W), about -1 .. 1, where the network has learned it; only ddpm uses it.

        Raises:
            UserError: `index` is not one of the sampler's timesteps, or not the next one of a solver that remembers.
        """


@dataclass(frozen=True)
class Sampler:
    """The way from noise to image: at which timesteps the network is evaluated, and how x goes from one to the next.

    Fields:
        steps: evaluations of the network on the whole way (count).
        first: how many of them to take, from the noise on; None: all.
        solver: one of `SOLVERS`.
        spacing: of the timesteps, one of `SPACINGS`.

    Raises:
        UserError: `steps` is not an integer in 1 .. 1000, or `first` not in 1 .. steps; there is no such solver or
            spacing; or the solver takes another number of steps.
    """

    steps: int = 50
    first: int | None = None
    solver: Solver = DDIM
    spacing: Spacing = UNIFORM

    def __post_init__(self) -> None:
        steps, first = RANGES["steps"].check("--steps", self.steps), self.first
        if first is not None and not 1 <= first <= steps:
            raise UserError(f"--timesteps is {first}: give a whole number from 1 to {steps}, the sampler's steps.")
        if self.solver not in SOLVERS:
            raise UserError(f"--sampler is {shown(self.solver)}: choose {' or '.join(SOLVERS)}.")
        if self.spacing not in SPACINGS:
            raise UserError(f"--spacing is {shown(self.spacing)}: choose {' or '.join(SPACINGS)}.")
        if self.spacing == LEADING and (most := len(leading(self.evaluated))) != self.evaluated:
            raise UserError(
                f"--steps is {self.steps}: spacing leading has a whole stride through 1000 diffusion steps, which "
                f"gives no such number, give {2 * most - 1 if self.solver == HEUN else most}."
            )
        if self.solver == HEUN and self.steps % 2 == 0:
            raise UserError(
                f"--steps is {self.steps}: heun evaluates the network twice per step and once in the last, "
                f"give an odd number such as {self.steps - 1}."
            )

    @property
    def is_ddim(self) -> bool:
        """It is DDIM at evenly spaced timesteps, as published with DiT."""
        return self.solver == DDIM and self.spacing == UNIFORM

    @property
    def evaluated(self) -> int:
        """Different timesteps of all evaluations."""
        return self.steps // 2 + 1 if self.solver == HEUN else self.steps

    @property
    def text(self) -> str:
        """What it is, for tables: "12 of unipc, quadratic"."""
        return f"{self.steps} of {self.solver}, {self.spacing}"

    @cached_property
    def timesteps(self) -> list[int]:
        """Of the evaluations to take, in diffusion steps, descending from 999; Heun's come twice, but for the first."""
        if self.solver in (DDIM, DDPM) and self.spacing == UNIFORM:
            found = with_the_last(self.steps)
        elif self.solver == HEUN:
            found = [t for t in spaced(self.spacing, self.evaluated) for _ in range(2)][1:]
        else:
            found = spaced(self.spacing, self.evaluated)
        return found[: self.first]

    def start(self, pixels: bool | None = None) -> Walk:
        """Return a run of it, at the noise.

        Args:
            pixels: whether x holds pixels, -1 .. 1, and is held to that range; by default where it has 1 or 3 channels.
        """
        if self.solver == DDIM:
            return DDIMWalk(self, pixels)
        if self.solver == DDPM:
            from radit.model.dit.ancestral import AncestralWalk

            return AncestralWalk(self, pixels)
        from radit.model.dit.solvers import LibraryWalk  # diffusers takes seconds to load

        return LibraryWalk(self, pixels)


def held_to_range(x: Tensor, eps: Tensor, bar: float, pixels: bool | None) -> tuple[Tensor, Tensor]:
    """Return the clean image x0 (N, C, H, W) that x and the noise eps tell, and the noise that fits it.

    Args:
        bar: ab at the timestep of x.
        pixels: see `Sampler.start`.
    """
    x0 = (x - (1.0 - bar) ** 0.5 * eps) / bar**0.5
    if x.shape[-3] in PIXEL_CHANNELS if pixels is None else pixels:
        x0 = x0.clamp(-PIXEL_LIMIT, PIXEL_LIMIT)
        eps = (x - bar**0.5 * x0) / (1.0 - bar) ** 0.5
    return x0, eps


class DDIMWalk:
    """Remembers nothing, so that timesteps may come in any order."""

    def __init__(self, sampler: Sampler, pixels: bool | None) -> None:
        whole = replace(sampler, first=None)
        self._count, self._bars = len(sampler.timesteps), [*alpha_bars()[whole.timesteps].tolist(), 1.0]
        self._pixels = pixels

    def step(self, x: Tensor, eps: Tensor, index: int, variance: Tensor | None = None) -> Tensor:
        """See `Walk`."""
        if not 0 <= index < self._count:
            raise UserError(f"step index is {index}: choose one from 0 to {self._count - 1}.")
        bar, bar_prev = self._bars[index], self._bars[index + 1]
        x0, eps = held_to_range(x, eps, bar, self._pixels)
        return bar_prev**0.5 * x0 + (1.0 - bar_prev) ** 0.5 * eps


def guided(eps_cond: Tensor, eps_uncond: Tensor, cfg: float, channels: int | None = None) -> Tensor:
    """Return eps_uncond + cfg * (eps_cond - eps_uncond), the shape of both (.., C, H, W).

    Args:
        cfg: unitless, 1 means no guidance.
        channels: guide the first ones only, the others being those of eps_cond, as the official DiT does with three of
            four; None: all.
    """
    found = eps_uncond + cfg * (eps_cond - eps_uncond)
    return found if channels is None else torch.cat([found[..., :channels, :, :], eps_cond[..., channels:, :, :]], -3)


def make_noise(config: DiTConfig, images: int, seed: int) -> Tensor:
    """Return the starting noise (images, C, H, W), float32, standard normal, the same for the same seed everywhere.

    Image i is the same however many there are: torch draws whole blocks of `NOISE_BLOCK` values, in order.
    """
    values = math.prod(config.sample_shape)
    drawn = -(-values // NOISE_BLOCK) * NOISE_BLOCK
    noise = torch.randn((images, drawn), generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
    return noise[:, :values].reshape(images, *config.sample_shape)


def make_pairs(x: Tensor, y: Tensor, null_class: int) -> tuple[Tensor, Tensor]:
    """Return the 2N contexts of guidance: x (N, ...) -> (2N, ...), labels y (N,) -> (2N,), pairs side by side."""
    labels = torch.stack([y, torch.full_like(y, null_class)], dim=1).flatten()
    return x.repeat_interleave(2, dim=0), labels


def split_pairs(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the conditional and the unconditional half, (N, ...) each, of 2N contexts."""
    return values[0::2], values[1::2]


def predict_noise(
    model_fn: ModelFn, x: Tensor, t: int, y: Tensor, cfg: float, null_class: int, guided_channels: int | None = None
) -> Tensor:
    """Return the guided noise (N, C, H, W) of x (N, C, H, W) at timestep t (diffusion steps) for labels y (N,).

    `model_fn(x, t, y)` sees 2N contexts, or N where cfg is 1; output channels beyond C (a variance) are dropped.
    All C channels are guided, or the first `guided_channels`, see `guided`.
    """
    return predict(model_fn, x, t, y, cfg, null_class, guided_channels)[0]


def predict(
    model_fn: ModelFn, x: Tensor, t: int, y: Tensor, cfg: float, null_class: int, guided_channels: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return what `predict_noise` does, and the label's variance (N, C, H, W), None where none is learned."""
    channels = x.shape[-3]
    if cfg == 1.0:
        found = model_fn(x, torch.full_like(y, t), y)
        return found[..., :channels, :, :], _variance(found, channels)
    contexts, labels = make_pairs(x, y, null_class)
    cond, uncond = split_pairs(model_fn(contexts, torch.full_like(labels, t), labels))
    eps = guided(cond[..., :channels, :, :], uncond[..., :channels, :, :], cfg, guided_channels)
    return eps, _variance(cond, channels)


def _variance(found: Tensor, channels: int) -> Tensor | None:
    """What a network predicts beyond the noise."""
    return found[..., channels:, :, :] if found.shape[-3] == 2 * channels else None


@one_thread()
@torch.no_grad()
def sample(
    model_fn: ModelFn,
    noise: Tensor,
    y: Tensor,
    sampler: Sampler,
    cfg: float = 1.5,
    null_class: int | None = None,
    guided_channels: int | None = None,
) -> Tensor:
    """Return images (N, C, H, W), float32, about -1 .. 1, grown from noise (N, C, H, W) for labels y (N,) int64.

    Args:
        model_fn: network (x (M, C, H, W), t (M,), y (M,)) -> (M, >= C, H, W), where M is 2N, or N where cfg is 1.
        noise: standard normal, see `make_noise`.
        y: labels, 0 .. num_classes - 1.
        sampler: all of its timesteps are taken.
        cfg: guidance scale, unitless; 1 means none.
        null_class: label of the unconditional branch; by default `model_fn.config.num_classes`.
        guided_channels: see `guided`.

    Raises:
        UserError: noise and labels differ in number, or guidance lacks a null class.
    """
    if noise.shape[0] != y.shape[0]:
        raise UserError(f"Labels y number {y.shape[0]} for {noise.shape[0]} noise images: give one label per image.")
    found = getattr(model_fn, "config", None)
    config = found if isinstance(found, DiTConfig) else None
    if null_class is None:
        if config is None and cfg != 1.0:
            raise UserError(f"Guidance scale cfg is {cfg} but null_class is None: pass the number of classes.")
        if config is not None:
            check_guidance(config, cfg, guided_channels)
        null_class = config.null_class if config is not None else 0
    walk, x = sampler.start(config.has_pixels if config is not None else None), noise
    for index, t in enumerate(sampler.timesteps):
        eps, variance = predict(model_fn, x, t, y, cfg, null_class, guided_channels)
        x = walk.step(x, eps, index, variance)
    return x
