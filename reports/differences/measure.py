"""Running the integer model for the words of its inputs: pieces of images over the cores."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from rich.progress import TaskProgressColumn, TimeRemainingColumn

from radit.model.console import progress_bar
from radit.model.differences.products import kept_bytes, sum_bits
from radit.model.dit.checkpoint import find_checkpoint, load_config, load_model
from radit.model.dit.config import DiTConfig
from radit.model.dit.memory_needs import SMALLER, check_comparison
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.errors import UserError
from radit.model.integer.calibration import load_or_calibrate
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.policy_tables import PolicyTables
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.policy.policy_file import policy_of
from radit.model.policy.skip_policy import parse_policy
from radit.model.system.processes import over_processes
from radit.model.threads import one_thread
from radit.reports.differences.tally import FIELDS, Counted, WordTally, tally

PIECE = 8  # images of one task
COUNT_BYTES = 8
PRICED = 4  # images of a skipping policy whose decisions are priced one by one
PRODUCTS = {"q": "q", "k": "k", "projection": "o", "fc1": "fc1", "fc2": "fc2"}  # their weights


@dataclass(frozen=True)
class Sampled:
    """What is generated to count words; `blocks` and `timesteps`: only the first of them, None: all."""

    model: str
    blocks: int | None
    timesteps: int | None
    samples: int
    cfg: float
    seed: int
    policy: str

    @property
    def config(self) -> DiTConfig:
        config = load_config(self.model)
        if config.has_text:
            raise UserError(
                f"model {one_line(self.model)} has text, whose sub-blocks differences of words do not know yet: give a "
                "model with labels."
            )
        return config if self.blocks is None else config.first_blocks(self.blocks)

    @property
    def contexts(self) -> int:
        return 1 if self.cfg == 1.0 else 2

    def check(self, samplers: Iterable[Sampler], lanes: Collection[int], jobs: int) -> None:
        """Refuse what would fail later.

        Raises:
            UserError: a bad policy, or more than the memory holds.
        """
        parse_policy(self.policy)
        most, config = max(len(one.timesteps) for one in samplers), self.config
        check_comparison(self.model, config, samples=self.samples, steps=most, cfg=self.cfg, jobs=jobs)
        tiles, images = sum(-(-config.tokens // each) for each in lanes), min(self.samples, PIECE * jobs)
        places = len(FIELDS) * most * 2 * config.depth * 2 * self.contexts * tiles
        needs = {"counts of words": COUNT_BYTES * images * places * len(Counted.all(lanes)) // len(lanes)}
        check_memory(f"Model {one_line(self.model)} with {self.samples} samples", needs, f"{SMALLER}, or fewer jobs")


@lru_cache(maxsize=2)
def integer_of(model: str, blocks: int | None, sampler: Sampler) -> IntegerDiT:
    """A model, or its first blocks, quantized for a sampler."""
    dit = load_model(model, blocks)
    return quantize(dit, load_or_calibrate(dit, find_checkpoint(model), sampler), sampler)


def tables_of(sampled: Sampled, integer: IntegerDiT) -> PolicyTables:
    """The tables of the policy."""
    return policy_of(sampled.policy, sampled.model if sampled.blocks is None else None, integer).tables(integer)


def counted_words(sampled: Sampled, sampler: Sampler, lanes: list[int], tokens: int, jobs: int | None) -> WordTally:
    """Words of every lane count, base and narrowing of all samples.

    Args:
        tokens: of a context, padded.
    """
    starts = range(0, sampled.samples, PIECE)
    parts = []
    with progress_bar(TaskProgressColumn(), TimeRemainingColumn(elapsed_when_finished=True)) as progress:
        bar = progress.add_task(f"words of {sampler.text}", total=sampled.samples)
        calls = [(_piece, sampled, sampler, lanes, tokens, start) for start in starts]
        for part in over_processes(calls, jobs or os.cpu_count() or 1):
            parts.append(part)
            progress.advance(bar, part.images)
    return WordTally.joined(parts, PRICED)


@one_thread()
def _piece(sampled: Sampled, sampler: Sampler, lanes: list[int], tokens: int, start: int) -> WordTally:
    """A few images, on one thread."""
    integer = integer_of(sampled.model, sampled.blocks, sampler)
    end = min(start + PIECE, sampled.samples)
    labels = torch.arange(start, end) % integer.config.num_classes
    noise = make_noise(integer.config, sampled.samples, sampled.seed)[start:end]
    reference = Reference(integer, tables_of(sampled, integer), padded_tokens=tokens)
    host = Host(integer.dit, integer, labels, noise, sampled.cfg, tokens)
    return tally(reference, host, Counted.all(lanes), PRICED if start < PRICED else 0)


def kept_sums(integer: IntegerDiT) -> tuple[dict[str, int], dict[str, int]]:
    """Bits and whole bytes of a kept sum by product, the most of all sub-blocks."""
    bits, sizes = dict.fromkeys(PRODUCTS, 0), dict.fromkeys(PRODUCTS, 0)
    for sub_block in integer.sub_blocks:
        for name, weight in PRODUCTS.items():
            if weight in sub_block.weights:
                bits[name] = max(bits[name], sum_bits(sub_block.weights[weight]))
                sizes[name] = max(sizes[name], kept_bytes(sub_block.weights[weight]))
    return bits, sizes
