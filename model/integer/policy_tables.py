"""What a skip policy loads into the machine for a run, as integers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from radit.model.ops.dtsm import DtsmRegisters


@dataclass(frozen=True)
class PolicyTables:
    """Integers of one run. S sub-blocks.

    Fields:
        detect: False: dense, nothing is encoded, cached or decided.
        thresholds: (steps, S) int64, Q0.16 share of changed codes.
        force: (steps,) bool, timesteps that compute everything.
        boundaries: (steps, S, 7) int64, Q7.3 in units of the timestep's int8 step, ascending.
        gains: (steps, S) int64, Q1.7 gain of the forecast; 0 reuses the cached branch as it is.
        follow: (steps, S) bool, sub-blocks that take the decision of the one before them; sub-block 0 the plan's.
        stream_scope: never without detect: sub-block 0 decides for its context's timestep; what is cached is the stream
            after the last sub-block.
        registers: run-time registers of the DTSM.
        plan: (steps, 2) bool, whether contexts of the label, and of the null class, compute; where sub-block 0 follows.
        difference: never without stream_scope: of odd contexts, the null class's, the stream less that of the context
            before is cached, and the stream of the context before is added to its forecast.
    """

    detect: bool
    thresholds: Tensor
    force: Tensor
    boundaries: Tensor
    gains: Tensor
    follow: Tensor
    stream_scope: bool
    registers: DtsmRegisters
    plan: Tensor
    difference: bool = False
