"""Energy of a run: action counts (read from the RTL) x a table of energies per action. All results are *modelled*.

One function per part of the machine, each ``counters -> {component: pJ}``; ``energy`` adds them up, in uJ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS, SATURATIONS, missing_counters
from radit.model.errors import UserError
from radit.reports.energy.energy_table import EnergyTable, Range
from radit.reports.energy.host_work import HostWork
from radit.reports.energy.memory_plan import MemoryPlan, PlacedMemory, RamShape, on_chip
from radit.reports.energy.standing import TABLE_MHZ, standing_pj

PJ_PER_UJ = 1e6
BASIS = "modelled"
Counters = Mapping[str, int]
Parts = dict[str, Range]


@dataclass(frozen=True)
class MacCounts:
    """Multipliers x cycles: with work, and held without it while the accelerator is busy."""

    active: int
    held: int

    @property
    def utilization(self) -> float:
        """Share of the array's peak, 0 .. 1."""
        return self.active / (self.active + self.held) if self.active + self.held else 0.0


def mac_counts(counters: Counters, build: BuildConfig) -> MacCounts:
    """Active MACs (padding of the tiles included) and held cell-cycles; none are held where counters are wrong and say
    that the array worked longer than the accelerator."""
    active = counters["array_cycles"]
    return MacCounts(active * build.multipliers, max(0, counters["cycles"] - active) * build.multipliers)


def in_words(counters: Counters, build: BuildConfig) -> Counters:
    """Counters of reads in words: with two products the array reads two words at a time, one of either bank.

    Each of its cycles reads one of four memories for the rows, or weights, and A memory for the columns then; the other
    reads of A memory are the pass's.
    """
    pairs = ("a_reads_col", "hidden_reads", "prob_reads", "k_reads", "v_reads")
    rows = counters["array_cycles"] - sum(counters[name] for name in pairs[:3])
    more = {name: counters[name] for name in pairs} | {"a_reads_row": max(0, rows)}
    return {**counters, **{name: counters[name] + (build.products - 1) * more[name] for name in more}}


@dataclass(frozen=True)
class Bill:
    """What the component functions need: counters, build, table, and where cache and history live."""

    counters: Counters
    build: BuildConfig
    table: EnergyTable
    memory: MemoryPlan

    def lanes(self, action: str, counter: str) -> Range:
        """Energy of a word counter: R lanes of an action each."""
        return self.table.energy_pj(action) * (self.counters[counter] * self.build.rows)

    def operations(self, action: str, counter: str) -> Range:
        """Energy of a counter of single operations."""
        return self.table.energy_pj(action) * self.counters[counter]

    def reads(self, memory: RamShape | PlacedMemory, counter: str, lanes: tuple[int, int] = (1, 1)) -> Range:
        """Energy of read accesses; ``lanes`` scales the access width by a fraction (C-lane reads: C, R)."""
        width = memory.width_bits * lanes[0] / lanes[1]
        return self.table.sram_bit_pj(memory.capacity_kib, width) * (width * self.counters[counter])

    def writes(self, memory: RamShape | PlacedMemory, counter: str) -> Range:
        """Energy of write accesses."""
        return self.reads(memory, counter) * self.table.ratio["sram_write"].range

    def external(self, bits: float) -> Range:
        """Energy of bits over the external memory interface."""
        return self.table.energy_pj("external_bit") * bits


def mac_array(bill: Bill, idle_cycles: int) -> Parts:
    """Every product is charged as a MAC of its own, although two of a cell share their accumulator."""
    macs = mac_counts(bill.counters, bill.build)
    idle = idle_cycles * bill.build.multipliers
    return {
        "mac_active": bill.table.energy_pj("mac_int8") * macs.active,
        "mac_held": bill.table.energy_pj("mac_held") * macs.held,
        "mac_idle_clock": bill.table.energy_pj("mac_idle_clock") * idle,
    }


def vector_units(bill: Bill) -> Parts:
    modulated, passed_on = bill.counters["norm_words"], bill.counters.get("bypass_words", 0)
    norm = bill.table.energy_pj("norm_lane") * ((modulated - passed_on) * bill.build.rows)
    norm += bill.lanes("modulate_lane", "norm_words")
    return {
        "requantization": bill.lanes("requant_lane", "requant_words"),
        "residual_layernorm": norm
        + bill.lanes("residual_lane", "residual_words")
        + bill.lanes("rsqrt_op", "rsqrt_tiles"),
        "softmax": bill.lanes("exp_lane", "exp_words") + bill.operations("recip_op", "recip_ops"),
        "gelu": bill.lanes("gelu_lane", "gelu_words"),
    }


def memories(bill: Bill) -> Parts:
    """On-chip memories; those that the array's columns read have C-lane reads."""
    mem, column = on_chip(bill.build), (bill.build.cols, bill.build.rows)
    conditioning = bill.writes(mem["gate"], "mod_writes") + bill.writes(mem["modulation"], "mod_writes")
    conditioning += bill.reads(mem["gate"], "gate_reads") + bill.reads(mem["modulation"], "modulation_reads")
    if bill.build.max_frames:
        conditioning += bill.reads(mem["frame"], "frame_reads") + bill.writes(mem["frame"], "frame_writes")
    parts = {
        "memory_a": bill.reads(mem["a"], "a_reads_row") + bill.reads(mem["a"], "a_reads_col", column),
        "memory_k": bill.reads(mem["k"], "k_reads", column),
        "memory_v": bill.reads(mem["v"], "v_reads", column),
    }
    for name in ("hidden", "prob", "score", "weight", "x", "fifo", "param"):
        parts[f"memory_{name}"] = bill.reads(mem[name], f"{name}_reads")
    parts = {name: reads + bill.writes(mem[name[7:]], f"{name[7:]}_writes") for name, reads in parts.items()}
    return parts | {"memory_conditioning": conditioning}


def external_streams(bill: Bill) -> Parts:
    count, rows = bill.counters, bill.build.rows
    prompts = {}
    if bill.build.max_text:
        prompts = {"external_prompts": bill.external(count["prompt_words"] * rows * 8)}
    return prompts | {
        "external_weights": bill.external(count["weight_writes"] * bill.build.products * bill.build.wide * 8),
        "external_conditioning": bill.external((count["mod_writes"] + count["param_writes"]) * 64),
        "x_streams": bill.external((count["x_in_words"] + count["x_out_words"]) * rows * 16),
    }


def branch_cache(bill: Bill) -> Parts:
    """Branches of computed sub-blocks written, those of reused ones read, with those before them for a forecast."""
    cache, reads = bill.memory.cache, ("cache_reads", "slope_reads")
    if cache.on_chip:
        read = sum((bill.reads(cache, counter) for counter in reads), Range())
        return {"branch_cache": read + bill.writes(cache, "cache_writes")}
    words = sum(bill.counters[counter] for counter in (*reads, "cache_writes"))
    return {"branch_cache": bill.external(words * cache.width_bits)}


def reuse(bill: Bill) -> Parts:
    """Reused branches on their way to the residual add; the multiplier works for a forecast only."""
    return {"reuse": bill.lanes("reuse_lane", "cache_reads") + bill.lanes("forecast_lane", "slope_reads")}


def detection(bill: Bill) -> Parts:
    """CCU, DTSM, code buffer and history traffic: what deciding costs."""
    history, codes = bill.memory.history, on_chip(bill.build)["code"]
    units = bill.lanes("ccu_lane", "ccu_words") + bill.operations("dtsm_op", "dtsm_ops")
    buffer = bill.reads(codes, "code_reads") + bill.writes(codes, "code_writes")
    if history.on_chip:
        traffic = bill.reads(history, "history_reads") + bill.writes(history, "code_reads")
    else:
        traffic = bill.external((bill.counters["history_reads"] + bill.counters["code_reads"]) * history.width_bits)
    return {"detection": units + buffer + traffic}


def host(bill: Bill, work: HostWork | None) -> Parts:
    """Host arithmetic with its overhead factor, its weights read once, its conditioning table written once."""
    if work is None:
        return {}
    arithmetic = bill.table.energy_pj("host_mac") * bill.table.ratio["host_overhead"].range * work.macs
    return {"host": arithmetic + bill.external(work.weight_bits + work.table_bits)}


@dataclass(frozen=True)
class EnergyReport:
    """Energy per component in uJ, with what the numbers rest on."""

    components_uj: dict[str, Range]
    table: str
    memory: str
    basis: str = BASIS

    @property
    def total_uj(self) -> Range:
        return sum(self.components_uj.values(), Range())

    def summary(self) -> dict[str, Any]:
        """The fields ``energy_uj`` and ``energy_breakdown_uj`` of summary.json."""
        breakdown = {name: value.as_dict() for name, value in self.components_uj.items()}
        return {"energy_uj": self.total_uj.as_dict(), "energy_breakdown_uj": breakdown}


def energy(
    counters: Counters,
    build: BuildConfig,
    table: EnergyTable,
    memory: MemoryPlan,
    host_work: HostWork | None = None,
    idle_cycles: int = 0,
    clock_mhz: float = TABLE_MHZ,
) -> EnergyReport:
    """Energy of a run.

    Args:
        counters: every counter of ``accel/control/registers.py`` but the saturations, summed over the run.
        memory: where branch cache and history live (``radit.reports.energy.memory_plan.plan_memory``).
        host_work: the host's share (``radit.reports.energy.host_work.host_work``); None leaves it out.
        idle_cycles: cycles outside ``cycles``, clock running, while the accelerator waits for the host.
        clock_mhz: that leakage is spread over.

    Raises:
        UserError: a counter is missing.
    """
    missing = COUNTERS.keys() - counters.keys() - set(SATURATIONS) - missing_counters(build)
    if missing:
        raise UserError(
            f"counter {min(missing)} is missing from the run's counters; read all of accel/control/registers.py."
        )
    bill = Bill(in_words(counters, build), build, table, memory)
    parts: Parts = mac_array(bill, idle_cycles)
    for unit in (vector_units, memories, external_streams, branch_cache, reuse, detection):
        parts |= unit(bill)
    parts |= standing_pj(table, build, memory, counters, idle_cycles, clock_mhz)
    parts |= host(bill, host_work)
    in_uj = {name: value * (1 / PJ_PER_UJ) for name, value in parts.items()}
    return EnergyReport(in_uj, table.name, memory.describe())
