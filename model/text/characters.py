"""Prompts spelled by characters: the text encoder of a model that has a table of them.

A prompt is its characters and an end mark, so that an empty text, the null prompt, has one token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from radit.model.errors import UserError, shown
from radit.model.text.prompts import Prompts

CHOSEN_SEED = 2026  # of the texts that a model draws by itself


def spelled(texts: Sequence[str], alphabet: str, tokens: int) -> Prompts:
    """Return prompts of texts, as numbers (P + 1, tokens) of characters, the empty text as the null prompt.

    Args:
        alphabet: characters 0, 1, 2, ..; the end mark is the number behind them.
        tokens: most of a prompt, its end mark included.

    Raises:
        UserError: there is no text, or one is too long or has other characters.
    """
    if not texts:
        raise UserError("prompts are none: give at least one.")
    rows = [_row(text, alphabet, tokens) for text in (*texts, "")]
    return Prompts(torch.stack(rows), torch.tensor([len(text) + 1 for text in (*texts, "")]), True, tuple(texts))


def _row(text: str, alphabet: str, tokens: int) -> Tensor:
    """Numbers (tokens,) of a text's characters, the end mark, and zeros."""
    if other := [character for character in text if character not in alphabet]:
        raise UserError(f"--prompt has {shown(text)} with {shown(other[0])}: give characters of {alphabet!r}.")
    if len(text) >= tokens:
        raise UserError(f"--prompt has {shown(text)} of {len(text)} characters: give up to {tokens - 1}.")
    found = torch.zeros(tokens, dtype=torch.int64)
    found[: len(text) + 1] = torch.tensor([*(alphabet.index(character) for character in text), len(alphabet)])
    return found


def chosen_texts(alphabet: str, most: int, count: int) -> list[str]:
    """Return seeded random texts, of `most` characters down to one in turn."""
    generator = np.random.Generator(np.random.SFC64(CHOSEN_SEED))
    lengths = [most - i % most for i in range(count)]
    return ["".join(alphabet[i] for i in generator.integers(0, len(alphabet), length)) for length in lengths]
