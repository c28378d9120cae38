"""Endless batches of a data set, in an order that a seed decides and that can be taken up again where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Transform = Callable[[Tensor, torch.Generator], Tensor]
Relabel = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


class Batches(Iterator[tuple[Tensor, Tensor]]):
    """Batches of samples (size, ...) and labels (size,) for ever, in a fresh order every epoch.

    What is left of an epoch and fills no batch is dropped.

    Args:
        samples: (N, ...), images or clips.
        labels: (N,) int64.
        size: samples per batch, 1 .. N.
        generator: of the order and of `transform`.
        transform: what becomes of the samples of a batch, (size, ...) -> (size, ...); by default they stay as they are.
        relabel: what becomes of samples and labels of a batch, before that; by default they stay as they are.

    Attributes:
        order: indices that remain of the epoch; with the generator's state it is all that a resumed run needs.
    """

    def __init__(
        self,
        samples: Tensor,
        labels: Tensor,
        size: int,
        generator: torch.Generator,
        transform: Transform | None = None,
        relabel: Relabel | None = None,
    ) -> None:
        self.samples, self.labels, self.size = samples, labels, size
        self.generator, self.transform, self.relabel = generator, transform, relabel
        self.order = torch.empty(0, dtype=torch.int64)

    @property
    def count(self) -> int:
        """Samples that there are."""
        return len(self.labels)

    def __next__(self) -> tuple[Tensor, Tensor]:
        if len(self.order) < self.size:
            self.order = torch.randperm(len(self.labels), generator=self.generator)
        index, self.order = self.order[: self.size], self.order[self.size :]
        samples, labels = self.samples[index], self.labels[index]
        if self.relabel is not None:
            samples, labels = self.relabel(samples, labels, self.generator)
        return samples if self.transform is None else self.transform(samples, self.generator), labels
