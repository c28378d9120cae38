"""What an error of the predicted noise does to the image, by timestep: weights of a plan."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from radit.model.baselines.smoothcache import CALIBRATION_SEED, ByIdentity
from radit.model.dit.sampler import Sampler, make_noise, predict_noise
from radit.model.dit.transformer import DiT
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.threads import one_thread

IMAGES = 16
ERROR = 0.05  # of a predicted noise whose variance is 1: small, and far above the last bits of a float


def noise_effects(integer: IntegerDiT, cfg: float) -> Tensor:
    """Return the root mean square (steps,) float64 of an image's change per unit of error of the guided noise.

    Of the median image: a few images tip over into another picture, and would decide a mean.
    """
    return _effects(ByIdentity(integer), cfg)


@lru_cache(maxsize=8)
@one_thread()
@torch.no_grad()
def _effects(key: ByIdentity, cfg: float) -> Tensor:
    dit, sampler = key.integer.dit, replace(key.integer.sampler, first=None)
    true = perturbed(dit, sampler, cfg, None)
    changed = (perturbed(dit, sampler, cfg, index) for index in range(key.integer.steps))
    squares = torch.stack([(image - true).double().square().flatten(1).mean(1) for image in changed])
    return squares.median(1).values.sqrt() / ERROR


def perturbed(dit: DiT, sampler: Sampler, cfg: float, at: int | None) -> Tensor:
    """Return images of the float model with a random error in the noise that it predicts at one timestep; None: none.

    What the error does to all later predictions is in them.
    """
    config, labels = dit.config, torch.arange(IMAGES) % dit.config.num_classes
    walk, image = sampler.start(config.has_pixels), make_noise(config, IMAGES, CALIBRATION_SEED)
    for index, timestep in enumerate(sampler.timesteps):
        eps = predict_noise(dit, image, timestep, labels, cfg, config.null_class)
        if index == at:
            generator = torch.Generator().manual_seed(CALIBRATION_SEED + index)
            eps = eps + ERROR * torch.randn(eps.shape, generator=generator)
        image = walk.step(image, eps, index)
    return image
