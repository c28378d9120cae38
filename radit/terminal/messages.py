"""What the layers below have to say while they work, on stderr."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from radit.model.plain_text import visible
from radit.terminal.console import warn


class _ToStderr(logging.Handler):
    """Plain sentences on whatever stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


@contextmanager
def told() -> Iterator[None]:
    """Show what the logger "radit" is told."""
    log, handler = logging.getLogger("radit"), _ToStderr()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def complain(*sentences: str) -> None:
    """Say what is wrong, a line each."""
    for sentence in sentences:
        warn(f"radit: {sentence}")


def asked_for(arguments: Iterable[str] | None = None) -> str:
    """The command that is running, as results name it: as a shell takes it, on one line."""
    return visible(shlex.join(["radit", *(sys.argv[1:] if arguments is None else arguments)]))
