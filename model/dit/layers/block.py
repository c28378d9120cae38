"""The transformer block and the last layer, in float32; names as published with DiT and PixArt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from radit.model.dit.config import ATTENTION, CROSS, DiTConfig
from radit.model.dit.config_fields import LAYER_NORM_EPS
from radit.model.dit.groups import Groups
from radit.model.dit.layers.embedders import LabelEmbedder, TimestepEmbedder
from radit.model.dit.shapes import MODULATIONS
from radit.model.text.cross_attention import Captions, CrossAttention


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return x * (1 + scale) + shift: x (N, T, D), shift and scale (N, D), unitless."""
    return x * (1.0 + scale.unsqueeze(1)) + shift.unsqueeze(1)


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
    """Transformer block: x += gate * branch(modulate(norm(x))), first attention, then the MLP.

    Between the two, x += cross_attn(x, captions) where the block attends to text.
    """

    def __init__(self, config: DiTConfig, groups: Groups | None = None, index: int = 0) -> None:
        super().__init__()
        width = config.hidden_size
        self.kinds = config.block_kinds(index)
        self.norm1 = nn.LayerNorm(width, eps=LAYER_NORM_EPS, elementwise_affine=False)
        self.attn = Attention(config, groups)
        if CROSS in self.kinds:
            self.cross_attn = CrossAttention(width, config.num_heads)
        self.norm2 = nn.LayerNorm(width, eps=config.mlp_norm_eps, elementwise_affine=False)
        self.mlp = Mlp(config)
        if config.has_text:
            self.scale_shift_table = nn.Parameter(torch.randn(len(MODULATIONS), width) / width**0.5)
        else:
            self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, len(MODULATIONS) * width))
        if config.has_own_embedders:
            self.t_embedder, self.y_embedder = TimestepEmbedder(config), LabelEmbedder(config)

    def modulation(self, c: Tensor) -> Tensor:
        """Return the six vectors (N, 6, D), in the order of `MODULATIONS`, of a conditioning c (N, D); without text."""
        return self.adaLN_modulation(c).reshape(c.shape[0], len(MODULATIONS), c.shape[1])

    def vectors(self, modulation: Tensor) -> Tensor:
        """Return shift, scale and gate (.., K, 3, D) of the block's K sub-blocks, of its modulation (.., 6, D).

        Those of cross-attention are 0, 0 and 1.
        """
        pairs = modulation.unflatten(-2, (2, 3))
        if CROSS not in self.kinds:
            return pairs
        plain = torch.zeros_like(pairs[..., :1, :, :])
        plain[..., 2, :] = 1.0
        return torch.cat([pairs[..., :1, :, :], plain, pairs[..., 1:, :, :]], dim=-3)

    def attention_input(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Return what attention sees, (N, T, D): x (N, T, D) after norm and modulation (N, 6, D)."""
        return modulate(self.norm1(x), modulation[:, 0], modulation[:, 1])

    def mlp_input(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Return what the MLP sees, (N, T, D): x (N, T, D) after norm and modulation (N, 6, D)."""
        return modulate(self.norm2(x), modulation[:, 3], modulation[:, 4])

    def input_of(self, kind: str, x: Tensor, modulation: Tensor) -> Tensor:
        """Return what the sub-block of a kind sees, (N, T, D), of x (N, T, D) and the modulation (N, 6, D)."""
        if kind == CROSS:
            return x
        return self.attention_input(x, modulation) if kind == ATTENTION else self.mlp_input(x, modulation)

    def add(self, kind: str, x: Tensor, branch: Tensor, modulation: Tensor) -> Tensor:
        """Return x (N, T, D) with the gated branch (N, T, D) of the sub-block of a kind."""
        return x + branch if kind == CROSS else x + modulation[:, 2 if kind == ATTENTION else 5].unsqueeze(1) * branch

    def branch(self, kind: str, act: Tensor, captions: Captions | None = None) -> Tensor:
        """Return the branch (N, T, D), before its gate, of what the sub-block of a kind sees, (N, T, D)."""
        if kind == CROSS:
            return self.cross_attn(act, captions)
        return self.attn(act) if kind == ATTENTION else self.mlp(act)

    def forward(self, x: Tensor, modulation: Tensor, captions: Captions | None = None) -> Tensor:
        """Return the next residual stream (N, T, D) of x (N, T, D) under modulation (N, 6, D)."""
        for kind in self.kinds:
            x = self.add(kind, x, self.branch(kind, self.input_of(kind, x, modulation), captions), modulation)
        return x


class FinalLayer(nn.Module):
    """Last norm, modulation and projection: tokens (N, T, D), c (N, D) -> (N, T, P * P * Cout)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.norm_final = nn.LayerNorm(width, eps=LAYER_NORM_EPS, elementwise_affine=False)
        self.linear = nn.Linear(width, config.patch_size**2 * config.out_channels)
        if config.has_text:
            self.scale_shift_table = nn.Parameter(torch.randn(2, width) / width**0.5)
        else:
            self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.has_table = config.has_text

    def forward(self, tokens: Tensor, c: Tensor) -> Tensor:
        if self.has_table:
            shift, scale = (self.scale_shift_table + c.unsqueeze(1)).unbind(1)
        else:
            shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)
        return self.linear(modulate(self.norm_final(tokens), shift, scale))
