"""Lines that commands print, and what becomes of them where the output ends early.

Tables and bars are made by `radit.model.console`; both show other people's texts as they are, without markup, emoji
names or escape codes.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from radit.model.console import OutputClosed, PlainConsole
from radit.model.plain_text import visible

CLOSED_PIPE = 128 + 13  # exit status of a program whose output nobody reads: as if signal 13, SIGPIPE, had ended it


def console() -> PlainConsole:
    """The terminal, or whatever stdout is."""
    return PlainConsole()


def say(*sentences: str) -> None:
    """Print each text on a line of its own.

    Raises:
        OutputClosed: stdout takes nothing more.
    """
    for sentence in sentences:
        _write(visible(sentence))


def say_json(content: Any) -> None:
    """Print what JSON can hold, with an indent of 2."""
    _write(json.dumps(content, indent=2))


def _write(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        raise OutputClosed from error


def show_help(text: str) -> None:
    """Print the terminal library's help on stderr, if that takes anything."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def warn(sentence: str) -> None:
    """Print a text as one line on stderr, if that takes anything."""
    with suppress(OSError):
        print(visible(sentence), file=sys.stderr, flush=True)


@contextmanager
def encodable() -> Iterator[None]:
    """Let stdout and stderr show characters that they cannot encode as escapes, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    yield


def flushed() -> None:
    """Write out what is left.

    Raises:
        OutputClosed: stdout takes nothing more.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OutputClosed from error


def closed_status(error: OutputClosed) -> int:
    """Exit status where stdout takes nothing more; silent where nobody reads it, as is usual in a pipe."""
    reason = error.__cause__
    with suppress(OSError, ValueError):  # what is left in the buffer goes nowhere, and Python does not complain of it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    if isinstance(reason, OSError) and reason.errno not in (errno.EPIPE, None):
        warn(f"radit: stdout takes nothing more ({reason.strerror}): results that were written are complete.")
        return 2
    return CLOSED_PIPE
