"""What tests let workers do; a module without torch, which every new worker would load."""

import os
import signal
import time
from pathlib import Path

from radit.model import source_code
from radit.model.errors import UserError


def doubled(number: int, pause: float = 0.0) -> int:
    time.sleep(pause)
    return 2 * number


def killed_once(number: int, mark: str) -> int:
    """End the worker at the first call of all."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 2 * number
    os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def refused() -> None:
    raise UserError("field is 1: give 2.")


def definitions_of(path: str) -> str:
    """What a file defines, which a process reads once, as it reads models."""
    return str(source_code._definitions(Path(path)))
