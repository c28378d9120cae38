"""What a run decided: the one record that reference, co-simulation, counts, cycle model, energy and report share.

It holds numpy alone, so that rooms which do without torch can use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from radit.model.errors import UserError


@dataclass(frozen=True, eq=False)
class DecisionRecord:
    """Which sub-blocks a run computed.

    Fields:
        computed: bool [image, timestep, sub_block, context], True where computed, False where what is cached was used.
    """

    computed: np.ndarray

    def __post_init__(self) -> None:
        made = self.computed
        if made.ndim != 4 or made.dtype != bool or not made.size:
            raise UserError(
                f"record of decisions is {made.dtype}{made.shape}: give bool (images, timesteps, sub_blocks, contexts)."
            )

    @classmethod
    def of_image(cls, computed: np.ndarray) -> DecisionRecord:
        """The record of one image, of bool [timestep, sub_block, context]."""
        return cls(computed[None])

    @classmethod
    def of_timesteps(cls, timesteps: Sequence[np.ndarray]) -> DecisionRecord:
        """The record of timesteps in order, each bool [image, sub_block, context]."""
        return cls(np.stack(timesteps, axis=1))

    @classmethod
    def joined(cls, records: Sequence[DecisionRecord]) -> DecisionRecord:
        """The record of all images, in order."""
        return cls(np.concatenate([record.computed for record in records]))

    @classmethod
    def dense(cls, images: int, timesteps: int, sub_blocks: int, contexts: int) -> DecisionRecord:
        """The record of a run that computes everything."""
        return cls(np.ones((images, timesteps, sub_blocks, contexts), bool))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DecisionRecord) and np.array_equal(self.computed, other.computed)

    def __iter__(self) -> Iterator[DecisionRecord]:
        """Every image's own record."""
        return (self.image(number) for number in range(self.images))

    @property
    def images(self) -> int:
        """Number of images."""
        return self.computed.shape[0]

    @property
    def timesteps(self) -> int:
        """Number of timesteps."""
        return self.computed.shape[1]

    @property
    def sub_blocks(self) -> int:
        """Number of sub-blocks, S."""
        return self.computed.shape[2]

    @property
    def contexts(self) -> int:
        """Number of contexts: 2 under guidance, else 1."""
        return self.computed.shape[3]

    @property
    def reused_share(self) -> float:
        """Share of all (image, timestep, sub-block, context) that were not computed, 0 to 1."""
        return 1.0 - float(self.computed.mean())

    @property
    def starts_dense(self) -> bool:
        """Whether every image computes everything in its first timestep."""
        return bool(self.computed[:, 0].all())

    def image(self, number: int) -> DecisionRecord:
        """The record of one image."""
        return DecisionRecord(self.computed[number : number + 1])

    def as_dense(self) -> DecisionRecord:
        """The record of a run of the same size that computes everything."""
        return DecisionRecord(np.ones_like(self.computed))

    def skip_map(self) -> np.ndarray:
        """Share of the images that did not compute, 0 to 1, float64 [timestep, sub_block, context]."""
        return 1.0 - self.computed.mean(axis=0)

    def reused_by_kind(self, kinds: Sequence[str]) -> dict[str, np.ndarray]:
        """Share that was not computed, 0 to 1, float64 [timestep], of the sub-blocks of each kind.

        Args:
            kinds: of every sub-block, such as "attention" and "MLP".
        """
        named = np.array(kinds)
        chosen = {kind: self.computed[:, :, named == kind] for kind in dict.fromkeys(kinds)}
        return {kind: 1.0 - made.mean(axis=(0, 2, 3)) for kind, made in chosen.items()}

    def macs(self, each: Sequence[int]) -> np.ndarray:
        """MACs of what was computed, int64 [image].

        Args:
            each: MACs of every sub-block in one context.
        """
        return self.computed.sum(axis=(1, 3)) @ np.array(each, dtype=np.int64)

    def mac_reduction(self, each: Sequence[int]) -> float:
        """MACs of a dense run over MACs of this one, all images, unitless; see `macs`."""
        return int(self.as_dense().macs(each).sum()) / int(self.macs(each).sum())
