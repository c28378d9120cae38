"""What the host computes, for the energy bill: patch embedding, conditioning, final layer, guidance and sampler.

The conditioning of all timesteps is ONE batch, so that its weights, a third of the model, are read once; it depends on
timestep and label alone. Counts are *modelled*: the host's arithmetic is not simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from radit.accel.interfaces.conditioning import BEAT_BITS, HEADER_BEATS
from radit.model.dit.config import DiTConfig

FREQUENCY_FEATURES = 256  # sinusoids of the timestep embedding, as in the official DiT
HOST_WEIGHT_BITS = 16
SAMPLER_MACS_PER_VALUE = 5  # DDIM: predicted image, clip, two-term update; guidance: one


@dataclass(frozen=True)
class HostWork:
    """Work of the host for a whole run: MACs by part, and bits over the external memory interface."""

    patch_embedding_macs: int
    final_layer_macs: int
    conditioning_macs: int
    sampler_macs: int
    weight_bits: int
    table_bits: int

    @property
    def macs(self) -> int:
        return self.patch_embedding_macs + self.final_layer_macs + self.conditioning_macs + self.sampler_macs


def host_work(config: DiTConfig, steps: int, images: int, contexts: int = 2) -> HostWork:
    """Count the host's work.

    Args:
        steps: timesteps of the sampler.
        images: images generated, in one batch of conditioning.
        contexts: contexts per image: 2 under classifier-free guidance.
    """
    hidden, tokens = config.hidden_size, config.tokens
    patch_in = config.in_channels * config.patch_size**2
    patch_out = config.out_channels * config.patch_size**2
    forwards = steps * images * contexts
    embedders = config.depth if config.has_own_embedders else 1
    embedding = embedders * (FREQUENCY_FEATURES * hidden + hidden * hidden)
    modulation = (6 * config.depth + 2) * hidden * hidden
    values = math.prod(config.sample_shape)
    beats = (2 * config.depth + 1) * (HEADER_BEATS + contexts * hidden)
    return HostWork(
        patch_embedding_macs=forwards * tokens * patch_in * hidden,
        final_layer_macs=forwards * tokens * hidden * (patch_out + 2),
        conditioning_macs=steps * embedding + forwards * modulation,
        sampler_macs=steps * images * values * SAMPLER_MACS_PER_VALUE,
        weight_bits=(embedding + modulation + hidden * (patch_in + patch_out)) * HOST_WEIGHT_BITS,
        table_bits=steps * images * beats * BEAT_BITS,
    )
