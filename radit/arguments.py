"""Sentences for Python: what the layers below say of options of the command line, said of arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from radit.model.errors import UserError


@contextmanager
def as_arguments() -> Iterator[None]:
    """Complaints about options of the command line name arguments of Python instead; the first one is the cause."""
    try:
        yield
    except UserError as error:
        text = re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda found: found[1].replace("-", "_"), str(error))
        raise UserError(text) from error
