"""Workers of a Dask cluster that somebody has started; docs/cluster.md tells how.

A worker is asked before its first call, and at each call where it came later: whether its files are those of this
package, its numerical libraries of the same versions, its folder that of the command. It does one call at a time: what
the project keeps between calls is not made for threads.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from radit.model.errors import UserError, shown
from radit.model.plain_text import visible
from radit.model.source_code import LAYERS, ROOT
from radit.model.system.processes import Call

CONNECT_SECONDS = 5.0  # for the scheduler to answer
WORKER_SECONDS = 10.0  # for the first worker to be there
LOOK_SECONDS = 5.0  # between two looks whether there are workers at all
ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
MOST_PORT = 65535
NOISY = ("distributed", "distributed.client", "distributed.core", "distributed.comm")  # loggers
LIBRARIES = ("torch", "numpy", "diffusers")  # that results depend on
FILES, MODELS, FOLDER = "the project's files", "the shipped models", "the folder it works in"

Facts = dict[str, str]

log = logging.getLogger("radit")
_one_call = threading.Lock()


def own_facts() -> Facts:
    """What a worker and the command must have in common."""
    return {**_loaded(), MODELS: files_digest("model/checkpoints"), FOLDER: os.getcwd()}


@cache
def _loaded() -> Facts:
    """As it was when this process asked first, which is before it loads what it works with."""
    return {FILES: files_digest(*LAYERS), **{name: _version(name) for name in LIBRARIES}}


def files_digest(*folders: str) -> str:
    """SHA-256 (hex, 12 digits) of all files of folders of the installation with their names, but for shipped models
    where they are not asked for."""
    paths = sorted(path for folder in folders for path in ROOT.joinpath(folder).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        shipped = name.startswith("model/checkpoints/") and "model/checkpoints" not in folders
        if not shipped and "__pycache__" not in path.parts and not path.name.startswith("."):
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


class PackedCall:
    """A call that is made where it is unpickled: neither scheduler nor workers must know the project to pass it on."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


class _AtWork:
    """What a worker process works for."""

    command = ""  # of which command the last call was


def done(command: str, expected: Facts, packed: bytes) -> Any:
    """What a worker does: one call.

    What it kept from another command is forgotten first: files that it has read may have changed.

    Raises:
        UserError: this worker is not as it must be.
    """
    with _one_call:
        if command != _AtWork.command:
            _check("a worker that joined later", own_facts(), expected)
            _forget()
            _AtWork.command = command
        function, *arguments = pickle.loads(packed)
        return function(*arguments)


def _forget() -> None:
    """Empty what functions of the project have kept of their results."""
    for name, module in list(sys.modules.items()):
        if name.startswith("radit."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear") and value is not _loaded:
                    value.cache_clear()


def _check(worker: str, found: Facts, expected: Facts) -> None:
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            remedy = (
                "start it in the folder of the command" if name == FOLDER else "start it with the same installation"
            )
            raise UserError(
                f"--scheduler: {name} of {worker} is {visible(str(found.get(name)))}, here it is {visible(wanted)}: "
                f"{remedy}."
            )


class ClusterWorkers:
    """The workers of a cluster, however many there are at a time; see `radit.model.system.workers.Workers`."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._command, self._facts = uuid4().hex, own_facts()

    @property
    def count(self) -> int:
        """Workers that are there now."""
        return max(1, len(self._client.nthreads()))

    @property
    def here(self) -> int:
        """This process alone."""
        return 1

    def check(self) -> None:
        """Refuse workers that would not do what this process does.

        Raises:
            UserError: there are none in time, or one has other files, libraries, folder, or several threads.
        """
        try:
            self._client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError:
            raise UserError(
                f"--scheduler is {shown(self._address)}, which has no workers: start some with "
                f"`dask worker {visible(self._address)}`, of one thread each (docs/cluster.md)."
            ) from None
        for worker, threads in self._client.nthreads().items():
            if threads != 1:
                raise UserError(
                    f"--scheduler: worker {visible(worker)} has {threads} threads: start workers of one thread each, "
                    "as many as cores (docs/cluster.md)."
                )
        for worker, found in self._client.run(
            pickle.loads, pickle.dumps(PackedCall(own_facts)), on_error="return"
        ).items():
            if isinstance(found, BaseException):
                raise UserError(_incapable(worker, found))
            _check(f"worker {visible(worker)}", found, self._facts)

    def over(self, calls: Iterable[Call], *, in_order: bool = True) -> Iterator[Any]:
        """See `Workers`. Results that must wait for earlier ones wait here."""
        ended: SimpleQueue[Any] = SimpleQueue()
        futures = [self._submitted(call) for call in calls]
        places = {future.key: place for place, future in enumerate(futures)}
        early: dict[int, Any] = {}
        try:
            for future in futures:
                future.add_done_callback(ended.put)
            following = 0
            for _ in places:
                future = self._next(ended)
                early[places[future.key]] = self._result(future)
                while early and (following in early or not in_order):
                    yield early.pop(following) if in_order else early.popitem()[1]
                    following += 1
        finally:
            self._client.cancel(futures)

    def _submitted(self, call: Call) -> Any:
        """The future of a call."""
        packed = PackedCall(done, self._command, self._facts, pickle.dumps(call))
        return self._client.submit(pickle.loads, pickle.dumps(packed), pure=False)

    def _next(self, ended: SimpleQueue[Any]) -> Any:
        """The next future that has ended."""
        told = False
        while True:
            try:
                return ended.get(timeout=LOOK_SECONDS)
            except Empty:
                if not told and self._client.status == "running" and not self._client.nthreads():
                    log.info("no worker is left at %s, waiting for one ...", visible(self._address))
                    told = True

    def _result(self, future: Any) -> Any:
        """What a call has returned; its own exceptions pass."""
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise UserError(
                f"--scheduler: a call was lost with {error.allowed_failures + 1} workers, one after the other (no "
                "memory left?): start workers with more memory, and run the command again."
            ) from None
        except CancelledError:
            raise UserError(
                f"--scheduler is {shown(self._address)}, which has gone away: start it and its workers, and run the "
                "command again."
            ) from None
        except ModuleNotFoundError as error:
            raise UserError(_incapable("that joined later", error)) from None


def _incapable(worker: str, error: BaseException) -> str:
    """The sentence about a worker that cannot even be asked."""
    if isinstance(error, ModuleNotFoundError):
        return (
            f"--scheduler: worker {visible(worker)} does not have package {visible(str(error.name))}: start it with "
            "the Python that has this version of radit."
        )
    return (
        f"--scheduler: worker {visible(worker)} has another version of radit, or cannot be asked "
        f"({visible(type(error).__name__)}): start it with the same installation."
    )


@contextmanager
def connected(address: str) -> Iterator[ClusterWorkers]:
    """The workers of the scheduler at an address, such as tcp://node1:8786, until the end of the block.

    Raises:
        UserError: Dask is not installed, nobody answers there, or the workers do not fit.
    """
    parts = ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts[4]) <= MOST_PORT:
        raise UserError(f"--scheduler is {shown(address)}: give a scheduler's address, such as tcp://node1:8786.")
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            f"--scheduler is {shown(address)}, for which Dask is missing: pip install 'radit[cluster]'."
        ) from None
    with _quiet():
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="radit")
        except (OSError, ValueError, ImportError) as error:
            raise UserError(
                f"--scheduler is {shown(address)}, where no Dask scheduler of this version answers within "
                f"{CONNECT_SECONDS:g} s ({type(error).__name__}): start `dask scheduler` there, or mend the address."
            ) from None
        try:
            workers = ClusterWorkers(client, address)
            workers.check()
            yield workers
        finally:
            client.close(timeout=CONNECT_SECONDS)


@contextmanager
def _quiet() -> Iterator[None]:
    """What Dask logs about lost connections is said by our own sentences."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
