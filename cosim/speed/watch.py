"""Times a simulator that replays vectors in a process of its own.

It says ``AT <cycles played> <values compared> <of them different>`` every few cycles, the first time when it is ready;
the clock on the wall is read here, so that simulators without one can be timed too.
"""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from radit.cosim.speed.vectors import Vectors

LOAD_SECONDS = 600.0  # a simulator may take to be ready
LEAD_IN_SECONDS = 30.0  # it may take for the cycles before the timed ones, whatever the limit
PATIENCE = 10  # times the limit, which it may also take for them
LAST_LINES = 15


class ReplayError(RuntimeError):
    """A simulator did not play its vectors: one sentence, perhaps with its last lines."""


@dataclass(frozen=True)
class Command:
    """How to start a simulator."""

    words: tuple[str, ...]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """What was played.

    Fields:
        load_seconds: from the start of the process until the simulator was ready.
        cycles, seconds: from the vectors' ``start`` on.
        compared, different: values of outputs, from the reset on.
        first: the first difference, as a sentence.
    """

    load_seconds: float
    cycles: int
    seconds: float
    compared: int
    different: int
    first: str


@dataclass(frozen=True)
class _Report:
    when: float
    cycle: int
    compared: int
    different: int


class _Listener:
    """Collects what a simulator says."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.first = ""
        self.said: deque[str] = deque(maxlen=LAST_LINES)
        self.ready: _Report | None = None
        self.begin: _Report | None = None  # of the timed cycles
        self.last: _Report | None = None

    @property
    def seconds(self) -> float:
        """Of the timed cycles so far."""
        return self.last.when - self.begin.when if self.begin and self.last else 0.0

    @property
    def lead_in_seconds(self) -> float:
        """Since it was ready, while none of the timed cycles has been played."""
        return self.last.when - self.ready.when if self.last and self.ready and not self.begin else 0.0

    def hear(self, line: str) -> None:
        """Take one line."""
        if not line.startswith("AT "):
            self.said.append(line.rstrip())
            if line.startswith("cycle ") and not self.first:
                self.first = line.strip()
            return
        self.last = _Report(time.perf_counter(), *map(int, line.split()[1:]))
        self.ready = self.ready or self.last
        if self.last.cycle >= self.start:
            self.begin = self.begin or self.last


def watch(command: Command, vectors: Vectors, limit: float, tick: Callable[[int], object]) -> Played:
    """Let a simulator play to the end of the vectors, or for ``limit`` seconds from their ``start`` on.

    ``tick`` receives the cycles played so far.

    Raises:
        ReplayError: it failed, or took too long to load or to get as far as ``start``.
    """
    patience = max(LEAD_IN_SECONDS, PATIENCE * limit)
    heard = _Listener(vectors.start)
    launched = time.perf_counter()
    with _running(command, LOAD_SECONDS + patience + limit) as process:
        for line in process.stdout or ():
            heard.hear(line)
            if heard.last:
                tick(heard.last.cycle)
            if heard.seconds >= limit or heard.lead_in_seconds > patience:
                break
        else:
            process.wait()
    begin, last = heard.begin, heard.last
    if begin is None or last is None or last is begin or (heard.seconds < limit and last.cycle < vectors.cycles):
        raise ReplayError(_reason(process.returncode, heard, vectors, limit))
    return Played(
        load_seconds=heard.ready.when - launched if heard.ready else 0.0,
        cycles=last.cycle - begin.cycle,
        seconds=heard.seconds,
        compared=last.compared,
        different=last.different,
        first=heard.first,
    )


@contextmanager
def _running(command: Command, patience: float) -> Iterator[subprocess.Popen]:
    """The process, which ends with the context or after ``patience`` seconds."""
    process = subprocess.Popen(
        command.words,
        cwd=command.folder,
        env={**os.environ, **command.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(patience, end)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        if process.poll() is None:
            end()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _reason(status: int, heard: _Listener, vectors: Vectors, limit: float) -> str:
    reached = heard.last.cycle if heard.last else 0
    if status == -signal.SIGKILL:
        return (
            f"it had played {reached} cycles when its time was over, and the array starts to work in cycle "
            f"{vectors.start}: give more than --seconds {limit:g}, or a smaller --array or --model"
        )
    last = "\n".join(heard.said)
    return f"it stopped with status {status} after {reached} of {vectors.cycles} cycles:\n{last}"
