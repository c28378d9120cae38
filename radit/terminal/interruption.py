"""Commands that are interrupted, or that the system stops: one line says so, and what stays of their work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from radit.model.errors import UserError
from radit.model.plain_text import visible
from radit.model.system.processes import alone

INTERRUPTED = 128 + 2  # exit status of a program that Ctrl-C, signal 2, has ended


class Interrupted(Exception):
    """Ctrl-C ended a command; the text says what stays of its work, if anything does."""


class GuardedCommands(TyperGroup):
    """Commands whose interruptions and failures of the system come out as they are said.

    The terminal library would end the process itself, without a word or with a traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Raises:
            Interrupted: by Ctrl-C.
            UserError: a file cannot be used.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("; ".join(getattr(error, "__notes__", []))) from None
        except OSError as error:
            raise UserError(failure(error)) from error


def failure(error: OSError) -> str:
    """The sentence about a failure of the system that nobody has expected."""
    reason = visible(error.strerror or str(error) or type(error).__name__)
    if error.filename is None:
        return f"the system refuses ({reason}): free space on the disk, or run the command again elsewhere."
    where = visible(os.fsdecode(error.filename) if isinstance(error.filename, (bytes, str)) else str(error.filename))
    return f"{where} cannot be used ({reason}): mend that, or choose another place."


@contextmanager
def at_work(path: Path, kept: str = "", *, is_folder: bool = True) -> Iterator[None]:
    """Let nobody else work on a result meanwhile; an interruption says what stays of it.

    Args:
        path: the result's folder or file, from option --out.
        kept: name of the folder inside it where finished parts stay.
    """
    with alone(path, "--out", is_folder=is_folder):
        try:
            yield
        except KeyboardInterrupt as error:
            if kept:
                error.add_note(f"finished {kept} stay in {visible(str(path / kept))}")
            raise


@contextmanager
def no_window() -> Iterator[None]:
    """Keep matplotlib from a backend that the environment names: plots are files, whatever notebooks set."""
    name, before = "MPLBACKEND", os.environ.get("MPLBACKEND")
    os.environ[name] = "agg"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
