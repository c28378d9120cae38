"""Seeded weights whose statistics resemble trained ones: for named models without shipped weights, and for tests.

They are not trained weights: their images mean nothing, and neither does their quality. What they imitate of a trained
DiT is what quantization and skipping have to cope with:

- adaLN: nothing is zero. Shift and scale are tenths; gates grow with depth and differ by channel. Most of it is the
  same for all timesteps and labels, the rest moves smoothly over the timesteps, in some sub-blocks more than in
  others, and differs a little by label.
- Residual stream: it grows over the blocks. One channel in 128 is an outlier that every MLP pushes on and adaLN
  turns down.
- Attention: heads of different sharpness; keys resemble queries, so that like attends to like.
- MLP: biases below zero, so that most hidden features are near zero and few are large.
- Text: keys of unit size, queries to match, of what has grown in the stream; branches that grow with depth as gates do.
- Output: the embedding writes the image into a few channels that pass all blocks, the last layer reads them. The
  predicted noise resembles the noise in the image, so that images change little between timesteps.

Every tensor has a random stream of its own, named by the seed and the tensor: the weights depend neither on threads nor
on order.
"""

from __future__ import annotations

import math
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from radit.model.dit.config import SEEDED_PROMPTS, DiTConfig
from radit.model.dit.layers.embedders import MAX_PERIOD, frame_embedding, position_embedding
from radit.model.dit.shapes import FREQUENCY_FEATURES, MODULATIONS
from radit.model.dit.transformer import DiT, blank_model, null_prompt, with_prompts, with_texts
from radit.model.text.prompts import seeded_prompts

SMALL = DiTConfig(input_size=4, hidden_size=32, depth=2, num_heads=2, num_classes=3)

SILU_RMS = 0.6  # of SiLU on standard normal values
# adaLN: what is constant, and what moves with timestep and label (standard deviations; of gates relative to their mean)
CONSTANT = {"shift": 0.2, "scale": 0.3, "gate": 0.5}
MOVING = {"shift": 0.05, "scale": 0.06, "gate": 0.1}
LIVELIEST = 8.0  # a sub-block's vectors move up to so many times more, or less
FIRST_GATE, LAST_GATE = 0.15, 1.0  # mean over the channels
LABEL_SIZE = 0.4  # of a label's embedding; the timestep's is 1
SMOOTH_TIMESTEPS = 250  # the conditioning hardly changes within a small part of so many diffusion steps
OUTLIER_SPACING = 128  # channels per outlier
OUTLIER_SIZE = 30.0  # of an outlier channel in the last residual stream
OUTLIER_SCALE = -0.7  # adaLN's scale there
LATE_SCALE = 1.0  # adaLN's mean scale elsewhere in the last block, which makes up for the outliers' share of the norm
SHARPNESS, SHARPNESS_SPREAD = 1.5, 0.4  # standard deviation of attention scores, by head: median and log spread
LIKENESS = 0.4  # keys' correlation with queries: up to this, by head
FEATURE_BIAS = -0.5  # of the MLP's hidden features
EMBEDDED_POWER, BRANCH_POWER = 1.5, 1.2  # mean squares of embedded tokens and of branches before the gate, about
SMALL_SILU_RMS = 0.05  # of SiLU on normal values of FINAL_SIZE, which the conditioning of a model with text is
CROSS_SIZE = 1.0  # of a cross-attention's branch, relative to the gates of its block
FINAL_SIZE = 0.1  # standard deviation of the last adaLN's outputs, of their constant and of their moving part


def seeded_dit(config: DiTConfig = SMALL, seed: int = 0, blocks: int | None = None) -> DiT:
    """Return a float DiT in evaluation mode, frozen, the same for the same config and seed everywhere.

    With `blocks` it has the first ones of that model only; the last layer reads from where they end.

    Raises:
        UserError: `blocks` is out of range.
    """
    kept = config.depth if blocks is None else blocks
    dit, recipe = blank_model(config.first_blocks(kept)), _Recipe(config, seed, kept)
    shapes = {name: tuple(tensor.shape) for name, tensor in dit.state_dict().items()}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tensors = pool.map(recipe.tensor, shapes.keys(), shapes.values())
        dit.load_state_dict(dict(zip(shapes, tensors, strict=True)), assign=True)
    dit = dit.eval().requires_grad_(False)
    if not config.has_text:
        return dit
    if config.characters:
        return with_texts(dit)
    tokens, channels = config.context_tokens, config.context_dim
    return with_prompts(dit, seeded_prompts(tokens, channels, SEEDED_PROMPTS, seed, null_prompt(dit)))


class _Recipe:
    """The values of every tensor of one model, of which `kept` blocks are wanted."""

    def __init__(self, config: DiTConfig, seed: int, kept: int) -> None:
        self.config, self.seed, self.kept = config, seed, kept
        self.carriers = _carriers(config)
        others = np.setdiff1d(np.arange(config.hidden_size), self.carriers)
        count = max(1, config.hidden_size // OUTLIER_SPACING)
        stream = self._stream("outliers")
        self.outliers = stream.choice(others, count, replace=False)
        self.signs = stream.choice([-1.0, 1.0], count)

    def tensor(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor of that name in the state dict."""
        if name == "pos_embed":
            return position_embedding(self.config.hidden_size, *self.config.grid, self.config.position_scale)
        if name == "temp_embed":
            return frame_embedding(self.config.hidden_size, self.config.frames)
        if name == "final_layer.linear.weight":
            return torch.from_numpy(self._output())
        part = name.removeprefix("blocks.").split(".")
        value = self._normal(name, shape)
        own = part[1:2] in (["t_embedder"], ["y_embedder"])  # embedders of a block are as those of a model
        if part[0].isdigit() and not own:
            self._block(value, int(part[0]), ".".join(part[1:]), name)
            return torch.from_numpy(value)
        name = ".".join(part[1:]) if own else name
        if self.config.has_text and self._text(value, name):
            return torch.from_numpy(value)
        if name == "t_embedder.mlp.0.weight":
            value *= _smoothness()
        elif name == "y_embedder.embedding_table.weight":
            value *= LABEL_SIZE
        elif name == "x_embedder.proj.weight":
            value *= value[0].size ** -0.5
            value[self.carriers] = np.eye(len(self.carriers), value[0].size).reshape(-1, *shape[1:])
            value[self.carriers[-1]] = 0.0
        elif name == "x_embedder.proj.bias":
            value *= 0.1
            value[self.carriers] = self._carrier_bias()
        elif name.startswith("final_layer.adaLN"):
            value *= FINAL_SIZE * (shape[1] ** -0.5 / SILU_RMS if name.endswith("weight") else 1.0)
            value.reshape(2, -1, *shape[1:])[:, self.carriers] = 0.0
        elif name.endswith("bias"):
            value *= 0.1
        else:
            value *= value[0].size ** -0.5 / (SILU_RMS if name == "t_embedder.mlp.2.weight" else 1.0)
        return torch.from_numpy(value)

    def _text(self, value: np.ndarray, name: str) -> bool:
        """Turn standard normal values into a tensor of a model with text, in place; False: it is as in any other."""
        width, stem = self.config.hidden_size, name.rpartition(".")[0]
        if name in ("t_block.1.weight", "t_block.1.bias"):
            gates = value.reshape(2, 3, width, -1)[:, 2]
            if name.endswith("weight"):
                value *= self._adaln_rows(MOVING, 0) * (width**-0.5 / SMALL_SILU_RMS)
            else:
                value[:] = 0.0
            gates[:, self.carriers] = 0.0
        elif stem in ("t_embedder.mlp.2", "csize_embedder.mlp.2", "ar_embedder.mlp.2"):
            value *= FINAL_SIZE * (value.shape[1] ** -0.5 / SILU_RMS if value.ndim == 2 else 0.1)
            value[np.unique(self.carriers % len(value))] = 0.0
        elif name == "final_layer.scale_shift_table":
            value *= FINAL_SIZE
            value[:, self.carriers] = 0.0
        else:
            return name in ("y_embedder.y_embedding", "y_embedder.characters", "y_embedder.positions")
        return True

    def _stream(self, name: str) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64([self.seed, zlib.crc32(name.encode())]))

    def _normal(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal values, float32."""
        return self._stream(name).standard_normal(shape, dtype=np.float32)

    def _block(self, value: np.ndarray, block: int, part: str, name: str) -> None:
        """Turn standard normal values into a tensor of a block, in place."""
        width = self.config.hidden_size
        match part:
            case "adaLN_modulation.1.weight":
                exponents = self._stream(f"{name} by sub-block").uniform(-1.0, 1.0, 2)
                lively = np.repeat(LIVELIEST**exponents, 3 * width)[:, None].astype(np.float32)
                value *= lively * self._adaln_rows(MOVING, block) * (width**-0.5 / SILU_RMS)
                value.reshape(2, 3, width, width)[:, 2, self.carriers] = 0.0  # their gates
            case "adaLN_modulation.1.bias" | "scale_shift_table":
                value *= self._adaln_rows(CONSTANT, block)[:, 0].reshape(value.shape)
                by_vector = value.reshape(len(MODULATIONS), width)
                for vector, row in zip(MODULATIONS, by_vector, strict=True):
                    if vector.startswith("gate"):
                        np.abs(self._gate(block) + row, out=row)
                        row[self.carriers] = 0.0
                    elif vector.startswith("scale"):
                        row += LATE_SCALE * self._depth(block)
                        row[self.outliers] = OUTLIER_SCALE
            case "attn.qkv.weight":
                self._attention(value, name)
            case "cross_attn.q_linear.weight":
                value *= width**-0.5 * math.sqrt(SHARPNESS) / self._rms(block)
            case "cross_attn.kv_linear.weight":
                value *= width**-0.5
                value[:width] *= math.sqrt(SHARPNESS)
            case "cross_attn.proj.weight" | "cross_attn.proj.bias":
                value *= CROSS_SIZE * self._gate(block) * (width**-0.5 if value.ndim == 2 else 0.1)
                value[self.carriers] = 0.0
            case "mlp.fc1.bias":
                value *= 0.3
                value += FEATURE_BIAS
            case _ if part.endswith("bias"):
                value *= 0.1
                if part == "mlp.fc2.bias":
                    gates = sum(self._gate(each) for each in range(self.config.depth))
                    value[self.outliers] += self.signs * (OUTLIER_SIZE / gates)
            case _:
                value *= value.shape[1] ** -0.5

    def _carrier_bias(self) -> np.ndarray | float:
        """What cancels the frame embedding in the carriers, where it hardly changes from frame to frame."""
        config = self.config
        if config.frames == 1:
            return 0.0
        return -frame_embedding(config.hidden_size, config.frames)[0].numpy().mean(0)[self.carriers]

    def _depth(self, block: int) -> float:
        """0 at the first block, 1 at the last."""
        return block / max(self.config.depth - 1, 1)

    def _gate(self, block: int) -> float:
        """Mean gate of a block."""
        return FIRST_GATE * (LAST_GATE / FIRST_GATE) ** self._depth(block)

    def _adaln_rows(self, spread: dict[str, float], block: int) -> np.ndarray:
        """Standard deviation (6 D, 1) of each of adaLN's outputs."""
        sizes = [spread[vector.split("_")[0]] for vector in MODULATIONS]
        sizes = [size * (self._gate(block) if "gate" in v else 1.0) for v, size in zip(MODULATIONS, sizes, strict=True)]
        return np.repeat(np.array(sizes, np.float32), self.config.hidden_size)[:, None]

    def _attention(self, value: np.ndarray, name: str) -> None:
        """Queries, keys and values of standard deviations that give the scores their sharpness."""
        config, stream = self.config, self._stream(f"{name} by head")
        heads = (config.num_heads, config.head_dim * config.hidden_size)
        value *= config.hidden_size**-0.5
        q, k, _ = value.reshape(3, *heads)
        like = np.float32(stream.uniform(0.0, LIKENESS, (config.num_heads, 1)))
        k *= np.sqrt(1.0 - like**2)
        k += like * q
        size = np.sqrt(SHARPNESS * np.exp(SHARPNESS_SPREAD * stream.standard_normal((config.num_heads, 1))))
        q *= np.float32(size)
        k *= np.float32(size)

    def _output(self) -> np.ndarray:
        """Weights (P * P * Cout, D) of the last layer.

        The noise is read from the channels that carry the image, less the one that carries nothing: norms shift all.
        """
        config = self.config
        patch, width, channels = config.patch_size, config.hidden_size, config.in_channels
        value = self._normal("final_layer.linear.weight", (patch, patch, config.out_channels, width)) * width**-0.5
        places = np.arange(channels * patch**2).reshape(channels, patch, patch).transpose(1, 2, 0)
        read = places[..., None] == np.arange(len(self.carriers) - 1)
        value[:, :, :channels] = 0.0
        value[:, :, :channels, self.carriers[:-1]] = read * self._final_rms()
        value[:, :, :channels, self.carriers[-1]] = np.where(read.any(-1), -self._final_rms(), 0.0)
        return value.reshape(-1, width)

    def _final_rms(self) -> float:
        """Root mean square of the last residual stream, about."""
        return self._rms(self.kept)

    def _rms(self, blocks: int) -> float:
        """Root mean square of the residual stream behind so many blocks, about."""
        gates = [self._gate(block) for block in range(self.config.depth)]
        branches = 2 * sum(gate**2 for gate in gates[:blocks]) * (1.0 + CONSTANT["gate"] ** 2)
        if self.config.has_text:
            branches += sum((CROSS_SIZE * gate) ** 2 for gate in gates[:blocks])
        outlier = OUTLIER_SIZE * sum(gates[:blocks]) / sum(gates)
        outliers = len(self.outliers) * outlier**2 / self.config.hidden_size
        return math.sqrt(EMBEDDED_POWER + BRANCH_POWER * branches + outliers)


def _carriers(config: DiTConfig) -> np.ndarray:
    """Channels that carry the image, one for each value of a patch, and one that carries nothing: at most half of all.

    In them the position embedding is next to zero: the slowest sines of columns and rows.
    """
    number = np.arange(min(config.in_channels * config.patch_size**2 + 1, config.hidden_size // 2))
    return config.hidden_size // 4 - 1 - number // 2 + number % 2 * (config.hidden_size // 2)


def _smoothness() -> np.ndarray:
    """Weight of each timestep feature (256,): those that turn quickly count little; squares add up to 2 (a feature's
    mean square is 1/2)."""
    half = FREQUENCY_FEATURES // 2
    turns = MAX_PERIOD ** (-np.arange(half) / half) * SMOOTH_TIMESTEPS
    weight = np.tile(1.0 / np.sqrt(1.0 + turns**2), 2)
    return (weight * math.sqrt(2.0 / np.square(weight).sum())).astype(np.float32)
