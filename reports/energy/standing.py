"""What a machine spends in every cycle, whatever it does: clock and control outside the MAC array, and leakage.

Sizes are straight lines through the builds that ``radit area`` synthesized (docs/results/area.json; a test compares
them). What only observes, the event counters, is left out: a build may have none. The MAC array's clock is in
``mac_held`` and ``mac_idle_clock``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.memory.inventory import on_chip_memories
from radit.reports.energy.energy_table import EnergyTable, Range
from radit.reports.energy.memory_plan import MemoryPlan

TABLE_MHZ = 500.0  # clock of the table's leakage per cycle
CONTROL = ("operands", "loaders", "control", "history", "cache")  # parts that move words and decide, and have no action


@dataclass(frozen=True)
class Line:
    """So many of a build: ``fixed + per_row * rows + per_multiplier * multipliers``."""

    fixed: float
    per_row: float
    per_multiplier: float = 0.0

    def of(self, build: BuildConfig) -> float:
        """Of a build."""
        return self.fixed + self.per_row * build.rows + self.per_multiplier * build.multipliers


GATES = Line(139_674, 39_844, 1_290)  # NAND2 equivalents
FLIP_FLOPS = Line(8_441, 1_871)  # outside the MAC array
CONTROL_GATES = Line(65_646, 929)  # of the parts CONTROL


def memory_bits(build: BuildConfig, plan: MemoryPlan, counters: Mapping[str, int]) -> int:
    """Bits on the chip: the build's memories, and what the plan keeps there; a run that never touches cache or history
    has them switched off."""
    own = sum(memory.bank_bits * memory.banks for memory in on_chip_memories(build).values())
    kept = ((plan.cache, ("cache_writes", "cache_reads")), (plan.history, ("code_reads", "history_reads")))
    used = (memory for memory, names in kept if memory.on_chip and any(counters[name] for name in names))
    return own + 8 * sum(memory.bytes for memory in used)


def standing_pj(
    table: EnergyTable,
    build: BuildConfig,
    plan: MemoryPlan,
    counters: Mapping[str, int],
    idle_cycles: int = 0,
    clock_mhz: float = TABLE_MHZ,
) -> dict[str, Range]:
    """Components ``clock_and_control`` and ``leakage`` of a run's cycles, idle ones included, pJ."""
    cycles = counters["cycles"] + idle_cycles
    moving = table.energy_pj("clock_register") * FLIP_FLOPS.of(build)
    moving += table.energy_pj("control_gate") * CONTROL_GATES.of(build)
    leaking = table.energy_pj("leakage_gate") * GATES.of(build)
    leaking += table.energy_pj("leakage_bit") * memory_bits(build, plan, counters)
    return {"clock_and_control": moving * cycles, "leakage": leaking * (cycles * TABLE_MHZ / clock_mhz)}
