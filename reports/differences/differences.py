"""``radit differences``: what exact differences would save, from words counted on the integer model.

Nothing here is hardware yet: ``radit.model.differences`` says what an engine would do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.cosim.support.sizes import fitted
from radit.model.differences.words import WIDTHS, Narrowing
from radit.model.dit.sampler import Sampler
from radit.model.formats import INT8_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.model.outputs import output_folder
from radit.reports.common.files import versions, write_points
from radit.reports.common.schema_parts import Array
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel, predict
from radit.reports.differences.cells import difference_gates, machine_gates
from radit.reports.differences.measure import (
    PRICED,
    Sampled,
    counted_words,
    integer_of,
    kept_sums,
    tables_of,
)
from radit.reports.differences.plan import Plan, Words
from radit.reports.differences.schema import Choosing, DifferencePoint, DifferenceReport, WordShares
from radit.reports.differences.shares import shares_of
from radit.reports.differences.spent import dense_energy, difference_energy
from radit.reports.differences.tally import Base, Counted, WordTally
from radit.reports.differences.walk import cycles
from radit.reports.energy.energy_table import EnergyTable, load_table
from radit.reports.energy.host_work import HostWork, host_work

STEM = "differences"
FILES = (f"{STEM}.json", f"{STEM}.csv")
WHOLE = INT8_BITS  # width of the points where no word is narrow
PRODUCTS = (1, 2)  # whole ones of a cell
RULES = [
    "Words are those of the bit-exact integer model, R tokens of one input channel in the order of the tokens; an "
    "image's tiles are priced with the mean of all samples where everything is computed, else those of the first "
    f"{PRICED} images with their own decisions.",
    "Two narrow words share a cycle where one is of an even and one of an odd channel; zero words are narrow.",
    "V stays as it is, its tokens being columns; scores and values are no differences. Everything else is the cycle "
    "model of the machine.",
    "Each product has one base for the whole run: the one with the fewest cycles, of arithmetic or of traffic.",
    "The first context's input takes no memory as a base: the array holds its sums. Sums of the timestep before are "
    "read and written in whole bytes of the bits that the weights need, inputs to compare with as int8.",
    "Gates are estimated (reports/differences/cells.py), energy is nominal, with the array's multiplications counted "
    "by their bits (reports/differences/spent.py).",
    "Cells of two whole products take two channels per cycle in every product with weights, V included, and two narrow "
    "words in the place of each, any of them; scores and values stay as they are, energy is not modelled. Width 8: "
    "nothing is narrow.",
]


@dataclass(frozen=True)
class Found:
    """Plans of the images that are priced, and the cycles of each."""

    plans: list[Plan]
    cycles: list[float]


@dataclass(frozen=True)
class Priced:
    """A run on a machine: words and decisions of its images, and the machine without differences."""

    dims: Dims
    build: BuildConfig
    memory: MemoryModel
    tables: RunTables
    records: list[DecisionRecord]
    kept: dict[str, int]
    dense: list[float]  # cycles of each record without differences

    def plans(self, words: list[Words], base: Choosing, products: int = 1) -> list[Plan]:
        """Of every image; the bases are those of all images together."""
        mean = {name: np.mean([one[name] for one in words], axis=0) for name in words[0]}
        chosen = Plan.chosen(base, self.dims, self.build, mean, self.kept, self.memory.bandwidth, products)
        return [
            replace(chosen, words={name: one[name][..., : self.dims.row_tiles(self.build)] for name in one})
            for one in words
        ]

    def cycles(self, plans: list[Plan]) -> list[float]:
        """Of every image."""
        return [cycles(plan, one, self.tables, self.memory) for plan, one in zip(plans, self.records, strict=True)]

    def dense_energy(self, table: EnergyTable, host: HostWork) -> float:
        """uJ of an image without differences, mean."""
        runs = zip(self.records, self.dense, strict=True)
        return _mean(
            sum(dense_energy(self.dims, self.build, one, self.tables, spent, table, host).values())
            for one, spent in runs
        )

    def energy(self, found: Found, narrowing: Narrowing, table: EnergyTable, host: HostWork) -> float:
        """uJ of an image with differences, mean."""
        runs = zip(found.plans, self.records, found.cycles, strict=True)
        return _mean(
            difference_energy(plan, narrowing, one, self.tables, spent, table, host) for plan, one, spent in runs
        )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def run_differences(
    sampled: Sampled, *, samplers: list[Sampler], arrays: list[tuple[int, ...]], bandwidths: list[float | None],
    latency: int, jobs: int | None, out: Path, command: str = "",
) -> DifferenceReport:  # fmt: skip
    """Count words and price machines; write differences.json and differences.csv.

    Raises:
        UserError: a model, array, policy or sampler that cannot be, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=FILES)
    sampled.check(samplers, {rows for rows, _ in arrays}, jobs or os.cpu_count() or 1)
    sizes = [fitted(sampled.config, sampled.contexts, *array) for array in arrays]
    lanes = sorted({build.rows for _, build in sizes})
    tokens = max(dims.padded_tokens(build) for dims, build in sizes)
    points: list[DifferencePoint] = []
    shares: list[WordShares] = []
    bits: dict[str, int] = {}
    for sampler in samplers:
        found = counted_words(sampled, sampler, lanes, tokens, jobs)
        integer = integer_of(sampled.model, sampled.blocks, sampler)
        bits, kept = kept_sums(integer)
        shares += shares_of(found, sampler.steps)
        run = RunTables.of(tables_of(sampled, integer))
        for (dims, build), bandwidth in product(sizes, bandwidths):
            memory = MemoryModel(latency, bandwidth)
            points += _points(sampled, sampler, found, _priced(dims, build, memory, run, found, kept))
    result = DifferenceReport(
        model=sampled.model, blocks=sampled.blocks, solver=samplers[0].solver, spacing=samplers[0].spacing,
        timesteps=sampled.timesteps, samples=sampled.samples, cfg=sampled.cfg, seed=sampled.seed,
        policy=sampled.policy, priced=len(_records(found, run)), rules=RULES, sum_bits=bits, shares=shares,
        points=points, command=command, versions=versions(),
    )  # fmt: skip
    write_points(out, STEM, result, {})
    return result


def _records(found: WordTally, run: RunTables) -> list[DecisionRecord]:
    """Of the images that are priced: one that stands for all, or the first ones."""
    everything = DecisionRecord(found.computed)
    return list(everything)[: PRICED if run.policy_on else 1]


def _priced(
    dims: Dims, build: BuildConfig, memory: MemoryModel, run: RunTables, found: WordTally, kept: dict[str, int]
) -> Priced:
    records = _records(found, run)
    dense = [float(predict(dims, build, record, run, memory).cycles) for record in records]
    return Priced(dims, build, memory, run, records, kept, dense)


def _words(found: WordTally, lanes: int, narrowing: Narrowing, policy_on: bool) -> list[Words]:
    """Of the images that are priced."""
    if policy_on:
        return [
            {base: found.first[Counted(lanes, narrowing, base)][image].astype(float) for base in Base}
            for image in range(min(PRICED, found.images))
        ]
    return [{base: found.sums[Counted(lanes, narrowing, base)] / found.images for base in Base}]


def _points(sampled: Sampled, sampler: Sampler, found: WordTally, priced: Priced) -> Iterator[DifferencePoint]:
    """Every machine of a size."""
    table, lanes, policy_on = load_table(), priced.build.rows, priced.tables.policy_on
    host = host_work(sampled.config, len(sampler.timesteps), 1, priced.dims.contexts)
    dense_uj = priced.dense_energy(table, host)
    for width, offset in product(WIDTHS, (False, True)):
        narrowing = Narrowing(width, offset)
        words = _words(found, lanes, narrowing, policy_on)
        for products in PRODUCTS:
            for base, best in _best_plans(priced, words, products).items():
                own = priced.energy(best, narrowing, table, host) if products == 1 else None
                yield _point(sampler, priced, narrowing, base, best, own, dense_uj)
    plans = [plan.whole_words() for plan in priced.plans(words, "none", PRODUCTS[-1])]
    yield _point(sampler, priced, None, "none", Found(plans, priced.cycles(plans)), None, dense_uj)


def _best_plans(priced: Priced, words: list[Words], products: int) -> dict[Choosing, Found]:
    """The best plans of each base; what may compare with more takes no more cycles than what may not."""
    found: dict[Choosing, Found] = {}
    for base in bases_of(priced.dims):
        plans = priced.plans(words, base, products)
        allowed = [found[other] for other in found if other == "none" or base == "best"]
        found[base] = min([*allowed, Found(plans, priced.cycles(plans))], key=lambda one: sum(one.cycles))
    return found


def bases_of(dims: Dims) -> list[Choosing]:
    """What a machine may compare with: other contexts where there are some."""
    return [base for base in get_args(Choosing) if dims.contexts > 1 or base != "context"]


def _point(
    sampler: Sampler, priced: Priced, narrowing: Narrowing | None, base: Choosing, found: Found,
    energy_uj: float | None, dense_uj: float,
) -> DifferencePoint:  # fmt: skip
    build, plan, spent, dense = priced.build, found.plans[0], _mean(found.cycles), _mean(priced.dense)
    factor, moved = dense / spent, zip(found.plans, priced.records, strict=True)
    bases = {each for pair in plan.choices.values() for each in pair}
    bare, own = machine_gates(build), difference_gates(build, narrowing, bases, plan.products)
    return DifferencePoint(
        steps=sampler.steps,
        array=Array(rows=build.rows, cols=build.cols),
        bandwidth=priced.memory.bandwidth,
        products=plan.products,
        width=WHOLE if narrowing is None else narrowing.width,
        offset=narrowing is not None and narrowing.offset,
        base=base,
        choices=", ".join(f"{name} {first}/{others}" for name, (first, others) in plan.choices.items()),
        cycles=spent,
        dense_cycles=dense,
        factor=factor,
        kept_bytes=_mean(each.moved_bytes(record) for each, record in moved),
        energy_uj=energy_uj,
        dense_energy_uj=dense_uj,
        gates=bare + own,
        dense_gates=bare,
        factor_per_area=factor * bare / (bare + own),
    )
