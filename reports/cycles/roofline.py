"""The roofline of a run: where its traffic, not its arithmetic, limits it. *Modelled*."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.common.schema_parts import Part, Positive, Share
from radit.reports.cost.counts import expected_counts, model_macs
from radit.reports.cost.run_tables import RunTables
from radit.reports.cost.traffic import STREAMS, external_bytes
from radit.reports.cycles.cycle_model import MemoryModel, predict

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


class Roofline(Part):
    """What the external memory allows; the host's x streams do not count.

    Fields:
        bytes_per_peak_cycle: bytes moved per cycle of an array that is never idle: the bandwidth below which the
            memory is the limit.
        macs_per_byte: MACs of the model per byte moved (arithmetic intensity).
        bandwidth, utilization: the cycle model's MAC utilization at other bandwidths, bytes per cycle, ascending.
    """

    bytes_per_peak_cycle: Positive
    macs_per_byte: Positive
    bandwidth: Annotated[list[Positive], Field(min_length=2, max_length=1000)]
    utilization: list[Share]

    @model_validator(mode="after")
    def _check_points(self) -> Roofline:
        if len(self.bandwidth) != len(self.utilization):
            raise ValueError(f"{len(self.bandwidth)} bandwidths have {len(self.utilization)} utilizations")
        if any(low >= high for low, high in pairwise(self.bandwidth)):
            raise ValueError("bandwidths do not ascend")
        return self


@dataclass(frozen=True)
class Run:
    """What is run on what, and what was decided."""

    dims: Dims
    build: BuildConfig
    record: DecisionRecord
    tables: RunTables

    def cycles(self, memory: MemoryModel) -> int:
        """Predicted."""
        return predict(self.dims, self.build, self.record, self.tables, memory).cycles

    @property
    def peak_cycles(self) -> float:
        """Cycles of an array that is never idle and has no padding."""
        return model_macs(self.dims, self.record) / self.build.multipliers

    @property
    def memory_bytes(self) -> int:
        """Moved through the memory ports."""
        counts = expected_counts(self.dims, self.build, self.record, self.tables)
        return sum(size for cause, size in external_bytes(counts, self.build).items() if cause not in STREAMS)


def roofline(run: Run, memory: MemoryModel, bandwidths: tuple[float, ...] = BANDWIDTHS) -> Roofline:
    """Where the memory limits a run, and the predicted utilization at other bandwidths. *Modelled*."""
    peak, moved = run.peak_cycles, run.memory_bytes
    return Roofline(
        bytes_per_peak_cycle=moved / peak,
        macs_per_byte=peak * run.build.multipliers / moved,
        bandwidth=list(bandwidths),
        utilization=[peak / run.cycles(replace(memory, bandwidth=rate)) for rate in bandwidths],
    )
