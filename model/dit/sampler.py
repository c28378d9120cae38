"""Noise schedule, DDIM sampler and classifier-free guidance.

Schedule: 1000 steps, beta linear from 1e-4 to 0.02, the network predicts the noise (J. Ho et al., "Denoising
Diffusion Probabilistic Models", 2020). Sampler: J. Song et al., "Denoising Diffusion Implicit Models", 2020,
equation 12 with eta = 0. Guidance: J. Ho, T. Salimans, "Classifier-Free Diffusion Guidance", 2022.

With ab = prod(1 - beta) up to t, and ab' the same at the next timestep (1 after the last one):

    x0 = (x - sqrt(1 - ab) * eps) / sqrt(ab)        x_prev = sqrt(ab') * x0 + sqrt(1 - ab') * eps

Pixels are known to lie in -1 .. 1: there x0 is clipped to that range, and eps follows it, as in the published code.
Without, noise beyond 4 sigma, one image in a hundred, ends in pixels far outside. Latent images have no such range.

Clips have a frame axis before their channels, (N, F, C, H, W), wherever an image is (N, C, H, W).

Guidance runs pairs of contexts in one batch of 2N: context 2i is image i with its label, context 2i + 1 is the
same image with the null class.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from radit.model.dit.config import PIXEL_CHANNELS, DiTConfig, check_guidance
from radit.model.errors import UserError
from radit.model.ranges import RANGES
from radit.model.threads import one_thread

DIFFUSION_STEPS = 1000
BETA_START, BETA_END = 1e-4, 0.02
NOISE_BLOCK = 16
PIXEL_LIMIT = 1.0

ModelFn = Callable[[Tensor, Tensor, Tensor], Tensor]


def alpha_bars() -> Tensor:
    """Return the cumulative products of 1 - beta over the diffusion steps: (1000,) float64, unitless."""
    betas = torch.linspace(BETA_START, BETA_END, DIFFUSION_STEPS, dtype=torch.float64)
    return torch.cumprod(1.0 - betas, dim=0)


def add_noise(x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Return x_t (N, C, H, W) of clean images x0 and noise eps (N, C, H, W) at timesteps t (N,), in diffusion steps."""
    bars = alpha_bars()[t.cpu()].to(x0.device).reshape(-1, *[1] * (x0.dim() - 1))
    return bars.sqrt().to(x0.dtype) * x0 + (1.0 - bars).sqrt().to(x0.dtype) * eps


def guided(eps_cond: Tensor, eps_uncond: Tensor, cfg: float) -> Tensor:
    """Return eps_uncond + cfg * (eps_cond - eps_uncond), the shape of both; cfg is unitless, 1 means no guidance."""
    return eps_uncond + cfg * (eps_cond - eps_uncond)


class DDIM:
    """Deterministic sampler over `steps` timesteps, respaced evenly over the 1000 diffusion steps.

    Args:
        steps: timesteps of the whole way from noise to image.
        first: how many of them to take, from the noise on; by default all.

    Attributes:
        steps: as given.
        timesteps: descending list of `first` integers, in diffusion steps; the first is 999, the last of all 0 (one
            step: 999 alone).

    Raises:
        UserError: `steps` is not an integer in 1 .. 1000, or `first` not in 1 .. steps.
    """

    def __init__(self, steps: int, first: int | None = None) -> None:
        steps = RANGES["steps"].check("--steps", steps)
        if first is not None and not 1 <= first <= steps:
            raise UserError(f"--timesteps is {first}: give a whole number from 1 to {steps}, the sampler's steps.")
        last = DIFFUSION_STEPS - 1
        timesteps = [round(index * last / (steps - 1)) for index in reversed(range(steps))] if steps > 1 else [last]
        self.steps, self.timesteps = steps, timesteps[:first]
        self._bars = [*alpha_bars()[timesteps].tolist(), 1.0]

    def step(self, x: Tensor, eps: Tensor, index: int, pixels: bool | None = None) -> Tensor:
        """Return x_prev (N, C, H, W) of x and the predicted noise eps (N, C, H, W) at `timesteps[index]`.

        Args:
            pixels: whether x holds pixels, -1 .. 1, and is held to that range; by default where it has 1 or 3 channels.

        Raises:
            UserError: `index` is outside 0 .. steps - 1.
        """
        if not 0 <= index < len(self.timesteps):
            raise UserError(f"step index is {index}: choose one from 0 to {len(self.timesteps) - 1}.")
        bar, bar_prev = self._bars[index], self._bars[index + 1]
        x0 = (x - (1.0 - bar) ** 0.5 * eps) / bar**0.5
        if x.shape[-3] in PIXEL_CHANNELS if pixels is None else pixels:
            x0 = x0.clamp(-PIXEL_LIMIT, PIXEL_LIMIT)
            eps = (x - bar**0.5 * x0) / (1.0 - bar) ** 0.5
        return bar_prev**0.5 * x0 + (1.0 - bar_prev) ** 0.5 * eps


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


def predict_noise(model_fn: ModelFn, x: Tensor, t: int, y: Tensor, cfg: float, null_class: int) -> Tensor:
    """Return the guided noise (N, C, H, W) of x (N, C, H, W) at timestep t (diffusion steps) for labels y (N,).

    `model_fn(x, t, y)` sees 2N contexts, or N where cfg is 1; output channels beyond C (a variance) are dropped.
    All C channels are guided (the published sampling script guides the first three of four only).
    """
    channels = x.shape[-3]
    if cfg == 1.0:
        return model_fn(x, torch.full_like(y, t), y)[..., :channels, :, :]
    contexts, labels = make_pairs(x, y, null_class)
    eps = model_fn(contexts, torch.full_like(labels, t), labels)[..., :channels, :, :]
    return guided(*split_pairs(eps), cfg)


@one_thread()
@torch.no_grad()
def sample(
    model_fn: ModelFn, noise: Tensor, y: Tensor, steps: int = 50, cfg: float = 1.5, null_class: int | None = None
) -> Tensor:
    """Return images (N, C, H, W), float32, about -1 .. 1, grown from noise (N, C, H, W) for labels y (N,) int64.

    Args:
        model_fn: network (x (M, C, H, W), t (M,), y (M,)) -> (M, >= C, H, W), where M is 2N, or N where cfg is 1.
        noise: standard normal, see `make_noise`.
        y: labels, 0 .. num_classes - 1.
        steps: sampler steps, 1 .. 1000.
        cfg: guidance scale, unitless; 1 means none.
        null_class: label of the unconditional branch; by default `model_fn.config.num_classes`.

    Raises:
        UserError: `steps` is out of range, noise and labels differ in number, or guidance lacks a null class.
    """
    if noise.shape[0] != y.shape[0]:
        raise UserError(f"Labels y number {y.shape[0]} for {noise.shape[0]} noise images: give one label per image.")
    found = getattr(model_fn, "config", None)
    config = found if isinstance(found, DiTConfig) else None
    if null_class is None:
        if config is None and cfg != 1.0:
            raise UserError(f"Guidance scale cfg is {cfg} but null_class is None: pass the number of classes.")
        if config is not None:
            check_guidance(config, cfg)
        null_class = config.null_class if config is not None else 0
    sampler, x = DDIM(steps), noise
    for index, t in enumerate(sampler.timesteps):
        eps = predict_noise(model_fn, x, t, y, cfg, null_class)
        x = sampler.step(x, eps, index, config.has_pixels if config is not None else None)
    return x
