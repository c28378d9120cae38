"""Points against the RTL: a random sample is simulated, every word compared, and the cycles set against the model's.

A dense point is simulated as it is. What a point with a rate skips is assumed, and no policy of the hardware can be
told to skip just that. There the hardware's own policy decides, `radit`, or `forecast` where the point forecasts, on
the point's machine; the model is asked about the decisions that were taken.
"""

from __future__ import annotations

import math
import random
import shlex
from collections.abc import Sequence

from radit.cosim.prepare import Prepared, Request, prepare
from radit.model.errors import UserError
from radit.model.policy.skip_policy import Policy
from radit.reports.cost.run_tables import RunTables
from radit.reports.explore.evaluation import DesignGroup, Evaluator
from radit.reports.explore.schema import CheckedPoint, ExploredPoint
from radit.reports.explore.space import Design
from radit.reports.run.runs import run_policies

MOST_MACS, MOST_CELLS = 2.5e9, 32 * 32  # of a point that is simulated: minutes at most, its compilation included
DENSE, REUSE, FORECAST = "dense", "radit", "forecast"


def sample(
    designs: Sequence[Design], points: Sequence[ExploredPoint], per_thousand: int, seed: int
) -> list[tuple[Design, ExploredPoint]]:
    """So many of a thousand points, at least one, drawn among those that are small enough; alike for the same seed.

    Raises:
        UserError: none is small enough.
    """
    small = [pair for pair in zip(designs, points, strict=True) if is_small(*pair)]
    if not small:
        raise UserError(
            f"--check is {per_thousand}, but no point is small enough to be simulated: at most {MOST_MACS:.1e} MACs on "
            f"{MOST_CELLS} cells, and no recorded run; leave --check out, or explore a smaller model or array as well."
        )
    count = min(len(small), max(1, math.ceil(len(points) * per_thousand / 1000)))
    return random.Random(seed).sample(small, count)


def is_small(design: Design, point: ExploredPoint) -> bool:
    """Whether a point can be simulated in minutes."""
    rows, cols, *_ = design.machine.described.shape
    dense_macs = point.macs / max(1e-9, 1 - point.mac_skip_rate)
    return dense_macs <= MOST_MACS and rows * cols <= MOST_CELLS and design.decided.trace is None


def checked(design: Design, point: ExploredPoint, seed: int) -> CheckedPoint:
    """A point through the RTL.

    Raises:
        UserError: no compiler, or the model cannot be run.
    """
    name = DENSE if design.decided.is_dense else FORECAST if design.decided.forecast else REUSE
    machine, memory = design.machine.described, design.machine.described.memory
    request = Request(
        design.model, design.evaluations, 1, seed, design.cfg, machine.shape, "verilator",
        latency=memory.latency, bandwidth=memory.limit, stall=memory.stall, memory_seed=memory.seed,
        built=tuple(machine.build.items()), machine=machine.title,
    )  # fmt: skip
    prepared = prepare(request)
    policy = prepared.policy(name)
    outcome = run_policies(prepared, [policy], machine=machine)
    result = outcome.summary.results[name]
    predicted = point.cycles if name == DENSE else _predicted(design, prepared, policy, outcome.runs[0].decisions)
    return CheckedPoint(
        point=point.command,
        command=_command(design, name, seed),
        policy=policy.text,
        measured=result.cycles,
        predicted=predicted,
        tolerance=memory.timing.tolerance,
        counters_equal=outcome.summary.check.passed,
    )


def _predicted(design: Design, prepared: Prepared, policy: Policy, record) -> int:  # type: ignore[no-untyped-def]
    """What the model of the point's machine says of the decisions that were taken."""
    group = DesignGroup("", design.model, design.cfg, design.machine.described)
    return Evaluator(group).cycles(record, RunTables.of(policy.tables(prepared.integer)))


def _command(design: Design, name: str, seed: int) -> str:
    """What simulates the same."""
    skipped = iter(design.machine.options)
    options = [part for flag in skipped for part in (flag, next(skipped)) if flag in COSIM]
    work = ["--model", design.model, "--policy", name, "--steps", str(design.evaluations), "--cfg", repr(design.cfg)]
    return shlex.join(["radit", "cosim", *work, "--seed", str(seed), *options])


COSIM = ("--machine", "--array", "--latency", "--bandwidth", "--stall")  # options of a machine that cycles depend on
