"""Where the work of a command is done: processes of this machine, or the workers of a Dask cluster.

Both take calls and give their results; neither changes them. Commands know no more of it than `Workers`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from radit.model.errors import UserError
from radit.model.system.processes import Call, over_processes

MOST_STARTS = 3  # of processes for the same calls
NOWHERE = -1  # place of a call that only keeps another one company

log = logging.getLogger("radit")


class Workers(Protocol):
    """What does the calls of a command."""

    @property
    def count(self) -> int:
        """Calls at a time."""

    @property
    def here(self) -> int:
        """Processes on this machine, which share its memory."""

    def over(self, calls: Iterable[Call], *, in_order: bool = True) -> Iterator[Any]:
        """Return the results of calls (function, argument, ..) as they come.

        A worker that is killed costs only the calls that it was at: others do them again.

        Args:
            in_order: of the calls; else of their ends.

        Raises:
            UserError: workers were killed again and again, or are gone.
        """


@dataclass(frozen=True)
class LocalWorkers:
    """Processes of this machine; one alone is this process."""

    count: int

    @property
    def here(self) -> int:
        """All of them."""
        return self.count

    def over(self, calls: Iterable[Call], *, in_order: bool = True) -> Iterator[Any]:
        """See `Workers`; where a process is killed, all are started again, `MOST_STARTS` times at most."""
        left = dict(enumerate(calls))
        for start in range(1, MOST_STARTS + 1):
            try:
                yield from self._rest(left, in_order, again=start > 1)
                return
            except UserError as error:
                killed = isinstance(error.__context__, BrokenProcessPool)
                if not killed or start == MOST_STARTS:
                    raise
                log.info("a process was killed (no memory left?), what it was at is done again")

    def _rest(self, left: dict[int, Call], in_order: bool, *, again: bool) -> Iterator[Any]:
        """The results of the calls that are left, each of which then is not any more. again: a process was killed."""
        calls: list[Call] = [(_placed, place, *call) for place, call in left.items()]
        if len(calls) == 1 and again:  # alone it would be done, and kill, in this process
            calls.append((_placed, NOWHERE, int))
        for place, result in over_processes(calls, self.count, in_order=in_order):
            if place != NOWHERE:
                del left[place]
                yield result


def _placed(place: int, function: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
    """A call's result, with its place among the calls."""
    return place, function(*arguments)


def local_workers(jobs: int | None = None) -> LocalWorkers:
    """So many processes; None: one for each core."""
    return LocalWorkers(jobs or os.cpu_count() or 1)


@contextmanager
def chosen_workers(scheduler: str | None, jobs: int | None = None) -> Iterator[Workers]:
    """The workers of a cluster, by the address of its scheduler, or without one those of this machine.

    Raises:
        UserError: there is no such cluster, or its workers cannot do this project's work; both were asked for.
    """
    if scheduler is None:
        yield local_workers(jobs)
        return
    if jobs is not None:
        raise UserError(f"--jobs is {jobs} beside --scheduler, whose workers are counted there: leave one of them out.")
    from radit.model.system.cluster import connected

    with connected(scheduler) as workers:
        yield workers
