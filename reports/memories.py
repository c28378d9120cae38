"""Memories of a build as the energy table needs them, and where branch cache and history live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accel.config import BuildConfig
from accel.dims import Dims

DEFAULT_CACHE_SRAM_KIB = 512.0


@dataclass(frozen=True)
class Memory:
    """Capacity in KiB and width of one access in bits."""

    capacity_kib: float
    width_bits: int


def on_chip(build: BuildConfig) -> dict[str, Memory]:
    """Every on-chip memory of a build; width is that of an R-lane access (``energy`` scales C-lane reads)."""
    rows, wide = build.rows, build.wide
    keys = 2 * build.padded_tokens  # scores and probabilities: two jobs, one being filled
    conditioning = 2 * build.max_contexts * build.max_hidden  # one pass in use, one being fetched
    bits = {
        "a": (build.a_depth * wide * 8, rows * 8),
        "hidden": (build.hidden_depth * rows * 8, rows * 8),
        "k": (build.a_depth * wide * 8, rows * 8),
        "v": (build.v_depth * wide * 8, rows * 8),
        "prob": (keys * rows * 8, rows * 8),
        "score": (keys * rows * 16, rows * 16),
        "weight": (build.weight_depth * wide * 8, wide * 8),
        "x": (build.x_depth * rows * 16, rows * 16),
        "fifo": (build.fifo_depth * rows * 16, rows * 16),
        "gate": (conditioning * 16, 16),
        "modulation": (conditioning * 32, 32),
        "param": (build.param_depth * 64, 64),
        "code": (build.x_depth * rows * 4, rows * 4),
    }
    return {name: Memory(total / 8 / 1024, width) for name, (total, width) in bits.items()}


@dataclass(frozen=True)
class MemoryPlan:
    """Where the branch cache and the history live: an on-chip memory of their own, or external memory.

    Fields:
        cache, history: size and access width of each.
        cache_on_chip, history_on_chip: True where it lives on chip.
        cache_sram_kib: on-chip capacity that was available to both, KiB.
    """

    cache: Memory
    history: Memory
    cache_on_chip: bool
    history_on_chip: bool
    cache_sram_kib: float

    def describe(self) -> str:
        """One sentence for the report."""
        places = {True: "on-chip SRAM", False: "external memory"}
        return (
            f"history ({self.history.capacity_kib:.1f} KiB) in {places[self.history_on_chip]} and "
            f"branch cache ({self.cache.capacity_kib:.1f} KiB) in {places[self.cache_on_chip]}, "
            f"with {self.cache_sram_kib:g} KiB of SRAM for both; weights and conditioning in external memory"
        )


def plan_memory(
    dims: Dims, build: BuildConfig, cache_sram_kib: float = DEFAULT_CACHE_SRAM_KIB, cached_tensors: int = 1
) -> MemoryPlan:
    """Place history, then branch cache, on chip while they fit ``cache_sram_kib``.

    The history goes first: it is read in every pass, the cache only on reuse.

    Args:
        cached_tensors: branches kept per (sub-block, context): 1 for plain reuse, 2 for a first-order forecast.
    """
    words = dims.sub_blocks * dims.contexts * dims.sub_block_words(build)
    cache = Memory(cached_tensors * words * build.rows / 1024, build.rows * 8)
    history = Memory(words * build.rows / 2 / 1024, build.rows * 4)
    history_fits = history.capacity_kib <= cache_sram_kib
    left = cache_sram_kib - (history.capacity_kib if history_fits else 0)
    return MemoryPlan(cache, history, cache.capacity_kib <= left, history_fits, cache_sram_kib)


def describe_plans(plans: Mapping[str, MemoryPlan]) -> str:
    """The plans of several policies for the report: once where they are the same, else with the policies' names."""
    texts: dict[str, list[str]] = {}
    for name, plan in plans.items():
        texts.setdefault(plan.describe(), []).append(name)
    if len(texts) == 1:
        return next(iter(texts))
    return ". ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())
