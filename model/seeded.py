"""Seeded weights whose statistics resemble trained ones: for named models without shipped weights, and for tests.

They are not trained weights: their images mean nothing, and neither does their quality. What they imitate of a trained
DiT is what quantization and skipping have to cope with (p = 0 .. 1 from the first block to the last):

| part | imitated |
|---|---|
| adaLN | nothing is zero: shift and scale of tenths, gates that grow with depth and differ by channel; most of it the same for all timesteps and labels, the rest moves smoothly over the timesteps and differs a little by label |
| residual stream | grows over the blocks; one channel in 128 is an outlier that every MLP pushes on, and adaLN turns it down |
| attention | heads of different sharpness; keys resemble queries, so that like attends to like |
| MLP | biases below zero: most hidden features are near zero, few are large |
| output | reads back what the embedding wrote: the predicted noise resembles the noise in the image, so that sampling stays in range |

Every tensor has a random stream of its own, named by the seed and the tensor: the weights depend neither on threads nor
on order.
"""  # noqa: E501

from __future__ import annotations

import math
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from model.config import DiTConfig
from model.dit import FREQUENCY_FEATURES, MAX_PERIOD, MODULATIONS, DiT, blank_model, position_embedding

SMALL = DiTConfig(input_size=4, hidden_size=32, depth=2, num_heads=2, num_classes=3)

SILU_RMS = 0.6  # of SiLU on standard normal values
# adaLN: what is constant, and what moves with timestep and label (standard deviations; of gates relative to their mean)
CONSTANT = {"shift": 0.2, "scale": 0.3, "gate": 0.5}
MOVING = {"shift": 0.1, "scale": 0.12, "gate": 0.15}
FIRST_GATE, LAST_GATE = 0.15, 1.0  # mean over the channels
LABEL_SIZE = 0.4  # of a label's embedding; the timestep's is 1
SMOOTH_TIMESTEPS = 100  # the conditioning hardly changes within fewer diffusion steps
OUTLIER_SPACING = 128  # channels per outlier
OUTLIER_SIZE = 30.0  # of an outlier channel in the last residual stream
OUTLIER_SCALE = -0.7  # adaLN's scale there
LATE_SCALE = 1.0  # adaLN's mean scale elsewhere in the last block, which makes up for the outliers' share of the norm
SHARPNESS, SHARPNESS_SPREAD = 1.5, 0.4  # standard deviation of attention scores, by head: median and log spread
LIKENESS = 0.4  # keys' correlation with queries: up to this, by head
FEATURE_BIAS = -0.5  # of the MLP's hidden features
FINAL_RMS = 4.5  # of the last residual stream, about
NOISE_GAIN = 0.95  # predicted noise over the noise in the image


def seeded_dit(config: DiTConfig = SMALL, seed: int = 0) -> DiT:
    """Return a float DiT in evaluation mode, frozen, the same for the same config and seed everywhere."""
    dit, recipe = blank_model(config), _Recipe(config, seed)
    shapes = {name: tuple(tensor.shape) for name, tensor in dit.state_dict().items()}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tensors = pool.map(recipe.tensor, shapes.keys(), shapes.values())
        dit.load_state_dict(dict(zip(shapes, tensors, strict=True)), assign=True)
    return dit.eval().requires_grad_(False)


class _Recipe:
    """The values of every tensor of one model."""

    def __init__(self, config: DiTConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        count = max(1, config.hidden_size // OUTLIER_SPACING)
        stream = self._stream("outliers")
        self.outliers = stream.choice(config.hidden_size, count, replace=False)
        self.signs = stream.choice([-1.0, 1.0], count)

    def tensor(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor of that name in the state dict."""
        if name == "pos_embed":
            return position_embedding(self.config.hidden_size, self.config.input_size // self.config.patch_size)
        if name == "final_layer.linear.weight":
            return torch.from_numpy(self._output())
        part = name.removeprefix("blocks.").split(".")
        value = self._normal(name, shape)
        if part[0].isdigit():
            self._block(value, int(part[0]), ".".join(part[1:]), name)
        elif name == "t_embedder.mlp.0.weight":
            value *= _smoothness()
        elif name == "y_embedder.embedding_table.weight":
            value *= LABEL_SIZE
        elif name.endswith("bias"):
            value *= 0.1
        else:
            value *= value[0].size ** -0.5 / (SILU_RMS if name == "t_embedder.mlp.2.weight" else 1.0)
        return torch.from_numpy(value)

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
                value *= self._adaln_rows(MOVING, block) * (width**-0.5 / SILU_RMS)
            case "adaLN_modulation.1.bias":
                value *= self._adaln_rows(CONSTANT, block)[:, 0]
                by_vector = value.reshape(len(MODULATIONS), width)
                for vector, row in zip(MODULATIONS, by_vector, strict=True):
                    if vector.startswith("gate"):
                        np.abs(self._gate(block) + row, out=row)
                    elif vector.startswith("scale"):
                        row += LATE_SCALE * self._depth(block)
                        row[self.outliers] = OUTLIER_SCALE
            case "attn.qkv.weight":
                self._attention(value, name)
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
        """Weights (P * P * Cout, D) of the last layer: those of the noise are the embedding's, transposed."""
        config = self.config
        patch, width, channels = config.patch_size, config.hidden_size, config.in_channels
        value = self._normal("final_layer.linear.weight", (patch, patch, config.out_channels, width)) * width**-0.5
        name, shape = "x_embedder.proj.weight", (width, channels, patch, patch)
        embedding = self.tensor(name, shape).numpy()
        gain = NOISE_GAIN * FINAL_RMS * (channels * patch**2) / width
        value[:, :, :channels] = embedding.transpose(2, 3, 1, 0) * gain
        return value.reshape(-1, width)


def _smoothness() -> np.ndarray:
    """Weight of each timestep feature (256,): those that turn quickly count little; squares add up to 2 (a feature's
    mean square is 1/2)."""
    half = FREQUENCY_FEATURES // 2
    turns = MAX_PERIOD ** (-np.arange(half) / half) * SMOOTH_TIMESTEPS
    weight = np.tile(1.0 / np.sqrt(1.0 + turns**2), 2)
    return (weight * math.sqrt(2.0 / np.square(weight).sum())).astype(np.float32)
