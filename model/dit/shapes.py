"""Names and shapes of the weights of a DiT, from its dimensions alone: nothing is made, whatever the dimensions are."""

from __future__ import annotations

import math
from collections.abc import Iterator

from radit.model.dit.config import DiTConfig

FREQUENCY_FEATURES = 256  # of a timestep
MODULATIONS = ("shift_msa", "scale_msa", "gate_msa", "shift_mlp", "scale_mlp", "gate_mlp")
FLOAT_BYTES = 4
BLOCK_OVERHEAD = 32 * 1024  # bytes of a block beside its weights: modules and their entries

Shape = tuple[int, ...]


def tensor_shapes(config: DiTConfig) -> Iterator[tuple[str, Shape]]:
    """Give name and shape of every tensor of the state dict, block after block."""
    yield from _ends(config)
    for index in range(config.depth):
        for name, shape in _block(config):
            yield f"blocks.{index}.{name}", shape


def weight_count(config: DiTConfig) -> int:
    """Return the number of weights, position embeddings included."""
    ends, block = (sum(math.prod(shape) for _, shape in part) for part in (_ends(config), _block(config)))
    return ends + config.depth * block


def float_bytes(config: DiTConfig) -> int:
    """Return the bytes of a float model, about."""
    return FLOAT_BYTES * weight_count(config) + BLOCK_OVERHEAD * config.depth


def _linear(name: str, inputs: int, outputs: int) -> list[tuple[str, Shape]]:
    return [(f"{name}.weight", (outputs, inputs)), (f"{name}.bias", (outputs,))]


def _ends(config: DiTConfig) -> list[tuple[str, Shape]]:
    """What is there once: embeddings and the last layer."""
    width, patch = config.hidden_size, config.patch_size
    shapes: list[tuple[str, Shape]] = [("pos_embed", (1, config.frame_tokens, width))]
    if config.frames > 1:
        shapes.append(("temp_embed", (1, config.frames, width)))
    shapes.append(("x_embedder.proj.weight", (width, config.in_channels, patch, patch)))
    shapes.append(("x_embedder.proj.bias", (width,)))
    shapes += [] if config.has_own_embedders else _embedders(config)
    shapes += _linear("final_layer.linear", width, patch**2 * config.out_channels)
    return shapes + _linear("final_layer.adaLN_modulation.1", width, 2 * width)


def _embedders(config: DiTConfig) -> list[tuple[str, Shape]]:
    """Of timesteps and labels: of the model, or of every block."""
    width = config.hidden_size
    shapes = _linear("t_embedder.mlp.0", FREQUENCY_FEATURES, width) + _linear("t_embedder.mlp.2", width, width)
    return [*shapes, ("y_embedder.embedding_table.weight", (config.label_rows, width))]


def _block(config: DiTConfig) -> list[tuple[str, Shape]]:
    """Of one block, names without its number."""
    width, mlp = config.hidden_size, config.mlp_hidden
    return [
        *_linear("attn.qkv", width, 3 * width),
        *_linear("attn.proj", width, width),
        *_linear("mlp.fc1", width, mlp),
        *_linear("mlp.fc2", mlp, width),
        *_linear("adaLN_modulation.1", width, len(MODULATIONS) * width),
        *(_embedders(config) if config.has_own_embedders else ()),
    ]
