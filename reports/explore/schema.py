"""``explore.json``: the points of a design space, and which of them nothing beats. Costs are *modelled*; cycles of the
points under ``checks`` are *measured* in the RTL as well."""

from __future__ import annotations

from typing import Literal

from radit.reports.common.machine import Machine
from radit.reports.common.schema_parts import Amount, Bounds, Count, Part, Positive, Share

SCHEMA_VERSION: Literal[1] = 1


class ExploredPoint(Part):
    """An image or clip on a machine.

    Fields:
        evaluations: of the network, timesteps.
        sampler: solver and spacing, where errors were to be looked up.
        policy: dense; reuse or forecast with the share of sub-blocks that reuse; or a recorded run.
        machine: its name and what differs from it.
        bandwidth: bytes per cycle; None: unlimited.
        reuse_sram_kib, sram_kib: on chip for results, and of all memories of the build without that, KiB.
        cycles_gain, energy_gain: dense over this, of the same machine and work; None: the space has no such point.
        gates: NAND2 equivalents of the array's logic, synthesized; None: not known of this array.
        error: mean squared error to the converged images, measured; None: not known.
        front: nothing of the same work (model, guidance, evaluations, sampler, policy) is better in time and energy.
        area_front: the same with gates and on-chip memory, of those whose gates are known.
        error_front: of all points of the model whose error is known, nothing is better in time, energy and error.
        command: what gives the same numbers.
    """

    model: str
    cfg: Amount
    evaluations: Count
    sampler: str | None
    policy: str
    machine: str
    array: str
    clock_mhz: Positive
    latency: Count
    bandwidth: Positive | None
    stall: Share
    reuse_sram_kib: Amount
    cycles: Count
    milliseconds: Amount
    macs: Count
    mac_utilization: Share
    mac_skip_rate: Share
    external_bytes: Count
    energy_uj: Bounds
    cycles_gain: Positive | None
    energy_gain: Positive | None
    sram_kib: Amount
    gates: Amount | None
    error: Amount | None
    front: bool = False
    area_front: bool = False
    error_front: bool = False
    command: str


class CheckedPoint(Part):
    """A point that was simulated.

    Fields:
        command: that ran it through the RTL.
        policy: what decided there: dense, or the policy of the hardware that reuses as the point does; of that the
            model is asked about the decisions that were taken.
        measured, predicted: cycles of the RTL, and of the model.
        tolerance: share by which they may differ; 0: they must be equal.
        counters_equal: every counter that the energy rests on is as counted from the decisions.
    """

    point: str
    command: str
    policy: str
    measured: Count
    predicted: Count
    tolerance: Share
    counters_equal: bool

    @property
    def passed(self) -> bool:
        """Cycles are within the tolerance, and counters equal."""
        return self.counters_equal and abs(self.predicted - self.measured) <= self.tolerance * self.measured


class BestTable(Part):
    """The best value of every cell: the largest gain, the smallest of everything else.

    Fields:
        title: what it shows, in words.
        cells: by row, then by column; None: there is no point.
    """

    title: str
    rows: list[str]
    columns: list[str]
    cells: list[list[float | None]]


class Speed(Part):
    """How long it took.

    Fields:
        evaluated, kept: points whose costs were computed now, and those that were there; equal ones count once.
        seconds: for those that were computed.
        cpu_seconds: of the processor, all processes, without their start.
    """

    points: Count
    evaluated: Count
    kept: Count
    seconds: Amount
    cpu_seconds: Amount
    jobs: Count
    machine: Machine

    @property
    def per_minute(self) -> float:
        """Points that were computed, per minute."""
        return 60 * self.evaluated / self.seconds if self.seconds else 0.0

    @property
    def per_core_minute(self) -> float:
        """The same per minute of one core."""
        return 60 * self.evaluated / self.cpu_seconds if self.cpu_seconds else 0.0


class Exploration(Part):
    """The whole of explore.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    basis: Literal["modelled"] = "modelled"
    space: str
    question: str
    points: list[ExploredPoint]
    tables: list[BestTable]
    checks: list[CheckedPoint]
    area_of: str | None
    errors_of: str | None
    speed: Speed
    created: str
    command: str
    versions: dict[str, str]

    @property
    def passed(self) -> bool:
        """No check has failed."""
        return all(one.passed for one in self.checks)
