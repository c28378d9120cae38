"""External traffic by cause, and the roofline that follows from it. The host's x streams are no memory traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from accel.config import BuildConfig
from accel.dims import Dims
from model.formats import CODE_BITS, X_BITS
from reports.counts import expected_counts, model_macs
from reports.cycles import MemoryModel, predict
from reports.orders import Orders
from reports.schema import Roofline
from reports.units.memory import BEAT_BYTES, PARAM_BYTES

STREAMS = ("x_in", "x_out")
BANDWIDTHS = (
    0.25,
    0.5,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    6.0,
    8.0,
    12.0,
    16.0,
    24.0,
    32.0,
    48.0,
    64.0,
    96.0,
    128.0,
    192.0,
    256.0,
    512.0,
)


def external_bytes(counters: Mapping[str, int], build: BuildConfig) -> dict[str, int]:
    """Bytes by cause, from the words and beats of the counters."""
    rows = build.rows
    size = {
        "weights": ("weight_writes", build.wide),
        "parameters": ("param_writes", PARAM_BYTES),
        "conditioning": ("mod_writes", BEAT_BYTES),
        "branch_cache_read": ("cache_reads", rows),
        "branch_cache_previous_read": ("slope_reads", rows),
        "branch_cache_write": ("cache_writes", rows),
        "code_history_read": ("history_reads", rows * CODE_BITS // 8),
        "code_history_write": ("code_reads", rows * CODE_BITS // 8),
        "x_in": ("x_in_words", rows * X_BITS // 8),
        "x_out": ("x_out_words", rows * X_BITS // 8),
    }
    return {cause: counters[counter] * word for cause, (counter, word) in size.items()}


@dataclass(frozen=True)
class Run:
    """One image: what is run on what, and what was decided.

    Fields:
        computed: bool [timestep, sub_block, context].
        orders: what the host ordered.
    """

    dims: Dims
    build: BuildConfig
    computed: np.ndarray
    orders: Orders

    def cycles(self, memory: MemoryModel) -> int:
        """Predicted."""
        return predict(self.dims, self.build, self.computed, self.orders, memory).cycles

    @property
    def peak_cycles(self) -> float:
        """Cycles of an array that is never idle and has no padding."""
        return model_macs(self.dims, self.computed) / (self.build.rows * self.build.cols)

    @property
    def memory_bytes(self) -> int:
        """Moved through the memory ports."""
        counts = expected_counts(self.dims, self.build, self.computed, self.orders)
        return sum(size for cause, size in external_bytes(counts, self.build).items() if cause not in STREAMS)


def roofline(run: Run, memory: MemoryModel, bandwidths: tuple[float, ...] = BANDWIDTHS) -> Roofline:
    """Where the memory limits a run, and the predicted utilization at other bandwidths. *Modelled*."""
    peak, moved = run.peak_cycles, run.memory_bytes
    return Roofline(
        bytes_per_peak_cycle=moved / peak,
        macs_per_byte=peak * run.build.rows * run.build.cols / moved,
        bandwidth=list(bandwidths),
        utilization=[peak / run.cycles(replace(memory, bandwidth=rate)) for rate in bandwidths],
    )
