"""Memories of a build as the energy table needs them, and where the cache of results and the history live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.accel.memory.inventory import on_chip_memories
from radit.model.formats import CODE_BITS, INT8_BITS
from radit.reports.common.schema_parts import Amount, Count, Part
from radit.reports.cost.run_tables import RunTables


@dataclass(frozen=True)
class RamShape:
    """Capacity in KiB and width of one access in bits."""

    capacity_kib: float
    width_bits: int


def on_chip(build: BuildConfig) -> dict[str, RamShape]:
    """Every on-chip memory of a build, or one of its banks; width is that of an R-lane access (``energy_model`` scales
    C-lane reads)."""
    memories = on_chip_memories(build)
    return {name: RamShape(memory.bank_bits / 8 / 1024, memory.access_bits) for name, memory in memories.items()}


class PlacedMemory(Part):
    """Size of a memory, width of one access in bits, and whether it is a memory of its own on the chip."""

    bytes: Count
    width_bits: Count
    on_chip: bool

    @property
    def capacity_kib(self) -> float:
        """The same size in KiB."""
        return self.bytes / 1024

    @property
    def place(self) -> str:
        """Where it lives, in words."""
        return "on-chip SRAM" if self.on_chip else "external memory"


class MemoryPlan(Part):
    """Where the cache of branches, or streams, and the history of codes live.

    Fields:
        sram_kib: on-chip capacity that was available to both, KiB.
    """

    cache: PlacedMemory
    history: PlacedMemory
    sram_kib: Amount

    @classmethod
    def placing(cls, cache: tuple[int, int], history: tuple[int, int], sram_kib: float) -> MemoryPlan:
        """Place history, then cache, on chip while they fit; each is (bytes, width of one access in bits).

        The history goes first: it is read in every pass that compares, the cache only on reuse.
        """
        room, placed = sram_kib * 1024, []
        for size, width in (history, cache):
            placed.append(PlacedMemory(bytes=size, width_bits=width, on_chip=size <= room))
            room -= size if size <= room else 0
        return cls(cache=placed[1], history=placed[0], sram_kib=sram_kib)

    def replaced(self, sram_kib: float) -> MemoryPlan:
        """The same memories with another on-chip capacity."""
        cache, history = ((memory.bytes, memory.width_bits) for memory in (self.cache, self.history))
        return MemoryPlan.placing(cache, history, sram_kib)

    def describe(self) -> str:
        """One sentence for the report."""
        return (
            f"history ({self.history.capacity_kib:.1f} KiB) in {self.history.place} and "
            f"cache ({self.cache.capacity_kib:.1f} KiB) in {self.cache.place}, "
            f"with {self.sram_kib:g} KiB of SRAM for both; weights and conditioning in external memory"
        )


def plan_memory(
    dims: Dims,
    build: BuildConfig,
    sram_kib: float,
    slots: int = 1,
    stream_scope: bool = False,
    compared: int | None = None,
    streams: int = 0,
) -> MemoryPlan:
    """The plan of a policy; see `MemoryPlan.placing`.

    Args:
        sram_kib: on-chip capacity for both, KiB; an energy table states it.
        slots: results kept of each: 1 for plain reuse, 2 for a first-order forecast.
        stream_scope: they are streams of contexts (16 bit), else branches of every sub-block and context.
        compared: sub-blocks whose codes are kept; by default all.
        streams: kept of each context in the place of branches; by default one under stream_scope, else none.
    """
    words = dims.contexts * dims.sub_block_words(build)
    streams = streams or int(stream_scope)
    results = STREAM_WORDS * streams if streams else dims.sub_blocks  # in words of a branch
    kept = dims.sub_blocks if compared is None else max(1, compared)
    cache = slots * results * words * build.rows * INT8_BITS // 8
    history = kept * words * build.rows * CODE_BITS // 8
    return MemoryPlan.placing((cache, build.rows * INT8_BITS), (history, build.rows * CODE_BITS), sram_kib)


def planned(dims: Dims, build: BuildConfig, tables: RunTables, sram_kib: float, slots: int | None = None) -> MemoryPlan:
    """The plan of a run's tables, see `plan_memory`; by default forecasts are of first order."""
    forecasts = tables.gains is not None and bool(tables.gains.any())
    compared = None
    if tables.policy_on and tables.follow is not None:
        compared = int((~tables.follow).any(0).sum())
    slots = slots or 1 + forecasts * tables.order
    scope, streams = tables.stream_scope, tables.streams
    return plan_memory(dims, build, sram_kib, slots, stream_scope=scope, compared=compared, streams=streams)


def describe_plans(plans: Mapping[str, MemoryPlan]) -> str:
    """The plans of several policies for the report: once where they are the same, else with the policies' names."""
    texts: dict[str, list[str]] = {}
    for name, plan in plans.items():
        texts.setdefault(plan.describe(), []).append(name)
    if len(texts) == 1:
        return next(iter(texts))
    return ". ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())
