"""Calls in forked processes: each has limits of its own, and whatever becomes of it is told from its exit status.

The process that forks has torch and all of radit loaded, so that a call costs milliseconds.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

CPU_SECONDS = 20  # a call takes tenths of a second; more than this counts as no end
WALL_SHARE = 8  # times as long it may take on a machine that does other things as well
QUIET_SECONDS = 20  # without using the processor: it waits for what does not come
MEMORY = 6 << 30  # address space beyond what is there when it starts, bytes
RAISED = 70  # exit status of a call that raised
PAUSE = 0.004  # seconds between two looks

Case = TypeVar("Case")


@dataclass(frozen=True)
class Ended:
    """What became of a call.

    Fields:
        status: exit status; None: it was ended by a signal.
        signal: which; 0: none.
        late: it did not end by itself.
        raised: an exception came out, with its traceback in `err`.
        out, err: what it wrote; bytes that are no UTF-8 as backslashes.
    """

    status: int | None
    signal: int
    late: bool
    out: str
    err: str

    @property
    def raised(self) -> bool:
        return self.status == RAISED

    @property
    def how(self) -> str:
        """In words, where it did not end as it should."""
        if self.late:
            return f"no end within {CPU_SECONDS} seconds"
        if self.signal:
            return f"ended by {signal.Signals(self.signal).name}"
        return "an exception came out" if self.raised else f"exit status {self.status}"


def call(function: Callable[[], int | None], folder: Path, said: Path, cpu_seconds: int = CPU_SECONDS) -> Ended:
    """Call a function in a process of its own, in a folder.

    Args:
        function: returns an exit status; None is 0.
        folder: working directory of the call.
        said: folder for what it writes to stdout and stderr.
    """
    (ended,) = (end for _, end in calls([None], lambda _: (function, folder, said), 1, cpu_seconds))
    return ended


def calls(
    cases: Iterable[Case],
    prepared: Callable[[Case], tuple[Callable[[], int | None], Path, Path]],
    workers: int = 2,
    cpu_seconds: int = CPU_SECONDS,
) -> Iterator[tuple[Case, Ended]]:
    """Call a function for every case, a few side by side; results as they come.

    Args:
        prepared: of a case what to call, where, and a folder for what it says.
    """
    waiting, running = iter(cases), {}
    more = True
    while more or running:
        while more and len(running) < workers:
            try:
                case = next(waiting)
            except StopIteration:
                more = False
                break
            function, folder, said = prepared(case)
            watch = _Watch(time.monotonic(), WALL_SHARE * cpu_seconds)
            running[_start(function, folder, said, cpu_seconds)] = (case, said, watch)
        for pid in list(running):
            case, said, watch = running[pid]
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done and watch.is_over(pid):
                _end(pid)
                done, status = os.waitpid(pid, 0)
            if done:
                _end(pid)  # what it has started
                del running[pid]
                yield case, _ended(status, watch.late, said)
        time.sleep(PAUSE)


@dataclass
class _Watch:
    """When a process started, and when it was last seen using the processor."""

    started: float
    most: float
    ticks: int = -1
    used: float = 0.0
    late: bool = False

    def is_over(self, pid: int) -> bool:
        """Ask often; what a process has started is looked for only when it is quiet itself."""
        now = time.monotonic()
        ticks = _ticks(Path(f"/proc/{pid}"))
        if now - self.used > QUIET_SECONDS / 2:
            ticks = sum(_ticks(process) for process in Path("/proc").glob("[0-9]*") if _session(process) == pid)
        if ticks != self.ticks:
            self.ticks, self.used = ticks, now
        self.late = now - self.started > self.most or now - self.used > QUIET_SECONDS
        return self.late


def _ticks(process: Path) -> int:
    """Processor time of a process and its children that have ended; of Linux."""
    return sum(int(field) for field in _status(process)[11:15])


def _session(process: Path) -> int:
    return int((_status(process)[3:4] or [0])[0])


def _status(process: Path) -> list[bytes]:
    """What the operating system says of a process, from its state on; nothing where it has ended."""
    try:
        return (process / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _end(pid: int) -> None:
    """End a process and everything that it has started: they are a session."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _ended(status: int, late: bool, said: Path) -> Ended:
    code = os.waitstatus_to_exitcode(status)
    out, err = ((said / name).read_text("utf-8", "backslashreplace") for name in ("out", "err"))
    late = late or code == -signal.SIGXCPU
    return Ended(code if code >= 0 else None, max(-code, 0), late, out, err)


def _start(function: Callable[[], int | None], folder: Path, said: Path, cpu_seconds: int) -> int:
    said.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    status = RAISED
    try:
        os.setsid()
        _redirect(said)
        _limit(cpu_seconds)
        os.chdir(folder)
        status = function() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                status = RAISED
        os._exit(status)


def _redirect(said: Path) -> None:
    """stdout and stderr into files, as an interpreter opens them under UTF-8; nothing to read."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    how: dict[str, Any] = {"encoding": "utf-8", "closefd": False}
    sys.stdout = open(1, "w", errors="strict", **how)
    sys.stderr = open(2, "w", errors="backslashreplace", buffering=1, **how)
    faulthandler.enable(sys.stderr)
    warnings.resetwarnings()  # those of an interpreter that has just started
    for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", kind)
    warnings.showwarning = _show


def _show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    print(warnings.formatwarning(message, category, filename, lineno), file=sys.stderr, end="")


def _limit(cpu_seconds: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
