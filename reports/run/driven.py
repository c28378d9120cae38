"""Images that were driven through the simulated bus, and what the cycle model says of them."""

from __future__ import annotations

from dataclasses import replace

from radit.cosim.drive.compare import DrivenImage
from radit.cosim.prepare import Prepared
from radit.model.policy.skip_policy import Policy
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.memory import MemoryModel
from radit.reports.cycles.roofline import Run
from radit.reports.run.schema import CycleModel


def predicted_on_bus(prepared: Prepared, policy: Policy, driven: DrivenImage, memory: MemoryModel) -> CycleModel:
    """Cycles of an image's timesteps, predicted and measured. memory: that behind the accelerator's ports."""
    dims, tables = replace(prepared.dims, texts=driven.texts), RunTables.of(policy.tables(prepared.integer))
    predicted = Run(dims, prepared.build, driven.decisions, tables).cycles(memory)
    return CycleModel(predicted=predicted, measured=driven.busy)
