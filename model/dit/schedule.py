"""The noise schedule, and timesteps on it.

1000 diffusion steps, beta linear from 1e-4 to 0.02, the network predicts the noise (J. Ho et al., "Denoising Diffusion
Probabilistic Models", 2020). ab = prod(1 - beta) up to a step; log-SNR = log(ab / (1 - ab)).
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.dit.sampler_names import LEADING, LOG_SNR, QUADRATIC

DIFFUSION_STEPS = 1000
BETA_START, BETA_END = 1e-4, 0.02


def alpha_bars() -> Tensor:
    """Return the cumulative products of 1 - beta over the diffusion steps: (1000,) float64, unitless."""
    betas = torch.linspace(BETA_START, BETA_END, DIFFUSION_STEPS, dtype=torch.float64)
    return torch.cumprod(1.0 - betas, dim=0)


def add_noise(x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Return x_t (N, C, H, W) of clean images x0 and noise eps (N, C, H, W) at timesteps t (N,), in diffusion steps."""
    bars = alpha_bars()[t.cpu()].to(x0.device).reshape(-1, *[1] * (x0.dim() - 1))
    return bars.sqrt().to(x0.dtype) * x0 + (1.0 - bars).sqrt().to(x0.dtype) * eps


def with_the_last(count: int) -> list[int]:
    """Return `count` timesteps, evenly from 999 to 0, both among them (one: 999 alone), as the published DiT does."""
    last = DIFFUSION_STEPS - 1
    return [round(index * last / (count - 1)) for index in reversed(range(count))] if count > 1 else [last]


def leading(count: int) -> list[int]:
    """Return timesteps of one whole stride that descend to 0, as the official DiT's "ddim50" does: 980, 960 .. 0.

    They are `count`, or fewer where no stride gives so many (at least 2). Source: `space_timesteps` of
    facebookresearch/DiT, "ddimN", which takes the smallest stride with N timesteps below 1000.
    """
    strides = (range(0, DIFFUSION_STEPS, stride) for stride in range(1, DIFFUSION_STEPS))
    return [*reversed(next(places for places in strides if len(places) <= max(count, 2)))]


def spaced(spacing: str, count: int) -> list[int]:
    """Return `count` timesteps that descend from 999; one more would be 0, from where nothing is left to be gained.

    Args:
        spacing: even in time, in the square root of time, or in the log-SNR; one of `SPACINGS`. "leading" ends at 0 and
            begins below 999, see `leading`.
    """
    if spacing == LEADING:
        return leading(count)
    share = torch.linspace(1.0, 0.0, count + 1, dtype=torch.float64)[:-1]
    last = DIFFUSION_STEPS - 1
    if spacing == LOG_SNR:
        bars = alpha_bars()
        snr = torch.log(bars / (1.0 - bars))  # descending
        wanted = snr[0] + share * (snr[-1] - snr[0])
        places = [int((snr - each).abs().argmin()) for each in wanted]
    else:
        places = [round(last * each ** (2 if spacing == QUADRATIC else 1)) for each in share.tolist()]
    for index in reversed(range(count - 1)):  # close to 0 several would fall on one step: push them up
        places[index] = max(places[index], places[index + 1] + 1)
    return [min(place, last - index) for index, place in enumerate(places)]
