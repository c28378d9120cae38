"""Words of differences counted on the bit-exact integer model, tile by tile, while it generates.

A product's input is split into words of R tokens, in the order of the tokens. The base is 0, the first context's input
at the same timestep, or the same context's when it was last computed; where there is none, it is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

import numpy as np
import torch
from torch import Tensor

from radit.model.differences.words import WIDTHS, Narrowing, WordClass, classify, tile_cycles
from radit.model.integer.generate import Host
from radit.model.integer.reference import Reference, StageCapture

INPUTS = ("attention input", "projection input", "MLP input", "hidden features")  # of linear layers
SECOND = {"attention": "o", "mlp": "h"}  # stage that feeds the last product of a sub-block
FIELDS = ("words", "zero", "narrow", "wide", "split", "cycles", "any_pairs", "skipping")
WORDS, ZERO, NARROW, WIDE, SPLIT, CYCLES, ANY_PAIRS, SKIPPING = range(len(FIELDS))


class Base(StrEnum):
    """What an input is compared with."""

    NONE = "none"
    CONTEXT = "context"
    TIMESTEP = "timestep"


@dataclass(frozen=True)
class Counted:
    """Which words are counted: lanes of a word, how it is narrowed, from which base."""

    lanes: int
    narrowing: Narrowing
    base: Base

    @staticmethod
    def all(lanes: Iterable[int]) -> list[Counted]:
        """Every one of them for words of so many lanes."""
        choices = product(lanes, WIDTHS, (False, True), Base)
        return [Counted(each, Narrowing(width, offset), base) for each, width, offset, base in choices]


Counts = dict[Counted, np.ndarray]


@dataclass
class WordTally:
    """Counts of some images.

    Fields:
        images: how many.
        sums: over the images, int64 [field, timestep, sub-block, input, context, tile], by what is counted.
        first: of the first images each, int64 [image, field, ..]; as many as were asked for.
        computed: bool [image, timestep, sub-block, context].
    """

    images: int
    sums: Counts
    first: Counts
    computed: np.ndarray

    @classmethod
    def joined(cls, parts: list[WordTally], kept: int) -> WordTally:
        """One of several, images in order."""
        cases = parts[0].sums
        return cls(
            images=sum(part.images for part in parts),
            sums={case: np.sum([part.sums[case] for part in parts], axis=0) for case in cases},
            first={case: np.concatenate([part.first[case] for part in parts])[:kept] for case in cases},
            computed=np.concatenate([part.computed for part in parts]),
        )


@dataclass
class _Seen:
    """The input of each product when its context last computed it, (N, contexts, T, K), and whether there is one."""

    values: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    valid: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def update(self, place: tuple[int, int], x: Tensor, computed: Tensor) -> None:
        """Remember the input where it is computed."""
        before = self.values.get(place, torch.zeros_like(x))
        self.values[place] = torch.where(computed[..., None, None], x, before)
        self.valid[place] = self.valid.get(place, torch.zeros_like(computed)) | computed


@torch.no_grad()
def tally(reference: Reference, host: Host, cases: list[Counted], kept: int) -> WordTally:
    """Generate the host's images from the first timestep to the last, and count the words of every product's input.

    Args:
        kept: images whose own counts are returned.
    """
    images, contexts = len(host.image), host.contexts
    steps, subs = reference.integer.steps, len(reference.integer.sub_blocks)
    reference.start(images, contexts)
    counts = {
        case: np.zeros((images, len(FIELDS), steps, subs, 2, contexts, -(-reference.tokens // case.lanes)), np.int64)
        for case in cases
    }
    computed, seen = np.zeros((images, steps, subs, contexts), bool), _Seen()
    for index in range(steps):
        captures = reference.sub_blocks(host.enter(), index, host.tables)
        while True:
            try:
                capture = next(captures)
            except StopIteration as end:
                x = end.value[0]
                break
            computed[:, index, capture.sub_block] = capture.computed.numpy()
            if not capture.computed.any():
                continue
            for slot, values in enumerate(
                inputs(capture, SECOND[reference.integer.sub_blocks[capture.sub_block].kind])
            ):
                place = capture.sub_block, slot
                for case in cases:
                    found = _counted(values, capture.computed, seen, place, case)
                    counts[case][:, :, index, capture.sub_block, slot] = np.moveaxis(found.numpy(), 0, 1)
                seen.update(place, values, capture.computed)
        host.leave(x, index)
    sums = {case: each.sum(0) for case, each in counts.items()}
    return WordTally(images, sums, {case: each[:kept] for case, each in counts.items()}, computed)


def inputs(capture: StageCapture, second: str) -> Iterator[Tensor]:
    """Inputs (N, contexts, T, K) int16 of the first and of the last products of a sub-block; 0 where not computed."""
    yield capture.a.to(torch.int16)
    stage = capture.stages[second]
    placed = torch.zeros(*capture.a.shape[:3], stage.shape[-1], dtype=torch.int16)
    placed[capture.computed] = stage.to(torch.int16)
    yield placed


def _counted(x: Tensor, computed: Tensor, seen: _Seen, place: tuple[int, int], case: Counted) -> Tensor:
    """Counts (field, N, contexts, tiles) of an input (N, contexts, T, K)."""
    kinds = classify(words(differences(x, computed, seen, place, case.base), case.lanes), case.narrowing)
    by_kind = [(kinds == kind).sum(-1) for kind in WordClass]
    rows = [torch.full_like(by_kind[0], kinds.shape[-1]), *by_kind, tile_cycles(kinds)]
    rows += [tile_cycles(kinds, banked=False), tile_cycles(kinds, skip_zero=True)]
    return torch.stack(rows) * computed[..., None]


def differences(x: Tensor, computed: Tensor, seen: _Seen, place: tuple[int, int], base: Base) -> Tensor:
    """x less its base, (N, contexts, T, K); x itself where there is none."""
    if base is Base.CONTEXT and x.shape[1] > 1:
        both = computed & computed[:, :1]
        both[:, 0] = False
        return x - x[:, :1] * both[..., None, None]
    if base is Base.TIMESTEP and place in seen.values:
        return x - seen.values[place] * seen.valid[place][..., None, None]
    return x


def words(x: Tensor, lanes: int) -> Tensor:
    """Words (.., tiles, lanes, K) of tokens (.., T, K); the last ones are filled up with zeros."""
    missing = -x.shape[-2] % lanes
    if missing:
        x = torch.nn.functional.pad(x, (0, 0, 0, missing))
    return x.unflatten(-2, (-1, lanes))
