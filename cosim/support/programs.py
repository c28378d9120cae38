"""External programs: started with nothing on their standard input, watched, and ended with all that they started.

Whatever can go wrong with one is a clause for a sentence: it cannot be started, it hangs, it fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from radit.model.plain_text import one_line

MOST_SAID = 200  # characters of what a program says that a sentence repeats
ANSWER_SECONDS = 30.0  # a program may take to tell its version

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()


class ProgramError(Exception):
    """A program did not do its work.

    Attributes:
        reason: a clause, such as "ended with status 1".
        said: the whole of what it said.
    """

    def __init__(self, reason: str, said: str = "") -> None:
        self.reason, self.said = reason, said
        told = gist(said)
        super().__init__(f"{reason}: {told}" if told else reason)


def gist(said: str) -> str:
    """Return the line that tells most of what a program said: the first one about an error, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    chosen = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
    return one_line(chosen, MOST_SAID).rstrip(".")


def run_program(
    command: Sequence[str],
    *,
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
) -> str:
    """Run a program to its end; returns what it wrote to standard output.

    Args:
        seconds: that it may take.
        folder: to run in.
        environment: variables beside those of this process.
        given: text for its standard input; None: nothing.

    Raises:
        ProgramError: it cannot be started, takes longer, or ends with another status than 0.
    """
    try:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(environment or {})}, text=True, errors="replace",
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ProgramError(f"cannot be started ({getattr(error, 'strerror', None) or error})") from None
    with _lock:
        _running.add(process)
    try:
        said, complained = process.communicate(given, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ProgramError(f"did not end within {seconds:g} s") from None
    finally:
        with _lock:
            _running.discard(process)
        _end(process)
    if process.returncode:
        raise ProgramError(_ended(process.returncode), complained + said)
    return said


def end_programs() -> None:
    """End the programs that threads of this process wait for."""
    with _lock:
        running = list(_running)
    for process in running:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program that still runs, with what it has started."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ended(status: int) -> str:
    return f"was ended by signal {-status} (no memory left?)" if status < 0 else f"ended with status {status}"
