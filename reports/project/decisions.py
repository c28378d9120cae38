"""Decisions of a skipping run that has not been run: from a rate, or from another run's record."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from radit.accel.dims import Dims
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.run.run_folder import load_trace

GOLDEN = (5**0.5 - 1) / 2
ROUNDING = 1e-9  # of sums that are whole numbers


def evenly(rate: float, dims: Dims, steps: int, by_context: bool = False) -> DecisionRecord:
    """Decisions of one image that reuse at a rate of 0 to 1.

    The first timestep computes everything. Afterwards each sub-block of each context reuses in evenly spaced timesteps;
    the golden ratio staggers them, so that every timestep reuses about as many, in all depths and both contexts.
    ``by_context`` lets all sub-blocks of a context reuse in the same timesteps.
    """
    phase = np.arange(dims.sub_blocks * dims.contexts).reshape(dims.sub_blocks, dims.contexts) * GOLDEN % 1.0
    if by_context:
        phase[:] = phase[0]
    due = np.floor(np.arange(steps)[:, None, None] * rate + phase + ROUNDING)
    computed = np.ones((1, steps, dims.sub_blocks, dims.contexts), bool)
    computed[0, 1:] = np.diff(due, axis=0) == 0
    return DecisionRecord(computed)


def recorded(folder: Path, dims: Dims, steps: int, policy: str = "radit") -> DecisionRecord:
    """Decisions of a finished co-simulation.

    Those of ``policy``, or of the other skipping policy where only that was run.

    Raises:
        UserError: there is no record, the folder mixes runs, or the record is of another model, number of timesteps
            or contexts.
    """
    record = load_trace(folder, policy)
    found, wanted = record.computed.shape[1:], (steps, dims.sub_blocks, dims.contexts)
    if found != wanted:
        raise UserError(
            f"--trace {folder} holds decisions of {_words(found)}, but the model, --steps and --cfg "
            f"make {_words(wanted)}: give those of that run."
        )
    return record


def _words(shape: tuple[int, ...]) -> str:
    return "{} timesteps x {} sub-blocks x {} contexts".format(*shape)
