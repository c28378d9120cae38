"""Memories of a build as the energy table needs them, and where the cache of results and the history live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accel.config import BuildConfig
from accel.dims import Dims
from accel.interfaces.top_ports import STREAM_WORDS
from accel.memory.inventory import on_chip_memories
from reports.cost.run_tables import Orders


@dataclass(frozen=True)
class Memory:
    """Capacity in KiB and width of one access in bits."""

    capacity_kib: float
    width_bits: int


def on_chip(build: BuildConfig) -> dict[str, Memory]:
    """Every on-chip memory of a build; width is that of an R-lane access (``energy_model`` scales C-lane reads)."""
    memories = on_chip_memories(build)
    return {name: Memory(memory.total_bits / 8 / 1024, memory.access_bits) for name, memory in memories.items()}


@dataclass(frozen=True)
class MemoryPlan:
    """Where the cache of branches, or streams, and the history live: on-chip memories of their own, or external ones.

    Fields:
        cache, history: size and access width of each.
        cache_on_chip, history_on_chip: True where it lives on chip.
        sram_kib: on-chip capacity that was available to both, KiB.
    """

    cache: Memory
    history: Memory
    cache_on_chip: bool
    history_on_chip: bool
    sram_kib: float

    def describe(self) -> str:
        """One sentence for the report."""
        places = {True: "on-chip SRAM", False: "external memory"}
        return (
            f"history ({self.history.capacity_kib:.1f} KiB) in {places[self.history_on_chip]} and "
            f"cache ({self.cache.capacity_kib:.1f} KiB) in {places[self.cache_on_chip]}, "
            f"with {self.sram_kib:g} KiB of SRAM for both; weights and conditioning in external memory"
        )


def plan_memory(
    dims: Dims,
    build: BuildConfig,
    sram_kib: float,
    slots: int = 1,
    whole: bool = False,
    compared: int | None = None,
) -> MemoryPlan:
    """Place history, then cache, on chip while they fit ``sram_kib``.

    The history goes first: it is read in every pass that compares, the cache only on reuse.

    Args:
        sram_kib: on-chip capacity for both, KiB; an energy table states it.
        slots: results kept of each: 1 for plain reuse, 2 for a first-order forecast.
        whole: they are streams of contexts (16 bit), else branches of every sub-block and context.
        compared: sub-blocks whose codes are kept; by default all.
    """
    words = dims.contexts * dims.sub_block_words(build)
    results = STREAM_WORDS if whole else dims.sub_blocks  # in words of a branch
    cache = Memory(slots * results * words * build.rows / 1024, build.rows * 8)
    kept = dims.sub_blocks if compared is None else max(1, compared)
    history = Memory(kept * words * build.rows / 2 / 1024, build.rows * 4)
    history_fits = history.capacity_kib <= sram_kib
    left = sram_kib - (history.capacity_kib if history_fits else 0)
    return MemoryPlan(cache, history, cache.capacity_kib <= left, history_fits, sram_kib)


def planned(dims: Dims, build: BuildConfig, orders: Orders, sram_kib: float, slots: int | None = None) -> MemoryPlan:
    """The plan of what is ordered, see `plan_memory`; by default forecasts are of first order."""
    forecasts = orders.gains is not None and bool(orders.gains.any())
    compared = None
    if orders.policy_on and orders.follow is not None:
        compared = int((~orders.follow).any(0).sum())
    return plan_memory(dims, build, sram_kib, slots=slots or 1 + forecasts, whole=orders.whole, compared=compared)


def plan_of_run(dims: Dims, build: BuildConfig, counters: Mapping[str, int], runs: int, sram_kib: float) -> MemoryPlan:
    """The plan of what was ordered, from the counters of so many timesteps of images; see `plan_memory`."""
    times = runs * dims.contexts
    whole = counters["dtsm_ops"] == times and dims.sub_blocks > 1
    compared = counters["ccu_words"] // (times * dims.sub_block_words(build)) or None
    return plan_memory(dims, build, sram_kib, slots=2 if counters["slope_reads"] else 1, whole=whole, compared=compared)


def describe_plans(plans: Mapping[str, MemoryPlan]) -> str:
    """The plans of several policies for the report: once where they are the same, else with the policies' names."""
    texts: dict[str, list[str]] = {}
    for name, plan in plans.items():
        texts.setdefault(plan.describe(), []).append(name)
    if len(texts) == 1:
        return next(iter(texts))
    return ". ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())
