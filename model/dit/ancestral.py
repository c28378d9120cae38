"""The ancestral sampler, DDPM: every timestep adds fresh noise, of a variance that the network may have learned.

Sources: J. Ho et al., "Denoising Diffusion Probabilistic Models", 2020, equations 6 and 7; A. Nichol, P. Dhariwal,
"Improved Denoising Diffusion Probabilistic Models", 2021, equation 15 (a learned variance v in -1 .. 1 stands between
the posterior's and beta in the logarithm); the official DiT samples so (`p_sample`, 250 timesteps), with beta where no
variance is learned.

With ab at a timestep, ab' at the next, beta = 1 - ab / ab', posterior variance b = beta (1 - ab') / (1 - ab):

    mean = beta sqrt(ab') / (1 - ab) x0 + (1 - ab') sqrt(ab / ab') / (1 - ab) x
    x_prev = mean + sqrt(variance) noise

The last timestep adds no noise. An image's noise follows from its starting noise, so that it depends on neither the
batch nor the process: the same image in software and through the hardware.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import torch
from torch import Tensor

from radit.model.dit.sampler import NOISE_BLOCK, Sampler, held_to_range
from radit.model.dit.schedule import alpha_bars
from radit.model.errors import UserError


class AncestralWalk:
    """One run of DDPM; its noise is drawn in the order of the timesteps."""

    def __init__(self, sampler: Sampler, pixels: bool | None) -> None:
        whole = replace(sampler, first=None)
        self._count, self._pixels, self._next = len(sampler.timesteps), pixels, 0
        self._bars = [*alpha_bars()[whole.timesteps].tolist(), 1.0]
        self._generators: list[torch.Generator] = []

    def step(self, x: Tensor, eps: Tensor, index: int, variance: Tensor | None = None) -> Tensor:
        """See `radit.model.dit.sampler.Walk`."""
        if index != self._next or index >= self._count:
            raise UserError(
                f"step index is {index}: ddpm draws noise at every timestep, take all of 0 to {self._count - 1} in "
                f"turn; the next is {self._next}."
            )
        if index == 0:
            self._generators = [_generator(image) for image in x]
        self._next += 1
        bar, bar_prev = self._bars[index], self._bars[index + 1]
        beta = 1.0 - bar / bar_prev
        x0, _ = held_to_range(x, eps, bar, self._pixels)
        of_clean = beta * bar_prev**0.5 / (1.0 - bar)
        mean = of_clean * x0 + (1.0 - bar_prev) * (bar / bar_prev) ** 0.5 / (1.0 - bar) * x
        if index + 2 == len(self._bars):
            return mean
        noise = torch.stack([_noise(generator, x.shape[1:]) for generator in self._generators]).to(x.device)
        return mean + self._deviation(beta, bar, bar_prev, variance) * noise

    def _deviation(self, beta: float, bar: float, bar_prev: float, variance: Tensor | None) -> Tensor | float:
        """Standard deviation of the noise: of beta where no variance is learned, as in the official program."""
        if variance is None:
            return beta**0.5
        least, most = math.log(beta * (1.0 - bar_prev) / (1.0 - bar)), math.log(beta)
        share = (variance + 1.0) / 2.0
        return torch.exp(0.5 * (share * most + (1.0 - share) * least))


def _generator(image: Tensor) -> torch.Generator:
    """Of an image, by its starting noise (C, H, W)."""
    return torch.Generator().manual_seed(zlib.crc32(image.detach().float().cpu().contiguous().numpy().tobytes()))


def _noise(generator: torch.Generator, shape: torch.Size) -> Tensor:
    """Standard normal, float32, drawn in whole blocks as `make_noise` does."""
    drawn = -(-shape.numel() // NOISE_BLOCK) * NOISE_BLOCK
    return torch.randn(drawn, generator=generator, dtype=torch.float32)[: shape.numel()].reshape(shape)
