"""Attention from tokens of an image to tokens of a prompt, and the projection of a prompt's embedding; in float32.

Parameter names, shapes and arithmetic are those of the published PixArt, so that its state dict loads unchanged.
Source: J. Chen et al., "PixArt-alpha: Fast Training of Diffusion Transformer for Photorealistic Text-to-Image
Synthesis", 2023, section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Captions:
    """What N contexts read: tokens (N, n, D) float32, projected, and counts (N,) int64, how many are valid."""

    tokens: Tensor
    counts: Tensor

    @property
    def valid(self) -> Tensor:
        """(N, n) bool, the first tokens of each."""
        return valid_keys(self.counts, self.tokens.shape[1])


def valid_keys(counts: Tensor, most: int) -> Tensor:
    """Return (.., most) bool, which of so many keys are among the first `counts` (..)."""
    return torch.arange(most, device=counts.device) < counts.unsqueeze(-1)


class CaptionProjection(nn.Module):
    """Embedded tokens to the model's width: (.., C) -> (.., D)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, width), nn.Linear(width, width)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(embeddings), approximate="tanh"))


class CaptionEmbedder(nn.Module):
    """The projection of embedded tokens.

    Args:
        has_null: the embedding (n, C) of the null prompt is among the weights.
        characters: how many there are in a table of the model's own, with one of their places; 0: none.
    """

    def __init__(self, channels: int, width: int, tokens: int, has_null: bool, characters: int = 0) -> None:
        super().__init__()
        self.y_proj = CaptionProjection(channels, width)
        if has_null:
            self.y_embedding = nn.Parameter(torch.randn(tokens, channels) / channels**0.5, requires_grad=False)
        if characters:
            self.characters = nn.Parameter(torch.randn(characters, channels))
            self.positions = nn.Parameter(torch.randn(tokens, channels))

    def spell(self, numbers: Tensor) -> Tensor:
        """Return the embeddings (N, n, C) of numbers of characters (N, n)."""
        return self.characters[numbers] + self.positions

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.y_proj(embeddings)


class CrossAttention(nn.Module):
    """Multi-head attention to a prompt: x (N, T, D), without norm and modulation, to the branch (N, T, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.q_linear, self.kv_linear = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def keys_and_values(self, words: Tensor, bias: bool = True) -> tuple[Tensor, Tensor]:
        """Return keys and values, (N, n, D) each, of a prompt's tokens (N, n, D), on request without their biases.

        The keys' bias adds the same to all scores of a query, which the softmax takes out; that of the values passes
        through the average as it is, whose weights sum to 1.
        """
        linear = self.kv_linear
        keys, values = functional.linear(words, linear.weight, linear.bias if bias else None).chunk(2, dim=-1)
        return keys, values

    def average(self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor) -> Tensor:
        """Return the weighted averages (N, T, D) of values (N, n, D), of queries (N, T, D) and keys (N, n, D).

        Args:
            valid: (N, n) bool, keys that may be seen.
        """
        q, k, v = (part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in (query, key, value))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=valid[:, None, None])
        return mixed.transpose(1, 2).flatten(2)

    def forward(self, x: Tensor, captions: Captions) -> Tensor:
        return self.proj(self.average(self.q_linear(x), *self.keys_and_values(captions.tokens), captions.valid))
