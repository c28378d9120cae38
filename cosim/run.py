"""Whole generations through the hardware: one task is one image under one policy; tasks spread over the workers.

Small models run in processes, here or elsewhere. Large ones, whose sub-blocks are simulated for long without Python's
lock, run here in threads that share the weights; elsewhere they are made ready anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from radit.cosim.image import ImageResult, Tick, generate_image, open_for
from radit.cosim.prepare import Prepared, Request, prepare
from radit.cosim.run_state import SavedRun
from radit.cosim.scoreboard import Comparison
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.skip_policy import Policy
from radit.model.system.workers import LocalWorkers, Workers, local_workers
from radit.model.threads import one_thread

Task = tuple[Policy, int]  # policy and image
Progress = Callable[[int, int], object]  # MACs simulated so far, and MACs of everything that is not skipped so far

log = logging.getLogger("radit")


@dataclass
class PolicyRun:
    """All images under one policy, in order."""

    policy: Policy
    results: list[ImageResult] = field(default_factory=list)

    @property
    def decisions(self) -> DecisionRecord:
        """Of all images; none of them may have stopped at a mismatch."""
        return DecisionRecord.joined([result.decisions for result in self.results])

    @property
    def check(self) -> Comparison:
        """The images' checks added up."""
        total = Comparison()
        for result in self.results:
            total.add(result.check)
        return total

    @property
    def problems(self) -> list[str]:
        """Everything that went wrong, one sentence each."""
        return [result.problem for result in self.results if result.problem]

    @property
    def seconds(self) -> dict[str, float]:
        """Spent by stage, all images together."""
        names = {name: None for result in self.results for name in result.seconds}
        return {name: sum(result.seconds.get(name, 0.0) for result in self.results) for name in names}

    @property
    def gmac_per_second(self) -> float:
        """The model's GMACs over the engine's seconds: of one engine, where several ran side by side."""
        return sum(result.macs for result in self.results) / 1e9 / self.seconds["engine"]


class MacCount:
    """MACs that are done and those that are still to come; told whenever they change."""

    def __init__(self, macs: int, progress: Progress | None) -> None:
        self._done, self._left, self._progress = 0, macs, progress
        self.tick(0, 0)

    def tick(self, simulated: int, skipped: int) -> None:
        """Book MACs that were simulated, and others that are not to come any more."""
        self._done += simulated
        self._left -= simulated + skipped
        if self._progress is not None:
            self._progress(self._done, self._done + self._left)


def run(
    prepared: Prepared,
    policies: list[Policy],
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    keep_state: bool = False,
    workers: Workers | None = None,
) -> list[PolicyRun]:
    """Generate the request's images under every policy.

    Args:
        state: folder that keeps the state of a single task on Verilator while it runs.
        resume: go on from what that folder holds.
        keep_state: leave the state when the run is complete, for who writes its results to `forget`.
        workers: that run the tasks; None: this machine's cores. Others than this machine's keep no state.
        progress: called when the simulation starts and after every sub-block, or image where images run side by side.

    Raises:
        UserError: there is nothing to resume, or nothing that could be.
    """
    request = prepared.request
    tasks = [(policy, image) for image in range(request.images) for policy in policies]
    workers = workers or local_workers()
    saved = _saved_run(prepared, tasks, state, resume) if isinstance(workers, LocalWorkers) else None
    open_for(prepared).close()  # export and compile before the work is spread
    runs = {policy.name: PolicyRun(policy) for policy in policies}
    count = MacCount(len(tasks) * prepared.macs, progress)
    with _told_where(saved):
        for name, result in _results(prepared, tasks, count.tick, saved, workers):
            runs[name].results.append(result)
    if saved is not None and not keep_state:
        saved.remove()
    for one in runs.values():
        one.results.sort(key=lambda result: result.image)
    return list(runs.values())


def _saved_run(prepared: Prepared, tasks: list[Task], state: Path | None, resume: bool) -> SavedRun | None:
    """Where the state is kept, if this run can be resumed."""
    if state is None:
        return None
    single = len(tasks) == 1 and prepared.request.engine == "verilator" and prepared.request.waves is None
    if not single:
        if resume:
            raise UserError(
                "--resume continues one image under one policy on verilator without a waveform: "
                f"this run has {len(tasks)} on {prepared.request.engine}."
            )
        return None
    saved = SavedRun(state, prepared.facts() | {"policy": tasks[0][0].text}, resume)
    if saved.place:
        where = f"from {saved.place} on" if resume else f"over; --resume would have gone on from {saved.place}"
        log.info("starting %s", where)
    return saved


@contextmanager
def _told_where(saved: SavedRun | None) -> Iterator[None]:
    """Say, when a run is interrupted, where it would go on from."""
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        if saved is not None and saved.place:
            note = f"--resume goes on from {saved.place}"
            if isinstance(error, KeyboardInterrupt):
                error.add_note(note)
            else:
                log.info("interrupted; %s", note)
        raise


def _results(
    prepared: Prepared, tasks: list[Task], tick: Tick, saved: SavedRun | None, workers: Workers
) -> Iterator[tuple[str, ImageResult]]:
    """Results as they come."""
    elsewhere = not isinstance(workers, LocalWorkers)
    count = 1 if prepared.request.waves else min(len(tasks), workers.count)  # waveforms share a file
    if elsewhere or (count > 1 and not prepared.is_large):
        model = prepared.request if prepared.is_large else prepared
        calls = [(_task, model, *task) for task in tasks]
        for name, result in workers.over(calls, in_order=False):
            tick(result.macs, prepared.macs - result.macs)
            yield name, result
        return
    with one_thread():
        work = (delayed(_task)(prepared, *task, tick, True, saved) for task in tasks)
        yield from Parallel(n_jobs=count, prefer="threads", return_as="generator_unordered")(work)


@one_thread()
def _task(model: Prepared | Request, policy: Policy, image: int, *rest: Any) -> tuple[str, ImageResult]:
    """One task, on one thread: float results must not depend on where it runs.

    Args:
        model: made ready; or, of one too large to be sent, what to make ready there.
    """
    prepared = model if isinstance(model, Prepared) else _made_ready(model)
    return policy.name, generate_image(prepared, policy, image, *rest)


@lru_cache(maxsize=1)
def _made_ready(request: Request) -> Prepared:
    """The model of a worker elsewhere; the last one is kept."""
    return prepare(request)
