"""Attention groups: which tokens attend to which. Tokens of a group see the group's valid keys and nothing else.

An image model has one group of all its tokens; a video model alternates groups of one frame (spatial) and of one
place in all frames (temporal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radit.model.dit.config import DiTConfig
from radit.model.errors import UserError


@dataclass(frozen=True)
class Groups:
    """G groups of n tokens that divide all tokens among them.

    Fields:
        index: (G, n) int64, tokens of a group in the order of its keys.
        valid: (G, n) bool, keys that may be seen, or None for all.
    """

    index: Tensor
    valid: Tensor | None = None

    def __post_init__(self) -> None:
        found = self.index.flatten().sort().values
        if self.index.dim() != 2 or not torch.equal(found, torch.arange(len(found), device="cpu")):
            raise UserError("groups do not divide the tokens among them: give each token to exactly one group.")
        if self.valid is not None and not bool(self.valid.any(1).all()):
            raise UserError("groups have one without a valid key: give each group at least one.")

    @classmethod
    def of(cls, groups: Sequence[Sequence[int]]) -> Groups:
        """Return groups of a list of token lists of one length.

        Raises:
            UserError: the lists differ in length or do not divide the tokens among them.
        """
        if len({len(group) for group in groups}) != 1:
            raise UserError(
                f"groups number {[len(group) for group in groups]} tokens: give all groups the same number."
            )
        return cls(torch.tensor([list(group) for group in groups]))

    @classmethod
    def single(cls, keys: int, padded: int) -> Groups:
        """Return one group of `padded` tokens of which the first `keys` are valid keys."""
        index = torch.arange(padded, device="cpu").unsqueeze(0)
        return cls(index, index < keys if keys < padded else None)

    @property
    def tokens(self) -> int:
        """Tokens of all groups."""
        return self.index.numel()

    @property
    def size(self) -> int:
        """Tokens of a group, n."""
        return self.index.shape[1]

    def split(self, value: Tensor, heads: int) -> Tensor:
        """(K, T, D) -> (K, heads, G, n, head_dim)."""
        if len(self.index) > 1:
            value = value[:, self.index.flatten().to(value.device)]
        return value.reshape(len(value), *self.index.shape, heads, -1).permute(0, 3, 1, 2, 4)

    def join(self, value: Tensor) -> Tensor:
        """(K, heads, G, n, head_dim) -> (K, T, D)."""
        value = value.permute(0, 2, 3, 1, 4).reshape(len(value), self.tokens, -1)
        if len(self.index) > 1:
            value = value[:, self.index.flatten().argsort().to(value.device)]
        return value

    @property
    def mask(self) -> Tensor | None:
        """(G, 1, n) bool, the keys that every query of a group may see, or None for all."""
        return None if self.valid is None else self.valid.unsqueeze(1)


def attention_groups(config: DiTConfig, padded: int | None = None) -> tuple[Groups, Groups]:
    """Return the groups of a model's even and odd blocks; on the CPU whatever the default device.

    Args:
        config: dimensions.
        padded: tokens after padding, at the end, which no key is; by default none.

    Raises:
        UserError: a clip with alternating attention is to be padded.
    """
    padded = padded or config.tokens
    if not config.alternates:
        return (Groups.single(config.tokens, padded),) * 2
    if padded != config.tokens:
        raise UserError(
            f"padded_tokens is {padded} for a clip of {config.tokens} tokens: groups of a frame and of a place have no "
            f"room for padding, give {config.tokens}."
        )
    frames = torch.arange(config.tokens, device="cpu").view(config.frames, config.frame_tokens)
    return Groups(frames), Groups(frames.T)
