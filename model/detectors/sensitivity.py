"""How much the float model's prediction depends on each channel of a sub-block's input: weights for a detector."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from radit.model.baselines.smoothcache import CALIBRATION_SEED, ByIdentity
from radit.model.dit.config import CROSS
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

    A change of a modulated input is taken as the change of the stream that causes it, LayerNorm's statistics fixed;
    cross-attention sees the stream itself.
    """
    c, captions = dit.conditioning(t, labels), dit.captions(labels)
    modulation = dit.block_modulation(c).detach()
    stream, streams = dit.embed(image).detach().requires_grad_(), []
    x = stream
    for s, (number, kind) in enumerate(dit.config.places):
        block, vectors = dit.blocks[number], modulation[:, number]
        streams.append(x)
        branch = block.branch(kind, block.input_of(kind, x, vectors), captions)
        x = dit.entering(s + 1, block.add(kind, x, branch, vectors))
    prediction = dit.final(x, c)
    probe = torch.randn(prediction.shape, generator=torch.Generator().manual_seed(seed))
    found = torch.autograd.grad((prediction * probe).sum(), streams)
    scales = dit.vectors(modulation)[:, :, 1].transpose(0, 1)  # (S, N, D)
    rows = []
    for kind, gradient, entered, scale in zip(dit.config.kinds, found, streams, scales, strict=True):
        spread = entered.detach().std(-1, keepdim=True, unbiased=False) if kind != CROSS else torch.ones(())
        rows.append((gradient * spread).double().square().mean((0, 1)) / (1.0 + scale).double().square().mean(0))
    return torch.stack(rows)
