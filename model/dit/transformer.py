"""Diffusion transformer (DiT) in float32, with adaLN-Zero conditioning, for images and for clips.

Parameter names, shapes and arithmetic are those of the published DiT, so that its state dict loads unchanged.
Source: W. Peebles, S. Xie, "Scalable Diffusion Models with Transformers", 2023, section 3.

A model of several frames is a Latte: blocks attend within a frame and over time in turn, and `temp_embed` encodes the
frame. Source: X. Ma et al., "Latte: Latent Diffusion Transformer for Video Generation", 2024, variant 1; its names and
shapes as published. `temp_embed` is added to the tokens beside `pos_embed`, by the host, or with `frame_embedding`
"first-block" after the first spatial block, as published: there the accelerator has no addition, and such a model runs
in float alone.

A model with embedders of its own in every block is diffusers' `DiTTransformer2DModel`: its c is (N, L, D), one for each
block, wherever a shared one is (N, D).

Shapes: N images or clips, T tokens, D hidden features, C input channels, H = W = input size, P patch size, L blocks,
F frames. A clip is (N, F, C, H, W) where an image is (N, C, H, W); its token (f, p) is number f * T / F + p.
The split methods are the boundary between host and accelerator: the host calls `embed`, `conditioning`,
`block_modulation` and `final`; the accelerator runs the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from radit.model.dit.config import LAYER_NORM_EPS, DiTConfig
from radit.model.dit.groups import Groups, attention_groups
from radit.model.dit.shapes import FREQUENCY_FEATURES, MODULATIONS
from radit.model.errors import UserError

MAX_PERIOD = 10_000.0


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return x * (1 + scale) + shift: x (N, T, D), shift and scale (N, D), unitless."""
    return x * (1.0 + scale.unsqueeze(1)) + shift.unsqueeze(1)


def _axis_embedding(positions: Tensor, features: int) -> Tensor:
    """Sine then cosine features of integer positions: (M,) -> (M, features)."""
    octaves = torch.arange(features // 2, dtype=torch.float64, device=positions.device) / (features / 2.0)
    angles = positions.reshape(-1, 1).double() * (1.0 / MAX_PERIOD**octaves)
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


def position_embedding(hidden_size: int, side: int) -> Tensor:
    """Two-dimensional sin-cos embedding of a side x side token grid, row-major: (1, side * side, hidden_size).

    The first half of the features encodes the column, the second half the row. Computed on the CPU whatever the
    default device: on the meta device, where checkpoints take their shapes from, `arange` and `cos` take seconds.
    """
    index = torch.arange(side, device="cpu")
    columns, rows = index.repeat(side), index.repeat_interleave(side)
    halves = [_axis_embedding(axis, hidden_size // 2) for axis in (columns, rows)]
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


class Attention(nn.Module):
    """Multi-head self-attention: modulated input (N, T, D) -> branch before the gate (N, T, D).

    Tokens attend to those of their group; without groups to all.
    """

    def __init__(self, config: DiTConfig, groups: Groups | None = None) -> None:
        super().__init__()
        self.groups = groups
        self.num_heads, self.head_dim = config.num_heads, config.head_dim
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = nn.Linear(config.hidden_size, config.hidden_size)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value, each (N, heads, T, head_dim), of a modulated input (N, T, D)."""
        images, tokens, _ = x.shape
        split = self.qkv(x).reshape(images, tokens, 3, self.num_heads, self.head_dim)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        return query, key, value

    def average(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return the weighted averages of the values inside groups; all (N, heads, T, head_dim)."""
        if self.groups is None:
            return functional.scaled_dot_product_attention(query, key, value)
        index = self.groups.index.flatten().to(query.device)
        grouped = (
            part.index_select(2, index).unflatten(2, self.groups.index.shape) for part in (query, key, value)
        )  # (N, heads, groups, n, head_dim)
        mixed = functional.scaled_dot_product_attention(*grouped).flatten(2, 3)
        return mixed.index_select(2, index.argsort())

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.average(*self.heads(x))
        return self.proj(mixed.transpose(1, 2).reshape(x.shape))


class Mlp(nn.Module):
    """Two-layer perceptron with tanh GELU: modulated input (N, T, D) -> branch before the gate (N, T, D)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.mlp_hidden)
        self.fc2 = nn.Linear(config.mlp_hidden, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    """Transformer block: x += gate * branch(modulate(norm(x))), first attention, then the MLP."""

    def __init__(self, config: DiTConfig, groups: Groups | None = None) -> None:
        super().__init__()
        width = config.hidden_size
        self.norm1 = nn.LayerNorm(width, eps=LAYER_NORM_EPS, elementwise_affine=False)
        self.attn = Attention(config, groups)
        self.norm2 = nn.LayerNorm(width, eps=config.mlp_norm_eps, elementwise_affine=False)
        self.mlp = Mlp(config)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, len(MODULATIONS) * width))
        if config.has_own_embedders:
            self.t_embedder, self.y_embedder = TimestepEmbedder(config), LabelEmbedder(config)

    def modulation(self, c: Tensor) -> Tensor:
        """Return the six vectors (N, 6, D), in the order of `MODULATIONS`, of a conditioning c (N, D)."""
        return self.adaLN_modulation(c).reshape(c.shape[0], len(MODULATIONS), c.shape[1])

    def attention_input(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Return what attention sees, (N, T, D): x (N, T, D) after norm and modulation (N, 6, D)."""
        return modulate(self.norm1(x), modulation[:, 0], modulation[:, 1])

    def mlp_input(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Return what the MLP sees, (N, T, D): x (N, T, D) after norm and modulation (N, 6, D)."""
        return modulate(self.norm2(x), modulation[:, 3], modulation[:, 4])

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Return the next residual stream (N, T, D) of x (N, T, D) under modulation (N, 6, D)."""
        x = x + modulation[:, 2].unsqueeze(1) * self.attn(self.attention_input(x, modulation))
        return x + modulation[:, 5].unsqueeze(1) * self.mlp(self.mlp_input(x, modulation))


class FinalLayer(nn.Module):
    """Last norm, modulation and projection: tokens (N, T, D), c (N, D) -> (N, T, P * P * Cout)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.norm_final = nn.LayerNorm(width, eps=LAYER_NORM_EPS, elementwise_affine=False)
        self.linear = nn.Linear(width, config.patch_size**2 * config.out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, tokens: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)
        return self.linear(modulate(self.norm_final(tokens), shift, scale))


class DiT(nn.Module):
    """Diffusion transformer: image (N, C, H, W), timesteps (N,), labels (N,) -> (N, Cout, H, W), float32.

    A clip (N, F, C, H, W) instead where the config has several frames, and then -> (N, F, Cout, H, W).

    Timesteps are in diffusion steps (0 .. 999, the original chain also when sampling is respaced).
    A fresh model has the published initialization (adaLN-Zero), so that it predicts zero.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        self.x_embedder = PatchEmbedder(config)
        if not config.has_own_embedders:
            self.t_embedder, self.y_embedder = TimestepEmbedder(config), LabelEmbedder(config)
        positions = position_embedding(config.hidden_size, config.input_size // config.patch_size)
        self.pos_embed = nn.Parameter(positions, requires_grad=False)
        if config.frames > 1:
            self.temp_embed = nn.Parameter(frame_embedding(config.hidden_size, config.frames), requires_grad=False)
        groups = attention_groups(config) if config.alternates else (None, None)
        self.blocks = nn.ModuleList(Block(config, groups[index % 2]) for index in range(config.depth))
        self.final_layer = FinalLayer(config)
        self._initialize()

    def embed(self, x: Tensor) -> Tensor:
        """Return the tokens (N, T, D), position embeddings added, of an image x (N, C, H, W) or clip (N, F, C, H, W).

        Raises:
            UserError: x has not the shape that the config names.
        """
        wanted, frames = self.config.sample_shape, self.config.frames
        if x.dim() != len(wanted) + 1 or tuple(x.shape[1:]) != wanted:
            kind = "Image" if frames == 1 else "Clip"
            raise UserError(f"{kind} x has shape {tuple(x.shape)}: give it (N, {', '.join(map(str, wanted))}).")
        if frames == 1:
            return self.x_embedder(x) + self.pos_embed
        tokens = self.x_embedder(x.flatten(0, 1)).unflatten(0, (-1, frames)) + self.pos_embed
        later = self.config.adds_frames_later
        return (tokens if later else tokens + self.temp_embed.unsqueeze(2)).flatten(1, 2)

    def conditioning(self, t: Tensor, y: Tensor) -> Tensor:
        """Return the conditioning c of timesteps t (N,), in diffusion steps, and labels y (N,).

        It is (N, D), or (N, L, D) where every block has its own embedders.
        """
        if self.config.has_own_embedders:
            return torch.stack([block.t_embedder(t) + block.y_embedder(y) for block in self.blocks], dim=1)
        return self.t_embedder(t) + self.y_embedder(y)

    def modulation(self, c: Tensor, index: int) -> Tensor:
        """Return the adaLN vectors (N, 6, D) of block `index`, in the order of `MODULATIONS`; c is (N, [L,] D)."""
        return self.blocks[index].modulation(self._own(c, index))

    def block_modulation(self, c: Tensor) -> Tensor:
        """Return the adaLN vectors (N, L, 6, D) of all blocks, in the order of `MODULATIONS`; c is (N, [L,] D)."""
        return torch.stack([self.modulation(c, index) for index in range(len(self.blocks))], dim=1)

    def run_blocks(self, tokens: Tensor, modulation: Tensor) -> Tensor:
        """Return the residual stream (N, T, D) after all blocks: tokens (N, T, D), modulation (N, L, 6, D)."""
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, modulation[:, index])
            if index == 0 and self.config.adds_frames_later:
                frames = tokens.unflatten(1, (self.config.frames, -1))
                tokens = (frames + self.temp_embed.unsqueeze(2)).flatten(1, 2)
        return tokens

    def final(self, tokens: Tensor, c: Tensor) -> Tensor:
        """Return the prediction (N, [F,] Cout, H, W) of the last residual stream (N, T, D) and c (N, [L,] D)."""
        c = self._own(c, 0)
        patch, size = self.config.patch_size, self.config.input_size
        side, channels = size // patch, self.config.out_channels
        patches = self.final_layer(tokens, c).reshape(-1, side, side, patch, patch, channels)
        image = patches.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, size, size)
        return image if self.config.frames == 1 else image.unflatten(0, (-1, self.config.frames))

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return the predicted noise, and variance where learned, (N, [F,] Cout, H, W); see the class for shapes."""
        c = self.conditioning(t, y)
        return self.final(self.run_blocks(self.embed(x), self.block_modulation(c)), c)

    def _own(self, c: Tensor, index: int) -> Tensor:
        """A block's conditioning (N, D) of c (N, [L,] D)."""
        return c[:, index] if self.config.has_own_embedders else c

    def _initialize(self) -> None:
        """Xavier for linear layers, normal for embeddings, zero for every adaLN and for the output."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.x_embedder.proj.weight.view(self.config.hidden_size, -1))
        nn.init.zeros_(self.x_embedder.proj.bias)
        for place in self.blocks if self.config.has_own_embedders else (self,):
            for table in (place.y_embedder.embedding_table, place.t_embedder.mlp[0], place.t_embedder.mlp[2]):
                nn.init.normal_(table.weight, std=0.02)
        zeroed = [module.adaLN_modulation[1] for module in (*self.blocks, self.final_layer)]
        for layer in (*zeroed, self.final_layer.linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)


def first_blocks(dit: DiT, count: int) -> DiT:
    """Return a model of the first `count` blocks of `dit`, which shares its weights.

    Raises:
        UserError: `count` is out of range.
    """
    part = blank_model(dit.config.first_blocks(count))
    state = dit.state_dict()
    part.load_state_dict({name: state[name] for name in part.state_dict()}, assign=True)
    return part.eval().requires_grad_(False)


def blank_model(config: DiTConfig) -> DiT:
    """Return a model whose tensors have shapes but no values (meta device), for weights to be assigned to."""
    with torch.device("meta"), _SkipInitialization():
        return DiT(config)


class _SkipInitialization(TorchFunctionMode):
    """Leave `torch.nn.init` out: on the meta device it has no effect but to import torch's compiler, for seconds."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))
