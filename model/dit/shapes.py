"""Names and shapes of the weights of a DiT, from its dimensions alone: nothing is made, whatever the dimensions are."""

from __future__ import annotations

import math
from collections.abc import Iterator

from radit.model.dit.config import CROSS, SIZES, DiTConfig

FREQUENCY_FEATURES = 256  # of a timestep
MODULATIONS = ("shift_msa", "scale_msa", "gate_msa", "shift_mlp", "scale_mlp", "gate_mlp")
FLOAT_BYTES = 4
BLOCK_OVERHEAD = 32 * 1024  # bytes of a block beside its weights: modules and their entries

Shape = tuple[int, ...]


def tensor_shapes(config: DiTConfig) -> Iterator[tuple[str, Shape]]:
    """Give name and shape of every tensor of the state dict, block after block."""
    yield from _ends(config)
    for index in range(config.depth):
        for name, shape in _block(config, index):
            yield f"blocks.{index}.{name}", shape


def weight_count(config: DiTConfig) -> int:
    """Return the number of weights, position embeddings included."""
    parts = [_ends(config), *(_block(config, index) for index in range(min(config.depth, 2)))]
    ends, *turns = (sum(math.prod(shape) for _, shape in part) for part in parts)
    return ends + sum(turns[index % len(turns)] for index in range(config.depth))


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
    shapes += _linear("final_layer.linear", width, patch**2 * config.out_channels)
    if config.has_text:
        return [*shapes, *_text(config), ("final_layer.scale_shift_table", (2, width))]
    shapes += [] if config.has_own_embedders else _embedders(config)
    return shapes + _linear("final_layer.adaLN_modulation.1", width, 2 * width)


def _text(config: DiTConfig) -> list[tuple[str, Shape]]:
    """Of timesteps, sizes and captions, and the adaLN of all blocks."""
    width, sizes = config.hidden_size, ("csize_embedder", "ar_embedder") if config.size_conditioning else ()
    shapes = _embedder("t_embedder", width) + _linear("t_block.1", width, len(MODULATIONS) * width)
    for name in sizes:
        shapes += _embedder(name, width // SIZES)
    shapes += _linear("y_embedder.y_proj.fc1", config.context_dim, width)
    shapes += _linear("y_embedder.y_proj.fc2", width, width)
    if config.characters:  # and the end mark
        shapes.append(("y_embedder.characters", (len(config.characters) + 1, config.context_dim)))
        shapes.append(("y_embedder.positions", (config.context_tokens, config.context_dim)))
    null = [("y_embedder.y_embedding", (config.context_tokens, config.context_dim))] if config.null_prompt else []
    return [*shapes, *null]


def _embedder(name: str, width: int) -> list[tuple[str, Shape]]:
    return _linear(f"{name}.mlp.0", FREQUENCY_FEATURES, width) + _linear(f"{name}.mlp.2", width, width)


def _embedders(config: DiTConfig) -> list[tuple[str, Shape]]:
    """Of timesteps and labels: of the model, or of every block."""
    width = config.hidden_size
    return [*_embedder("t_embedder", width), ("y_embedder.embedding_table.weight", (config.label_rows, width))]


def _block(config: DiTConfig, index: int) -> list[tuple[str, Shape]]:
    """Of one block, names without its number."""
    width, mlp = config.hidden_size, config.mlp_hidden
    table = [("scale_shift_table", (len(MODULATIONS), width))]
    cross = [
        *_linear("cross_attn.q_linear", width, width),
        *_linear("cross_attn.kv_linear", width, 2 * width),
        *_linear("cross_attn.proj", width, width),
    ]
    return [
        *_linear("attn.qkv", width, 3 * width),
        *_linear("attn.proj", width, width),
        *_linear("mlp.fc1", width, mlp),
        *_linear("mlp.fc2", mlp, width),
        *(table if config.has_text else _linear("adaLN_modulation.1", width, len(MODULATIONS) * width)),
        *(cross if CROSS in config.block_kinds(index) else ()),
        *(_embedders(config) if config.has_own_embedders else ()),
    ]
