"""Processes: work spread over several of them, and only one at a time where two would be in each other's way.

A worker process ends with its parent, which it looks for now and then. Ctrl-C reaches the parent alone, which ends its
workers. Locks are advisory ones of the system, which end with the process that holds them, however it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky.backend import resource_tracker as loky_tracker

from radit.model.errors import UserError
from radit.model.plain_text import quoted

LOOK_SECONDS = 0.5  # between two looks of a worker at its parent
ENDING_SECONDS = 5.0  # a thread may take to notice that it is to end
MOST_NAME = 60  # characters of a name that its lock file repeats
PAUSE, QUIET_SECONDS = 0.05, 2.0  # between two tries for a lock, and until somebody is told why nothing happens

Result = TypeVar("Result")
Call = tuple[Any, ...]  # a function and its arguments

log = logging.getLogger("radit")


def over_processes(calls: Iterable[Call], jobs: int, *, in_order: bool = True) -> Iterator[Any]:
    """Return the results of calls (function, argument, ..) over at most `jobs` processes, as they come.

    No more processes are started than there are calls; one call, or one job, is done in this process.

    Args:
        in_order: of the calls; else of their ends.

    Raises:
        UserError: a process was killed.
    """
    tasks = list(calls)
    workers = min(jobs, len(tasks))
    if workers <= 1:
        for function, *arguments in tasks:
            yield function(*arguments)
        return
    parent, order = os.getpid(), "generator" if in_order else "generator_unordered"
    work = (delayed(_in_worker)(parent, function, *arguments) for function, *arguments in tasks)
    for tracker in (loky_tracker, resource_tracker):  # which, when they start, let Ctrl-C through again
        tracker.ensure_running()
    with without_interrupt():  # processes that are started now inherit this
        results = Parallel(n_jobs=workers, return_as=order, batch_size=1)(work)
    try:
        with _given_up(results):
            yield from map(_itself, results)  # `results` alone would be ended before they are given up
    except BrokenProcessPool:
        raise UserError(
            f"one of {workers} processes was killed (no memory left?): run the command again, with fewer --jobs."
        ) from None


def _itself(result: Result) -> Result:
    return result


@contextmanager
def _given_up(results: Generator[Any, None, None]) -> Iterator[None]:
    """End the work at the end of the block. What is left of it then is left on purpose: joblib's warning is no news."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()


@contextmanager
def without_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back until the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_worker(parent: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """A call in a worker process of `parent`."""
    _end_with(parent)
    return function(*arguments)


@cache
def _end_with(parent: int) -> None:
    """End this process soon after its parent."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True, name="parent watch").start()


def in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return what a function returns in a thread of its own, whose call stack is short.

    An exception that reaches the caller meanwhile, such as Ctrl-C, ends the thread at its next line of Python.
    """
    found: list[Result] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(function(*arguments))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        thread.join(ENDING_SECONDS)
        raise
    if failed:
        raise failed[0]
    return found[0]


@contextmanager
def taking_turns(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`, which is made where it is missing and stays; wait while another process holds it.

    Args:
        what: is made meanwhile, for the line that says why this one waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        tell_at = time.monotonic() + QUIET_SECONDS
        while not _taken(lock.fileno()):
            if time.monotonic() > tell_at:
                log.info("waiting for another process that makes %s ...", what)
                fcntl.flock(lock, fcntl.LOCK_EX)
                break
            time.sleep(PAUSE)
        yield


@contextmanager
def alone(path: Path, option: str, *, is_folder: bool = True) -> Iterator[None]:
    """Refuse to work on a result while another process does: two would mix their files.

    A lock file in the folder, or beside the file, is there meanwhile. Folders that are missing are made, and removed
    where they are still empty at the end.

    Args:
        path: the folder or file of the result.
        option: that names it, for the sentence.

    Raises:
        UserError: another process is at work there, or nothing can be written there.
    """
    lock = path / ".radit.lock" if is_folder else path.with_name(f".{path.name[:MOST_NAME]}.lock")
    missing = [each for each in lock.parents if not each.exists()]
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = _opened(lock)
    except OSError as error:
        raise UserError(
            f"{option} is {quoted(path)}, where nothing can be written ({error.strerror}): give another "
            f"{'folder' if is_folder else 'file'}."
        ) from None
    try:
        if handle is None:
            raise UserError(
                f"{option} is {quoted(path)}, where another radit command is at work: wait for it, or give another "
                f"{'folder' if is_folder else 'file'}."
            )
        yield
    finally:
        if handle is not None:
            lock.unlink(missing_ok=True)
            os.close(handle)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


def _opened(lock: Path) -> int | None:
    """A lock file, made where it is missing, open and locked; None: another process holds it."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _taken(handle):
            os.close(handle)
            return None
        with suppress(OSError):
            if os.fstat(handle).st_ino == lock.stat().st_ino:
                return handle
        os.close(handle)  # whoever had it has removed it meanwhile


def _taken(handle: int) -> bool:
    """Whether this process has the lock of an open file now; where a file system knows no locks, it has."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
