"""Prompts as embeddings of their tokens, which a text encoder gives. Labels of a model with text are their numbers.

The null prompt, which guidance leads away from, is the last one: its number is -1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from radit.model.errors import UserError
from radit.model.limits import check_memory

FLOAT = 4  # bytes


@dataclass(frozen=True, eq=False)
class Prompts:
    """P prompts of up to n tokens, and the null prompt behind them.

    Fields:
        embeddings: (P + 1, n, C) float32, 0 behind a prompt's last token; or (P + 1, n) int64, numbers of characters,
            which the model embeds (`characters.py`).
        counts: (P + 1,) int64, tokens of each, 1 .. n.
        has_null: whether there is a null prompt; else the last row is empty and its count 1.
        names: what each of the P is called.
    """

    embeddings: Tensor
    counts: Tensor
    has_null: bool
    names: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.counts) - 1

    @property
    def most(self) -> int:
        """Tokens that a prompt may have, n."""
        return self.embeddings.shape[1]

    def digest(self) -> str:
        """Return the SHA-256 (hex) of embeddings and counts."""
        state = hashlib.sha256(f"{self.has_null} {self.counts.tolist()}".encode())
        state.update(self.embeddings.contiguous().numpy().tobytes())
        return state.hexdigest()


def prompts_of(
    embedded: Sequence[Tensor], null: Tensor | None, tokens: int, names: Sequence[str] | None = None
) -> Prompts:
    """Return prompts of up to `tokens` tokens.

    Args:
        embedded: (count, C) float32 each.
        null: the same of the null prompt; None: there is none.

    Raises:
        UserError: there is no prompt, or one is empty or too long.
    """
    names = tuple(names) if names is not None else tuple(f"prompt {i}" for i in range(len(embedded)))
    if not embedded:
        raise UserError("prompts are none: give at least one.")
    channels = embedded[0].shape[1]
    rows = [*embedded, torch.zeros(1, channels) if null is None else null]
    check_memory("Prompts", {"their embeddings": FLOAT * len(rows) * tokens * channels}, "give fewer of them")
    whole = torch.zeros(len(rows), tokens, channels)
    for name, row, place in zip((*names, "the null prompt"), rows, whole, strict=True):
        if not 1 <= len(row) <= tokens:
            raise UserError(f"Prompt {name} has {len(row)} tokens: give 1 to {tokens}, what the model takes.")
        place[: len(row)] = row
    return Prompts(whole, torch.tensor([len(row) for row in rows]), null is not None, names)


def seeded_prompts(
    tokens: int, channels: int, count: int, seed: int = 0, null: Tensor | None = None, lengths: Sequence[int] = ()
) -> Prompts:
    """Return prompts of seeded random embeddings, standard normal.

    Args:
        tokens: most tokens of a prompt.
        count: how many prompts.
        null: the null prompt; None: a random one of one token.
        lengths: tokens of each; by default from the most down to 1, evenly.
    """
    lengths = lengths or [tokens - i * (tokens - 1) // max(count - 1, 1) for i in range(count)]
    generator = torch.Generator().manual_seed(seed)
    *drawn, alone = (torch.randn((length, channels), generator=generator) for length in (*lengths, 1))
    return prompts_of(drawn, alone if null is None else null, tokens)
