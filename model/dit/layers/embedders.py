"""Embedders of places, frames, timesteps, sizes, labels and patches, in float32; names as DiT and PixArt have them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from radit.model.dit.config import SIZES, DiTConfig
from radit.model.dit.shapes import FREQUENCY_FEATURES

MAX_PERIOD = 10_000.0


def _axis_embedding(positions: Tensor, features: int) -> Tensor:
    """Sine then cosine features of integer positions: (M,) -> (M, features)."""
    octaves = torch.arange(features // 2, dtype=torch.float64, device=positions.device) / (features / 2.0)
    angles = positions.reshape(-1, 1).double() * (1.0 / MAX_PERIOD**octaves)
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


def position_embedding(hidden_size: int, rows: int, columns: int | None = None, scale: float = 1.0) -> Tensor:
    """Two-dimensional sin-cos embedding of a grid of tokens, row-major: (1, rows * columns, hidden_size).

    Args:
        columns: by default as many as rows.
        scale: what positions are divided by.

    The first half of the features encodes the column, the second half the row. Computed on the CPU whatever the
    default device: on the meta device, where checkpoints take their shapes from, `arange` and `cos` take seconds.
    """
    columns = columns or rows
    down, right = (torch.arange(size, device="cpu").double() / scale for size in (rows, columns))
    halves = [_axis_embedding(axis, hidden_size // 2) for axis in (right.repeat(rows), down.repeat_interleave(columns))]
    return torch.cat(halves, dim=1).float().unsqueeze(0)


def frame_embedding(hidden_size: int, frames: int) -> Tensor:
    """One-dimensional sin-cos embedding of the frames of a clip: (1, frames, hidden_size); on the CPU likewise."""
    return _axis_embedding(torch.arange(frames, device="cpu"), hidden_size).float().unsqueeze(0)


def timestep_features(t: Tensor, kind: str = "official") -> Tensor:
    """Cosine then sine features of timesteps: t (N,) in diffusion steps, 0 .. 999 -> (N, 256).

    Args:
        kind: "official", frequencies from 1 down to just above 1 / 10000, or "diffusers", down to 1 / 10000.
    """
    half = FREQUENCY_FEATURES // 2
    divisor = half if kind == "official" else half - 1
    exponent = -math.log(MAX_PERIOD) * torch.arange(half, dtype=torch.float32, device=t.device) / divisor
    angles = t.float().unsqueeze(1) * torch.exp(exponent)
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)


class PatchEmbedder(nn.Module):
    """Patches to tokens: (N, C, H, W) -> (N, T, D), row-major."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.in_channels, config.hidden_size, config.patch_size, stride=config.patch_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class TimestepEmbedder(nn.Module):
    """Timesteps to conditioning vectors: (N,) -> (N, D)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width, self.kind = config.hidden_size, config.timestep_features
        self.mlp = nn.Sequential(nn.Linear(FREQUENCY_FEATURES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        return self.mlp(timestep_features(t, self.kind))


class LabelEmbedder(nn.Module):
    """Labels, the null class included, to conditioning vectors: (N,) int64 -> (N, D).

    The null class has a row of its own only where the model was trained with label dropout.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(config.label_rows, config.hidden_size)

    def forward(self, y: Tensor) -> Tensor:
        return self.embedding_table(y)


class SizeEmbedder(nn.Module):
    """Numbers about the size to a part each of the conditioning vectors: (N, n) -> (N, n * D / 3)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.hidden_size // SIZES
        self.mlp = nn.Sequential(nn.Linear(FREQUENCY_FEATURES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, sizes: Tensor) -> Tensor:
        return self.mlp(timestep_features(sizes.flatten())).view(len(sizes), -1)
