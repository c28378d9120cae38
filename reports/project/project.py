"""``radit project``: what a model takes on an array, from dimensions and decisions alone. All of it is *modelled*."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS, PHASES, TEXT_PHASES
from radit.accel.dims import Dims
from radit.cosim.support.sizes import fitted
from radit.model.dit.config import NAMED_MODELS, DiTConfig, check_guidance
from radit.model.errors import UserError
from radit.model.formats import GAIN_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.model.outputs import output_folder
from radit.reports.common.files import versions
from radit.reports.common.schema_parts import Array, ExternalMemory
from radit.reports.cost.counts import expected_counts, model_macs
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.cost.traffic import external_bytes
from radit.reports.cycles.cycle_model import MemoryModel, Prediction, TimestepSequencer, predict
from radit.reports.cycles.roofline import Run, roofline
from radit.reports.energy.energy_model import EnergyReport, energy
from radit.reports.energy.energy_table import EnergyTable
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import MemoryPlan, planned
from radit.reports.machine.description import MachineDescription
from radit.reports.project.decisions import evenly, recorded
from radit.reports.project.projection import FILE, Projected, Projection, write_projection
from radit.reports.run.summary import ratios

FULL_GAIN = 1 << (GAIN_BITS - 1)  # 1: along the whole slope
BANDWIDTHS = tuple(2.0**octave for octave in range(10))  # bytes per cycle


@dataclass(frozen=True)
class ProjectedMachine:
    """The accelerator and what is around it; ``clock_mhz`` in MHz."""

    build: BuildConfig
    clock_mhz: float
    memory: MemoryModel
    plan: MemoryPlan
    table: EnergyTable


@dataclass(frozen=True)
class ProjectedCosts:
    """What an image costs, the mean over those of a record.

    Fields:
        cycles, macs: see `Costs`.
        prediction: cycles of all images.
        counters: of an image, by name.
    """

    cycles: int
    macs: int
    prediction: Prediction
    counters: dict[str, int]


def run_project(
    *, model: str, machine: MachineDescription, steps: int, cfg: float, skip_rate: float | None, trace: Path | None,
    forecast: bool, out: Path, command: str = "", axi: int | None = None,
) -> Projection:  # fmt: skip
    """Project a model, dense and with skips, behind ``axi`` data bits where they are given; the result is written to
    ``out``/project.json.

    Raises:
        UserError: an unknown model, an array that cannot be built, a model that does not fit, bad decisions, or
            nothing can be written to ``out``.
    """
    out = output_folder(out, files=[FILE])
    if skip_rate is not None and trace is not None:
        raise UserError("--skip-rate and --trace both say what is skipped: give one of them.")
    if forecast and skip_rate is None and trace is None:
        raise UserError("--forecast says how timesteps are reused, but none is: give --skip-rate or --trace as well.")
    config, dims, build = sized(model, cfg, machine)
    tables = spread_tables(dims, steps, forecast)
    table = machine.table
    plan = planned(dims, build, tables, table.reuse_sram.capacity)
    timing = machine.memory.timing if axi is None else machine.memory.behind(axi)
    around = ProjectedMachine(build, machine.clock_mhz, timing, plan, table)
    everything = DecisionRecord.dense(1, steps, dims.sub_blocks, dims.contexts)
    dense, skipping, origin = project(config, dims, around, everything, POLICY_OFF), None, None
    if skip_rate is not None:
        spread = "contexts and timesteps" if forecast else "sub-blocks, contexts and timesteps"
        origin = f"rate {skip_rate:g} after the first timestep, spread evenly over {spread}"
        skipping = project(config, dims, around, evenly(skip_rate, dims, steps, by_context=forecast), tables)
    elif trace is not None:
        origin = f"record of {trace}"
        decisions = recorded(trace, dims, steps, "forecast" if forecast else "radit")
        skipping = project(config, dims, around, decisions, tables)
    if forecast:
        origin = f"{origin}; reused timesteps are forecasts"
    memory = machine.memory
    result = Projection(
        model=model,
        frames=config.frames,
        tokens=dims.tokens,
        contexts=dims.contexts,
        steps=steps,
        cfg=cfg,
        machine=machine.title,
        array=Array.of(build),
        clock_mhz=machine.clock_mhz,
        memory=ExternalMemory(latency=memory.latency, bandwidth=memory.limit, stall=memory.stall),
        axi=axi,
        decisions=origin,
        dense=dense,
        skipping=skipping,
        ratios=ratios(dense, skipping) if skipping else None,
        energy_table=table.name,
        memory_plan=plan.describe(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
    )
    write_projection(out, result)
    return result


def sized(model: str, cfg: float, machine: MachineDescription) -> tuple[DiTConfig, Dims, BuildConfig]:
    """A model on a machine: its config, its dimensions, the build that holds it.

    Raises:
        UserError: an unknown model, an array that cannot be built, a model that does not fit or is not guided.
    """
    config = config_of(model)
    check_guidance(config, cfg)
    return config, *fitted(config, 1 if cfg == 1.0 else 2, *machine.shape, built=machine.build)


def spread_tables(dims: Dims, steps: int, forecast: bool) -> RunTables:
    """Of a skipping run: the first timestep computes; forecasts are of whole timesteps, by context."""
    if not forecast:
        return RunTables(True, np.arange(steps) == 0)
    shape = (steps, dims.sub_blocks)
    follow = np.arange(dims.sub_blocks) > 0
    return RunTables(
        policy_on=True,
        forced=np.arange(steps) == 0,
        gains=np.full(shape, FULL_GAIN),
        follow=np.broadcast_to(follow, shape),
        stream_scope=True,
    )


def config_of(model: str) -> DiTConfig:
    """The shape of a named model, which needs no weights, or of a checkpoint file.

    Raises:
        UserError: the name is unknown, or the file is bad.
    """
    if model in NAMED_MODELS:
        return NAMED_MODELS[model]
    from radit.model.dit.checkpoint import load_config

    return load_config(model)


def project(
    config: DiTConfig,
    dims: Dims,
    machine: ProjectedMachine,
    record: DecisionRecord,
    tables: RunTables,
) -> Projected:
    """Mean over the images of a record."""
    build = machine.build
    spent = costs_of(dims, build, machine.memory, record, tables)
    cycles = spent.cycles
    bill = bill_of(config, dims, machine, spent, record.timesteps)
    return Projected(
        cycles=cycles,
        milliseconds=cycles / machine.clock_mhz / 1e3,
        macs=spent.macs,
        mac_utilization=spent.macs / (cycles * build.multipliers),
        mac_skip_rate=1 - spent.macs / model_macs(dims, record.image(0).as_dense()),
        phases={
            name: spent.prediction.phases[name] / record.images / cycles
            for name in PHASES
            if build.max_text or name not in TEXT_PHASES
        },
        external_bytes=external_bytes(spent.counters, build),
        roofline=roofline(Run(dims, build, record.image(0), tables), machine.memory, BANDWIDTHS),
        **bill.summary(),
    )


def costs_of(
    dims: Dims,
    build: BuildConfig,
    memory: MemoryModel,
    record: DecisionRecord,
    tables: RunTables,
    sequencer: TimestepSequencer | None = None,
) -> ProjectedCosts:
    """Cycles, MACs and counters, mean over the images of a record; ``sequencer`` as `predict` takes it."""
    prediction = predict(dims, build, record, tables, memory, sequencer)
    counters = _mean(expected_counts(dims, build, record, tables), prediction, record.images)
    macs = round(model_macs(dims, record) / record.images)
    return ProjectedCosts(counters["cycles"], macs, prediction, counters)


def bill_of(
    config: DiTConfig, dims: Dims, machine: ProjectedMachine, spent: ProjectedCosts, steps: int
) -> EnergyReport:
    """Energy of an image, its host's included."""
    work = host_work(config, steps, 1, dims.contexts)
    return energy(spent.counters, machine.build, machine.table, machine.plan, work, clock_mhz=machine.clock_mhz)


def _mean(counts: dict[str, int], prediction: Prediction, images: int) -> dict[str, int]:
    """Counters of an image, rounded; those without a formula, which cost no energy, are 0."""
    total = counts | {"cycles": prediction.cycles}
    return dict.fromkeys(COUNTERS, 0) | {name: round(count / images) for name, count in total.items()}
