"""Prompted digits: one to four handwritten digits side by side, left aligned, and the text that they spell.

Made of `model/training/digits.py` (no download). Prompts are numbered by length, then value: 0 .. 9, 00 .. 99, and so
on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.training.digits import Digits

PAPER = -1.0
DIGIT, MOST_DIGITS = 8, 4  # pixels of a digit; digits of a prompt


def all_texts() -> list[str]:
    """Return every prompt of one to four digits, by its number."""
    return [f"{value:0{length}d}" for length in range(1, MOST_DIGITS + 1) for value in range(10**length)]


def prompt_numbers(digits: Tensor, lengths: Tensor) -> Tensor:
    """Return the numbers (N,) of prompts whose first `lengths` (N,) of the digits (N, 4) count."""
    value = torch.zeros_like(lengths)
    for place in range(digits.shape[1]):
        value = torch.where(place < lengths, value * 10 + digits[:, place], value)
    return value + (10**lengths - 10) // 9  # 10 + 100 + .. of those that are shorter


def side_by_side(source: Digits, samples: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return images (N, 1, 8, 32) of one to four digits, all lengths as often, and the numbers (N,) of their prompts.

    Args:
        source: where the digits behind the first one are drawn from.
        samples: (N, 1, 8, 8), the first digits.
        labels: (N,) int64, what they are.
    """
    count = len(labels)
    lengths = torch.randint(1, MOST_DIGITS + 1, (count,), generator=generator)
    drawn = torch.randint(len(source), (count, MOST_DIGITS - 1), generator=generator)
    digits = torch.cat([labels.unsqueeze(1), source.labels[drawn]], 1)
    pictures = torch.cat([samples.unsqueeze(1), source.images[drawn]], 1)  # (N, 4, 1, 8, 8)
    blank = torch.arange(MOST_DIGITS) >= lengths.unsqueeze(1)
    pictures = torch.where(blank[..., None, None, None], torch.full_like(pictures, PAPER), pictures)
    return torch.cat(pictures.unbind(1), dim=-1), prompt_numbers(digits, lengths)
