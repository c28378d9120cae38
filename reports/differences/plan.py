"""What a machine with differences does in each product: from which base, in how many cycles, with which traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.differences.words import BANKS
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cycles.product_sequencer import Product, products
from radit.reports.differences.tally import CYCLES, NARROW, SPLIT, WIDE, WORDS, ZERO, Base

SLOT = {"q": 0, "k": 0, "projection": 1, "fc1": 0, "fc2": 1}  # a product's input in its sub-block; of V none
KINDS = ("q", "k", "projection"), ("fc1", "fc2")  # products of an attention sub-block, and of an MLP
Choice = tuple[Base, Base]  # base of the first context, and of the others

CHOICES: Mapping[str, tuple[Choice, ...]] = {
    "none": ((Base.NONE, Base.NONE),),
    "context": ((Base.NONE, Base.NONE), (Base.NONE, Base.CONTEXT)),
    "timestep": ((Base.NONE, Base.NONE), (Base.TIMESTEP, Base.TIMESTEP)),
    "best": (
        (Base.NONE, Base.NONE),
        (Base.NONE, Base.CONTEXT),
        (Base.TIMESTEP, Base.TIMESTEP),
        (Base.TIMESTEP, Base.CONTEXT),
    ),
}
PLAIN: Choice = (Base.NONE, Base.NONE)
Words = dict[Base, np.ndarray]  # counts [field, timestep, sub-block, input, context, tile], mean of the images


@dataclass(frozen=True)
class TileWork:
    """A product of one sub-block in one timestep.

    Fields:
        depths: cycles of a tile, [context, tile].
        side_by_side: contexts take turns in each token tile, so that the array holds the first one's sums.
        bytes_in, bytes_out: kept sums, and inputs to compare with, of each context, bytes.
    """

    depths: np.ndarray
    side_by_side: bool
    bytes_in: np.ndarray
    bytes_out: np.ndarray


@dataclass(frozen=True)
class Plan:
    """The bases of all products, fixed for a run.

    Fields:
        choices: of each product but V, which stays as it is: its tokens are on the side of whole int8.
        words: what was counted.
        kept: bytes of a kept sum, by product.
        products: whole products of a cell in a cycle, 1 or 2; a narrow word is half of one.
    """

    dims: Dims
    build: BuildConfig
    words: Words
    kept: Mapping[str, int]
    choices: Mapping[str, Choice]
    products: int = 1

    @classmethod
    def chosen(
        cls, base: str, dims: Dims, build: BuildConfig, words: Words, kept: Mapping[str, int],
        bandwidth: float | None, products: int = 1,
    ) -> Plan:  # fmt: skip
        """Of every product the choice with the fewest cycles, of arithmetic or of traffic, over all timesteps."""
        words = {base: counts[..., : dims.row_tiles(build)] for base, counts in words.items()}
        every: dict[str, Choice] = dict.fromkeys(SLOT, PLAIN)
        for name in SLOT:
            costs = {}
            for choice in CHOICES[base]:
                plan = cls(dims, build, words, kept, every | {name: choice}, products)
                costs[choice] = plan.estimated(name, bandwidth)
            every[name] = min(costs, key=lambda choice: costs[choice])
        return cls(dims, build, words, kept, every, products)

    @property
    def timesteps(self) -> int:
        return self.words[Base.NONE].shape[1]

    def base_of(self, name: str, context: int) -> Base:
        """Base of a context."""
        return self.choices[name][min(context, 1)]

    def estimated(self, name: str, bandwidth: float | None) -> float:
        """Cycles of a product over a run, the larger of its tiles' and its traffic's in every timestep."""
        total, facts = 0.0, products(self.dims, self.build)[name]
        tiles = -(-facts.outputs // facts.lanes)
        for index in range(self.timesteps):
            for sub_block in range(int(name in KINDS[1]), self.dims.sub_blocks, 2):
                work = self.work(index, sub_block)[name]
                weights = facts.depth * tiles * self.build.wide
                moved = float((work.bytes_in + work.bytes_out).sum()) + weights
                total += max(tiles * float(work.depths.sum()), moved / bandwidth if bandwidth else 0.0)
        return total

    def work(self, index: int, sub_block: int) -> dict[str, TileWork]:
        """The products of a sub-block at a timestep; V only where it takes two channels per cycle."""
        facts = products(self.dims, self.build)
        found = {name: self._work(name, facts[name], index, sub_block) for name in KINDS[sub_block % 2]}
        if self.products > 1 and not sub_block % 2:
            none, shape = np.zeros(self.dims.contexts), (self.dims.contexts, facts["v"].tiles)
            found["v"] = TileWork(np.full(shape, -(-facts["v"].depth // self.products)), False, none, none)
        return found

    def _work(self, name: str, facts: Product, index: int, sub_block: int) -> TileWork:
        contexts, rows = self.dims.contexts, self.build.rows
        depths = np.stack([self._depths(name, index, sub_block, ctx) for ctx in range(contexts)])
        timestep = np.array([self.base_of(name, ctx) is Base.TIMESTEP for ctx in range(contexts)])
        sums = facts.outputs * rows * facts.tiles * self.kept[name]
        compared = facts.depth * rows * facts.tiles * SLOT[name]  # the pass moves those of its own input
        moved = timestep * float(sums + compared)
        last = index == self.timesteps - 1
        return TileWork(
            depths=depths,
            side_by_side=self.choices[name][1] is Base.CONTEXT and contexts > 1,
            bytes_in=moved * (index > 0),
            bytes_out=moved * (not last),
        )

    def whole_words(self) -> Plan:
        """The same products without any narrow word: cells of whole products."""
        words = {}
        for base, counts in self.words.items():
            words[base] = np.zeros_like(counts)
            words[base][[WORDS, WIDE, CYCLES]] = counts[WORDS]
        return replace(self, words=words, choices=dict.fromkeys(SLOT, PLAIN))

    def _depths(self, name: str, index: int, sub_block: int, context: int) -> np.ndarray:
        """Cycles of the tiles of a context."""

        def count(which: int) -> np.ndarray:
            return self.field(which, name, index, sub_block, context)

        if self.products == 1:
            return count(CYCLES)
        narrow, wide = count(ZERO) + count(NARROW), count(WIDE) + 2 * count(SPLIT)
        return np.ceil(narrow / (BANKS * self.products)) + np.ceil(wide / self.products)

    def field(self, which: int, name: str, index: int, sub_block: int, context: int) -> np.ndarray:
        """A count of a product's input, [tile]."""
        counts: np.ndarray = self.words[self.base_of(name, context)][which, index, sub_block, SLOT[name], context]
        return counts

    def compared_in_pass(self, sub_block: int) -> np.ndarray:
        """bool [context]: the pass reads and writes the inputs that those of a sub-block are compared with."""
        names = [name for name in KINDS[sub_block % 2] if SLOT[name] == 0]
        contexts = range(self.dims.contexts)
        return np.array([any(self.base_of(name, ctx) is Base.TIMESTEP for name in names) for ctx in contexts])

    def words_multiplied(self) -> tuple[float, float]:
        """Narrow and wide words that the array multiplies in a run, of every output tile."""
        narrow = wide = 0.0
        facts = products(self.dims, self.build)
        for name, slot in SLOT.items():
            tiles = -(-facts[name].outputs // facts[name].lanes)
            subs = slice(int(name in KINDS[1]), None, 2)
            for ctx in range(self.dims.contexts):
                counts = self.words[self.base_of(name, ctx)][:, :, subs, slot, ctx]
                narrow += tiles * float(counts[ZERO].sum() + counts[NARROW].sum())
                wide += tiles * float(counts[WIDE].sum() + 2 * counts[SPLIT].sum())
        return narrow, wide

    def plain_cycles(self) -> float:
        """Cycles that the same products take without differences."""
        facts = products(self.dims, self.build)
        words = self.words[Base.NONE][WORDS]
        return sum(
            -(-facts[name].outputs // facts[name].lanes) * float(words[:, int(name in KINDS[1]) :: 2, slot].sum())
            for name, slot in SLOT.items()
        )

    def tile_cycles(self) -> float:
        """Cycles that they take."""
        facts, total = products(self.dims, self.build), 0.0
        for name, slot in SLOT.items():
            tiles = -(-facts[name].outputs // facts[name].lanes)
            for ctx in range(self.dims.contexts):
                cycles = self.words[self.base_of(name, ctx)][CYCLES, :, int(name in KINDS[1]) :: 2, slot, ctx]
                total += tiles * float(cycles.sum())
        return total

    def moved_bytes(self, record: DecisionRecord) -> float:
        """Bytes that a run of one image moves for its bases: kept sums, and inputs to compare with."""
        total = 0.0
        for index, sub_block in np.ndindex(record.timesteps, record.sub_blocks):
            computed = record.computed[0, index, sub_block]
            for work in self.work(index, sub_block).values():
                total += float((work.bytes_in + work.bytes_out)[computed].sum())
            in_pass = self.compared_in_pass(sub_block) & computed
            ends = (index > 0) + (index < record.timesteps - 1)
            total += float(in_pass.sum()) * ends * self.dims.sub_block_words(self.build) * self.build.rows
        return total

    def base_reads(self, record: DecisionRecord) -> int:
        """Words of the first context that are read to be compared with, in a run of one image."""
        total = 0
        facts = products(self.dims, self.build)
        for name in ("k", "projection", "fc1", "fc2"):  # q reads what k reads
            if self.choices[name][1] is Base.CONTEXT:
                computed = record.computed[0, :, int(name in KINDS[1]) :: 2]
                pairs = int((computed[..., 1:] & computed[..., :1]).sum())
                total += pairs * facts[name].depth * self.dims.row_tiles(self.build)
        return total
