"""What designs cost, by the functions of `radit project`: work that designs share is done once.

Designs of one model on one array beside one memory are a group: they share the timesteps and sub-blocks that the cycle
model has met before. Clocks and samplers cost nothing; energies follow from the same counters.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from radit.accel.dims import Dims
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.common.files import file_hash
from radit.reports.cost.counts import model_macs
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.cost.traffic import external_bytes
from radit.reports.cycles.cycle_model import TimestepSequencer
from radit.reports.energy.energy_table import EnergyTable
from radit.reports.energy.memory_plan import on_chip, planned
from radit.reports.explore.space import Decided, Design
from radit.reports.machine.description import MachineDescription
from radit.reports.project.decisions import evenly, recorded
from radit.reports.project.project import (
    ProjectedCosts,
    ProjectedMachine,
    bill_of,
    config_of,
    costs_of,
    sized,
    spread_tables,
)
from radit.reports.run.arrays import ARRAYS_FILE


@dataclass(frozen=True)
class DesignCosts:
    """What an image costs. Energies in uJ.

    Fields:
        mac_skip_rate: share of the dense run's MACs that is not computed.
        external_bytes: over the memory ports and the host's streams.
        sram_kib: on-chip memories of the build, KiB, without that for results.
        reuse_sram_kib: on chip for history and cache of results, KiB.
    """

    cycles: int
    macs: int
    mac_skip_rate: float
    external_bytes: int
    energy_low: float
    energy: float
    energy_high: float
    sram_kib: float
    reuse_sram_kib: float


@dataclass(frozen=True)
class WantedCosts:
    """A design's costs, to be found: ``key`` is the hash of everything that determines them."""

    key: str
    steps: int
    decided: Decided
    machine: MachineDescription


@dataclass(frozen=True)
class DesignGroup:
    """Designs that share their cycle model: a model, guidance, and a machine but for clock and energies.

    Fields:
        name: hash of it.
        machine: one of them.
    """

    name: str
    model: str
    cfg: float
    machine: MachineDescription


class Keys:
    """Hashes of designs, whose parts repeat."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._known: dict[object, str] = {}

    def group(self, design: Design) -> DesignGroup:
        """The group of a design."""
        machine = design.machine.described
        memory = machine.memory
        around = (machine.array, *machine.build.items(), memory.latency, memory.bandwidth, memory.stall)
        facts = [self._code, self._model(design.model), design.cfg, around]
        return DesignGroup(_hashed(facts), design.model, design.cfg, machine)

    def wanted(self, design: Design, group: DesignGroup) -> WantedCosts:
        """A design's costs, with their key."""
        machine, decided = design.machine.described, design.decided
        table = self._once(("table", machine.table_path), lambda: file_hash(machine.table_path))
        trace = self._trace(decided.trace) if decided.trace is not None else None
        facts = [group.name, design.evaluations, decided.rate, decided.forecast, trace, table, machine.reuse_sram_kib]
        facts.append(machine.clock_mhz)  # which leakage is spread over
        return WantedCosts(_hashed(facts), design.evaluations, decided, machine)

    def _model(self, model: str) -> str:
        return self._once(("model", model), lambda: config_of(model).model_dump_json())

    def _trace(self, folder: str) -> str:
        path = Path(folder) / ARRAYS_FILE

        def digest() -> str:
            return file_hash(path) if path.is_file() else ""

        return self._once(("trace", folder), digest)

    def _once(self, name: object, made) -> str:  # type: ignore[no-untyped-def]
        if name not in self._known:
            self._known[name] = made()
        return self._known[name]


def _hashed(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


class Evaluator:
    """The costs of a group's designs."""

    def __init__(self, group: DesignGroup) -> None:
        self._group = group
        self._config, self._dims, self._build = sized(group.model, group.cfg, group.machine)
        self._sequencers: dict[tuple[bool, bool], TimestepSequencer] = {}
        self._spent: dict[tuple[int, Decided], tuple[ProjectedCosts, RunTables, float]] = {}
        self._tables: dict[tuple[str, int | None], EnergyTable] = {}
        self._sram = sum(memory.capacity_kib for memory in on_chip(self._build).values())

    def costs(self, wanted: WantedCosts) -> DesignCosts:
        """What a design costs.

        Raises:
            UserError: a recorded run is of another model or number of timesteps, or there is none.
        """
        spent, tables, skipped = self._spending(wanted.steps, wanted.decided)
        table = self._table(wanted.machine)
        plan = planned(self._dims, self._build, tables, table.reuse_sram.capacity)
        machine = ProjectedMachine(
            self._build, wanted.machine.clock_mhz, self._group.machine.memory.timing, plan, table
        )
        bill = bill_of(self._config, self._dims, machine, spent, wanted.steps).total_uj
        return DesignCosts(
            cycles=spent.cycles,
            macs=spent.macs,
            mac_skip_rate=skipped,
            external_bytes=sum(external_bytes(spent.counters, self._build).values()),
            energy_low=bill.low,
            energy=bill.nominal,
            energy_high=bill.high,
            sram_kib=self._sram,
            reuse_sram_kib=float(table.reuse_sram.capacity),
        )

    def cycles(self, record: DecisionRecord, tables: RunTables) -> int:
        """Cycles of one image's decisions, whoever took them."""
        return costs_of(self._dims, self._build, self._group.machine.memory.timing, record, tables).cycles

    def _table(self, machine: MachineDescription) -> EnergyTable:
        name = machine.energy_table, machine.reuse_sram_kib
        if name not in self._tables:
            self._tables[name] = machine.table
        return self._tables[name]

    def _spending(self, steps: int, decided: Decided) -> tuple[ProjectedCosts, RunTables, float]:
        """Costs without energy, the tables that place the memories, and the share of MACs skipped."""
        if (steps, decided) not in self._spent:
            dims = self._dims
            record, spread = decisions_of(dims, steps, decided), spread_tables(dims, steps, decided.forecast)
            tables = POLICY_OFF if decided.is_dense else spread
            alike = tables.policy_on, tables.stream_scope
            memory = self._group.machine.memory.timing
            if alike not in self._sequencers:
                self._sequencers[alike] = TimestepSequencer(dims, self._build, tables, memory)
            spent = costs_of(dims, self._build, memory, record, tables, self._sequencers[alike])
            skipped = 1 - spent.macs / model_macs(dims, record.image(0).as_dense())
            self._spent[steps, decided] = spent, spread, skipped
        return self._spent[steps, decided]


def decisions_of(dims: Dims, steps: int, decided: Decided) -> DecisionRecord:
    """What is computed.

    Raises:
        UserError: a recorded run is of another model or number of timesteps, or there is none.
    """
    if decided.trace is not None:
        return recorded(Path(decided.trace), dims, steps, "forecast" if decided.forecast else "radit")
    if decided.rate is None:
        return DecisionRecord.dense(1, steps, dims.sub_blocks, dims.contexts)
    return evenly(decided.rate, dims, steps, by_context=decided.forecast)


def evaluated(group: DesignGroup, wanted: Iterable[WantedCosts]) -> tuple[str, dict[str, dict[str, float]], float]:
    """Costs of some designs of a group, by key, and the processor's seconds that they took; what a worker does."""
    since, evaluator = time.process_time(), Evaluator(group)
    found = {one.key: asdict(evaluator.costs(one)) for one in wanted}
    return group.name, found, time.process_time() - since


def refuse(group: DesignGroup, traces: Iterable[tuple[int, Decided]]) -> None:
    """Refuse a model that does not fit a machine, and recorded runs that are not of the model, before anything runs.

    Raises:
        UserError: it does not, or they are not.
    """
    try:
        _, dims, _ = sized(group.model, group.cfg, group.machine)
    except UserError as error:
        raise UserError(f"model {group.model} on array {group.machine.array}: {error}") from None
    for steps, decided in traces:
        decisions_of(dims, steps, decided)
