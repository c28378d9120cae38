"""Handwritten digits, 8 x 8 pixels: the data set that scikit-learn carries along (no download).

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import Tensor

PIXEL_LEVELS = 16.0
TEST_SHARE = 0.2
SPLIT_SEED = 0


@dataclass(frozen=True)
class Digits:
    """Images (N, 1, 8, 8), float32, -1 (paper) .. 1 (ink), and labels (N,), int64, 0 .. 9."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def all_digits() -> Digits:
    """Return all 1797 digits in the order of the data set."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float().unsqueeze(1) / (PIXEL_LEVELS / 2.0) - 1.0
    return Digits(images, torch.from_numpy(bunch.target).long())


def split_digits() -> tuple[Digits, Digits]:
    """Return the train digits (1438) and the test digits (359): a fixed random split, the same in every run."""
    digits = all_digits()
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(SPLIT_SEED))
    held_out = int(len(digits) * TEST_SHARE)
    test, train = order[:held_out], order[held_out:]
    return Digits(digits.images[train], digits.labels[train]), Digits(digits.images[test], digits.labels[test])
