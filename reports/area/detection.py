"""What deciding costs a run in cycles and energy: against a machine that is told the same decisions beforehand.

The told machine moves and compares no codes, waits for no decision, and normalizes nothing where all contexts reuse;
what it computes is cached and reused alike. All of it is *modelled* (``reports/cycles/cycle_model.py``, ``counts.py``,
``energy.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS
from radit.accel.dims import Dims
from radit.cosim.support.sizes import build_for, dims_of
from radit.model.dit.config import DiTConfig
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.area.schema import DetectionCost
from radit.reports.common.schema_parts import Array
from radit.reports.cost.counts import expected_counts, model_macs
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import FOLLOW, TURN, MemoryModel, predict
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import EnergyTable
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import planned
from radit.reports.project.decisions import evenly
from radit.reports.project.project import config_of, spread_tables

STEPS = 50
CFG = 1.5
TRAINED = "digits"  # whose decisions are those of real images
FULL_SIZE = "dit-xl-2"
POLICIES = ("radit", "forecast")
IMAGES = 10


@dataclass(frozen=True)
class PricedDecisions:
    """Decisions, the tables of their run, and where they come from."""

    record: DecisionRecord
    tables: RunTables
    origin: str

    def skip_rate(self, dims: Dims) -> float:
        """Share of the MACs that is not computed."""
        return 1 - model_macs(dims, self.record) / model_macs(dims, self.record.as_dense())


def generated(policy: str, images: int = IMAGES, seed: int = 0) -> PricedDecisions:
    """What a policy decides for images of the trained model, on the integer reference."""
    import torch

    from radit.model.dit.checkpoint import find_checkpoint, load_model
    from radit.model.dit.sampler import Sampler, make_noise
    from radit.model.integer.calibration import load_or_calibrate
    from radit.model.integer.generate import generate
    from radit.model.integer.quantize import quantize
    from radit.model.integer.reference import Reference
    from radit.model.policy.policy_file import policy_of

    dit = load_model(TRAINED)
    sampler = Sampler(STEPS)
    integer = quantize(dit, load_or_calibrate(dit, find_checkpoint(TRAINED), sampler), sampler)
    tables = policy_of(policy, TRAINED, integer).tables(integer)
    labels = torch.arange(images) % dit.config.num_classes
    noise = make_noise(dit.config, images, seed)
    _, record = generate(Reference(integer, tables), dit, labels, noise, cfg=CFG)
    return PricedDecisions(record.decisions, RunTables.of(tables), f"of {images} images, seed {seed}")


def spread(rate: float, dims: Dims, forecast: bool) -> PricedDecisions:
    """Decisions that reuse at a rate, evenly."""
    record = evenly(rate, dims, STEPS, by_context=forecast)
    return PricedDecisions(record, spread_tables(dims, STEPS, forecast), f"spread evenly at a rate of {rate:.3f}")


def detection_costs(arrays: list[tuple[int, ...]], memory: MemoryModel, table: EnergyTable) -> list[DetectionCost]:
    """Of both policies on every array: the trained model's own decisions, and as many skips at full size."""
    small, large = config_of(TRAINED), config_of(FULL_SIZE)
    costs = []
    for policy in POLICIES:
        own = generated(policy)
        rate = own.skip_rate(dims_of(small, contexts=2))
        other = spread(rate, dims_of(large, contexts=2), forecast=policy == "forecast")
        for model, config, decisions in ((TRAINED, small, own), (FULL_SIZE, large, other)):
            costs += [_cost(model, config, decisions, policy, array, memory, table) for array in arrays]
    return costs


def _cost(
    model: str, config: DiTConfig, decisions: PricedDecisions, policy: str, array: tuple[int, ...], memory: MemoryModel,
    table: EnergyTable,
) -> DetectionCost:  # fmt: skip
    dims = dims_of(config, contexts=2)
    build = build_for(dims, *array)
    cycles, energy_uj = _spent(config, dims, build, decisions, memory, table, told=False)
    cycles_told, energy_told_uj = _spent(config, dims, build, decisions, memory, table, told=True)
    return DetectionCost(
        model=model,
        array=Array.of(build),
        policy=policy,
        decisions=decisions.origin,
        skip_rate=decisions.skip_rate(dims),
        cycles=cycles,
        cycles_told=cycles_told,
        energy_uj=energy_uj,
        energy_told_uj=energy_told_uj,
    )


def _spent(
    config: DiTConfig, dims: Dims, build: BuildConfig, decisions: PricedDecisions, memory: MemoryModel,
    table: EnergyTable, told: bool,
) -> tuple[float, float]:  # fmt: skip
    """Cycles and uJ of an image."""
    record, tables, turns = decisions.record, decisions.tables, 0
    images, steps = record.images, record.timesteps
    if told:  # as if every sub-block followed, without the turns that this takes
        tables = replace(tables, follow=np.ones((steps, record.sub_blocks), bool))
        deciding = 1 if tables.stream_scope else record.sub_blocks
        turns = steps * deciding * (FOLLOW + record.contexts * TURN)
    cycles = predict(dims, build, record, tables, memory).cycles - images * turns
    counts = expected_counts(dims, build, record, tables)
    counters = dict.fromkeys(COUNTERS, 0) | counts | {"cycles": cycles}
    if told:
        counters["dtsm_ops"] = 0
    plan = planned(dims, build, decisions.tables, table.reuse_sram.capacity)
    bill = energy(counters, build, table, plan, host_work(config, steps, images, record.contexts))
    return cycles / images, bill.total_uj.nominal / images
