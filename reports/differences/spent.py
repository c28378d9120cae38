"""Energy of a run with differences, uJ, nominal: the energy model with the array's multiplications counted by width.

A MAC's energy is divided into multiplication and addition as the table's ``multiply_bit2`` and ``add_bit`` divide
8 x 8 bits and 32 bits. A narrow word multiplies b x 8 bits, a wide one with both digits; a cycle adds once, with the
bits that join two products beside the 32. The offset row multiplies 9 x 8 bits for every word and column. Words of the
first context are read once more to be compared with; bytes to and from external memory cost what its bits cost. The
lists of narrow words cost nothing here.
"""

from __future__ import annotations

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS
from radit.accel.dims import Dims
from radit.model.differences.words import Narrowing
from radit.model.formats import ACC_BITS, INT8_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.counts import expected_counts
from radit.reports.cost.run_tables import RunTables
from radit.reports.differences.plan import Plan
from radit.reports.energy.energy_model import PJ_PER_UJ, energy
from radit.reports.energy.energy_table import EnergyTable
from radit.reports.energy.host_work import HostWork
from radit.reports.energy.memory_plan import planned

OFFSET_BITS = 9


def dense_energy(
    dims: Dims, build: BuildConfig, record: DecisionRecord, tables: RunTables, cycles: float, table: EnergyTable,
    host: HostWork, extra_reads: int = 0, saved_cycles: float = 0.0,
) -> dict[str, float]:  # fmt: skip
    """uJ by component of one image on the machine as it is; with differences `saved_cycles` of the array are less."""
    counts = expected_counts(dims, build, record, tables)
    counts["array_cycles"] = round(counts["array_cycles"] - saved_cycles)
    counts["a_reads_row"] += extra_reads
    counters = dict.fromkeys(COUNTERS, 0) | counts | {"cycles": round(cycles)}
    plan = planned(dims, build, tables, table.reuse_sram.capacity)
    bill = energy(counters, build, table, plan, host)
    return {name: value.nominal for name, value in bill.components_uj.items()}


def difference_energy(
    plan: Plan, narrowing: Narrowing, record: DecisionRecord, tables: RunTables, cycles: float, table: EnergyTable,
    host: HostWork,
) -> float:  # fmt: skip
    """uJ of one image with differences."""
    build, spent, plain = plan.build, plan.tile_cycles(), plan.plain_cycles()
    parts = dense_energy(
        plan.dims, build, record, tables, cycles, table, host, plan.base_reads(record), plain - spent
    )  # fmt: skip
    mac, cells = table.energy_pj("mac_int8").nominal, build.rows * build.cols
    multiply = table.energy_pj("multiply_bit2").nominal * INT8_BITS * INT8_BITS
    add = table.energy_pj("add_bit").nominal * ACC_BITS
    share = multiply / (multiply + add)
    narrow, wide = plan.words_multiplied()
    bits = narrowing.width / INT8_BITS
    products = share * (narrow * bits + wide * max(1.0, 2 * bits))
    sums = (1 - share) * spent * (1 + (INT8_BITS + narrowing.width + 1) / ACC_BITS)
    row = share * (narrow + wide) * OFFSET_BITS / INT8_BITS / build.rows * narrowing.offset
    parts["mac_active"] += (products + sums + row - spent) * cells * mac / PJ_PER_UJ
    moved = plan.moved_bytes(record) * INT8_BITS * table.energy_pj("external_bit").nominal / PJ_PER_UJ
    return sum(parts.values()) + moved
