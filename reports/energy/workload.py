"""What a machine has done for whole images, counted: all that its energy follows from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.dit.config import DiTConfig
from radit.reports.cost.run_tables import RunTables
from radit.reports.energy.energy_model import EnergyReport, energy
from radit.reports.energy.energy_table import EnergyTable
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import planned
from radit.reports.energy.standing import TABLE_MHZ


@dataclass(frozen=True)
class Workload:
    """Counters of a run and what they are of.

    Fields:
        config, dims, build: the model and the machine.
        tables: of the run.
        counters: every counter of ``accel/control/registers.py``, summed over the images.
        images, timesteps: how many, timesteps of each image.
        slots: results kept for a forecast; None: those of the first order.
        clock_mhz: of the machine, which leakage follows.
    """

    config: DiTConfig
    dims: Dims
    build: BuildConfig
    tables: RunTables
    counters: Mapping[str, int]
    images: int
    timesteps: int
    slots: int | None = None
    clock_mhz: float = TABLE_MHZ

    def energy(self, table: EnergyTable, with_host: bool = True) -> EnergyReport:
        """Energy of the whole run under a table, uJ, its host's included or not. *Modelled*."""
        plan = planned(self.dims, self.build, self.tables, table.reuse_sram.capacity, self.slots)
        work = host_work(self.config, self.timesteps, self.images, self.dims.contexts) if with_host else None
        return energy(self.counters, self.build, table, plan, work, clock_mhz=self.clock_mhz)
