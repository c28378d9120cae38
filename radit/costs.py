"""Cycles and energy of decisions, without simulating them. All of it is *modelled*."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radit.accel.control.registers import COUNTERS
from radit.cosim.support.sizes import fitted
from radit.cosimulation import PolicyCosimulation
from radit.decisions import AnyModel, Decisions, config_of_any
from radit.machine import Array, Memory, machine_around
from radit.model.errors import UserError, shown
from radit.model.ranges import checked
from radit.reports.cost.counts import add_counts, expected_counts, model_macs
from radit.reports.cost.traffic import external_bytes
from radit.reports.cycles.cycle_model import Prediction, predict
from radit.reports.energy.energy_model import EnergyReport
from radit.reports.energy.energy_table import DEFAULT_TABLE, EnergyTable, load_table
from radit.reports.energy.workload import Workload
from radit.reports.machine.description import MachineDescription

TABLES = DEFAULT_TABLE.parent


@dataclass(frozen=True, eq=False)
class CyclePrediction:
    """What decisions cost on a machine, all images together.

    Fields:
        cycles: of the accelerator's clock.
        phases: cycles by what the machine does: pass, qkv, scores, .. (accel/control/cycle_accounts.py).
        timesteps: cycles of every timestep, int64 [image, timestep].
        macs: multiplications that the computed sub-blocks need, without padding.
        mac_utilization: those over all that the array could have done, 0 to 1.
        external_bytes: bytes by cause, the host's streams of x among them.
        workload: counters, the clock, and what `account_energy` needs beside them.
    """

    cycles: int
    phases: dict[str, int]
    timesteps: np.ndarray
    macs: int
    mac_utilization: float
    external_bytes: dict[str, int]
    workload: Workload

    def milliseconds(self, clock_mhz: float | None = None) -> float:
        """Time at a clock in MHz; None: the machine's.

        Raises:
            UserError: the clock is out of range.
        """
        return self.cycles / checked(clock_mhz=self.workload.clock_mhz if clock_mhz is None else clock_mhz) / 1e3


def predict_cycles(
    model: AnyModel,
    decisions: Decisions,
    *,
    array: Array = "16x16",
    memory: Memory | None = None,
    clock_mhz: float = 500.0,
    machine: MachineDescription | None = None,
) -> CyclePrediction:
    """Predict the cycles of a run from its decisions.

    With an unlimited memory without pauses they equal the RTL's cycle by cycle, else within a hundredth. Decisions of
    a policy that exists in software alone are charged as if the machine took them.

    Args:
        model: its dimensions count; a name needs no weights.
        decisions: of a run (`Generation.decisions`, `PolicyCosimulation.decisions`), or assumed (`dense_decisions`,
            `even_decisions`).
        array: rows and columns of the MAC array, powers of two from 4 to 128.
        memory: the external memory; None: `Memory()`.
        clock_mhz: of the machine (MHz); times and leakage follow from it, cycles do not.
        machine: a whole machine (`radit.reports.machine.description.load_machine`), in the place of array, memory and
            clock.

    Raises:
        UserError: the decisions are not this model's, or the array cannot be built or does not hold the model.
    """
    config = config_of_any(model)
    shape, around, clock = machine_around(machine, array, memory, clock_mhz)
    dims, build = fitted(config, decisions.contexts, *shape, built=machine.build if machine else None)
    charge = around.model()
    known: dict[bytes, tuple[Prediction, dict[str, int]]] = {}  # many images decide alike
    done = []
    for record, tables in zip(decisions.record, decisions.tables, strict=True):
        if (same := record.computed.tobytes()) not in known:
            counts = expected_counts(dims, build, record, tables)
            charged = counts if decisions.costs is None else decisions.costs.charged(counts, dims)
            known[same] = predict(dims, build, record, tables, charge), charged
        done.append(known[same])
    phases: Counter[str] = Counter()
    for prediction, _ in done:
        phases.update(prediction.phases)
    cycles = sum(prediction.cycles for prediction, _ in done)
    counters = dict.fromkeys(COUNTERS, 0) | add_counts(*(counts for _, counts in done)) | {"cycles": cycles}
    macs = model_macs(dims, decisions.record)
    return CyclePrediction(
        cycles=cycles,
        phases=dict(phases),
        timesteps=np.concatenate([prediction.timesteps for prediction, _ in done]),
        macs=macs,
        mac_utilization=macs / (cycles * build.multipliers),
        external_bytes=external_bytes(counters, build),
        workload=Workload(
            config,
            dims,
            build,
            decisions.tables[0],
            counters,
            decisions.images,
            decisions.timesteps,
            slots=None if decisions.costs is None else decisions.costs.cached_results,
            clock_mhz=clock,
        ),  # fmt: skip
    )


def account_energy(
    run: CyclePrediction | PolicyCosimulation,
    table: str | Path | EnergyTable = "default",
    *,
    host: bool = True,
    clock_mhz: float | None = None,
) -> EnergyReport:
    """Account for the energy of a predicted or co-simulated run: its action counts times an energy table.

    Args:
        run: what was counted, all images.
        table: a name in reports/tables, the path of a TOML file (reports/tables/default.toml shows all entries), or a
            table from `load_energy_table`.
        host: whether the host's arithmetic and memory traffic belong to it.
        clock_mhz: that leakage is spread over (MHz); None: that of the run's machine.

    Returns:
        `total_uj`, and `components_uj` by component of the machine; each a `Range` of low, nominal and high, in uJ.

    Raises:
        UserError: the table cannot be read, an entry lacks its unit or its source, or the clock is out of range.
    """
    found = table if isinstance(table, EnergyTable) else load_energy_table(table)
    work = run.workload if clock_mhz is None else replace(run.workload, clock_mhz=checked(clock_mhz=clock_mhz))
    return work.energy(found, host)


def load_energy_table(table: str | Path = "default") -> EnergyTable:
    """Read an energy table: a name in reports/tables, or the path of a TOML file.

    Raises:
        UserError: the table cannot be read, or an entry lacks its unit or its source.
    """
    named = TABLES / f"{table}.toml"
    if named.is_file():
        return load_table(named)
    if not Path(table).suffix:
        names = ", ".join(sorted(path.stem for path in TABLES.glob("*.toml")))
        raise UserError(f"energy table is {shown(str(table))}: give {names}, or the path of a .toml file.")
    return load_table(Path(table))
