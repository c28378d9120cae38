"""What the host computes, for the energy bill: patch embedding, conditioning, prompts, final layer, guidance, sampler.

The conditioning of all timesteps is ONE batch, so that its weights, a third of the model, are read once; it depends on
timestep and label alone. Keys and values of a prompt are made once per image. Counts are *modelled*: the host's
arithmetic is not simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from radit.accel.interfaces.conditioning import BEAT_BITS, HEADER_BEATS
from radit.model.dit.config import DiTConfig
from radit.model.formats import INT8_BITS, X_BITS

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
    prompt_macs: int = 0

    @property
    def macs(self) -> int:
        return (
            self.patch_embedding_macs
            + self.final_layer_macs
            + self.conditioning_macs
            + self.sampler_macs
            + self.prompt_macs
        )


def host_work(config: DiTConfig, steps: int, images: int, contexts: int = 2, texts: int | None = None) -> HostWork:
    """Count the host's work.

    Args:
        steps: timesteps of the sampler.
        images: images generated, in one batch of conditioning.
        contexts: contexts per image: 2 under classifier-free guidance.
        texts: text tokens of all contexts and images, where there is text; None: as many as the model takes.
    """
    hidden, tokens = config.hidden_size, config.tokens
    patch_in = config.in_channels * config.patch_size**2
    patch_out = config.out_channels * config.patch_size**2
    forwards = steps * images * contexts
    embedders = config.depth if config.has_own_embedders else 1
    embedding = embedders * (FREQUENCY_FEATURES * hidden + hidden * hidden)
    modulation, modulated = (6 * config.depth + 2) * hidden * hidden, forwards
    if config.has_text:  # one adaLN for all blocks, of the timestep alone
        modulation, modulated = 6 * hidden * hidden, steps
    values = math.prod(config.sample_shape)
    beats = (config.sub_blocks + 1) * (HEADER_BEATS + contexts * hidden)
    projection, words = config.context_dim * hidden + hidden * hidden, 2 * len(config.cross_sub_blocks) * hidden
    tokens_read = images * contexts * config.context_tokens if texts is None else texts
    if not config.has_text:
        projection = 0
    frames = images * config.frames * hidden * X_BITS if config.adds_frames_later else 0
    return HostWork(
        patch_embedding_macs=forwards * tokens * patch_in * hidden,
        final_layer_macs=forwards * tokens * hidden * (patch_out + 2),
        conditioning_macs=steps * embedding + modulated * modulation,
        sampler_macs=steps * images * values * SAMPLER_MACS_PER_VALUE,
        weight_bits=(embedding + modulation + projection + words * hidden + hidden * (patch_in + patch_out))
        * HOST_WEIGHT_BITS,
        table_bits=steps * images * beats * BEAT_BITS + frames + tokens_read * words * INT8_BITS,
        prompt_macs=tokens_read * (projection + words * hidden),
    )
