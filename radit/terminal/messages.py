"""What the layers below have to say while they work, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class _ToStderr(logging.Handler):
    """Plain sentences on whatever stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), file=sys.stderr, flush=True)


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
    """Say what is wrong."""
    for sentence in sentences:
        print(f"radit: {sentence}", file=sys.stderr)


def asked_for(arguments: Iterable[str] | None = None) -> str:
    """The command that is running, as results name it."""
    return " ".join(["radit", *(sys.argv[1:] if arguments is None else arguments)])
