"""What an image of a finished point costs, mean over its images: modelled from its decisions."""

from __future__ import annotations

from dataclasses import dataclass

from radit.model.dit.checkpoint import load_config
from radit.reports.cost.traffic import STREAMS, external_bytes
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import plan_memory
from radit.reports.frontier.candidates import Candidate
from radit.reports.frontier.measure import Measured, Settings


@dataclass(frozen=True)
class MeanCosts:
    """Of one image.

    Fields:
        cycles, macs: counts.
        energy_uj: nominal, the host's included.
        external_bytes: through the memory ports, without the host's streams.
    """

    cycles: float
    macs: float
    energy_uj: float
    external_bytes: float


def costs(settings: Settings, one: Candidate, found: Measured) -> MeanCosts:
    """The costs of a point of the integer model."""
    dims, build = settings.sizes()
    count = len(found.images)
    counters = {name: round(total / count) for name, total in found.counters.items()}
    table, policy = load_table(), one.costs
    plan = plan_memory(
        dims, build, table.reuse_sram.capacity, policy.cached_results, stream_scope=policy.stream_scope,
        compared=policy.compared(dims.sub_blocks), streams=policy.streams(dims.sub_blocks),
    )  # fmt: skip
    work = host_work(load_config(settings.model), one.sampler.steps, 1, dims.contexts)
    moved = external_bytes(found.counters, build)
    return MeanCosts(
        cycles=float(found.cycles.mean()),
        macs=float(found.macs.mean()),
        energy_uj=energy(counters, build, table, plan, work).total_uj.nominal,
        external_bytes=sum(size for cause, size in moved.items() if cause not in STREAMS) / count,
    )
