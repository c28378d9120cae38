"""How much the float model's prediction depends on each channel of a sub-block's input: weights for a detector."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from radit.model.baselines.smoothcache import CALIBRATION_SEED, ByIdentity
from radit.model.dit.sampler import make_noise
from radit.model.dit.transformer import DiT
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.threads import one_thread

IMAGES, PROBES, EVERY = 8, 4, 5  # images, random directions of the prediction, of every so many timesteps


def channel_weights(integer: IntegerDiT, s: int, power: float) -> Tensor:
    """Return weights (D,) float64 of mean 1: the effect of an equalized channel of sub-block s, to a power."""
    effect = (_effects(ByIdentity(integer))[s] * integer.act_share[s]) ** power
    return effect / effect.mean()


@lru_cache(maxsize=4)
@one_thread()
def _effects(key: ByIdentity) -> Tensor:
    """Root mean square (S, D) of the prediction's gradient, over images, tokens and timesteps of dense runs."""
    integer, dit = key.integer, key.integer.dit
    sampler = replace(integer.sampler, first=None)
    walk, labels = sampler.start(), torch.arange(IMAGES) % dit.config.num_classes
    image, squares = make_noise(dit.config, IMAGES, CALIBRATION_SEED), []
    for index, timestep in enumerate(sampler.timesteps):
        t = torch.full((IMAGES,), timestep)
        if index % EVERY == 0:
            squares += [gradients(dit, image, t, labels, seed=index * PROBES + probe) for probe in range(PROBES)]
        with torch.no_grad():
            image = walk.step(image, dit(image, t, labels), index)
    return torch.stack(squares).mean(0).sqrt()


def gradients(dit: DiT, image: Tensor, t: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Return the mean square (S, D) float64 of a random direction's gradient with respect to the modulated inputs.

    A change of a modulated input is taken as the change of the stream that causes it, LayerNorm's statistics fixed.
    """
    c = dit.conditioning(t, labels)
    modulation = dit.block_modulation(c).detach()
    stream, streams = dit.embed(image).detach().requires_grad_(), []
    x = stream
    for number, block in enumerate(dit.blocks):
        vectors = modulation[:, number]
        streams.append(x)
        x = x + vectors[:, 2].unsqueeze(1) * block.attn(block.attention_input(x, vectors))
        streams.append(x)
        x = x + vectors[:, 5].unsqueeze(1) * block.mlp(block.mlp_input(x, vectors))
    prediction = dit.final(x, c)
    probe = torch.randn(prediction.shape, generator=torch.Generator().manual_seed(seed))
    found = torch.autograd.grad((prediction * probe).sum(), streams)
    scales = modulation[:, :, (1, 4)].flatten(1, 2).transpose(0, 1)  # (S, N, D)
    rows = []
    for gradient, entered, scale in zip(found, streams, scales, strict=True):
        spread = entered.detach().std(-1, keepdim=True, unbiased=False)
        rows.append((gradient * spread).double().square().mean((0, 1)) / (1.0 + scale).double().square().mean(0))
    return torch.stack(rows)
