"""Files written whole or not at all; `model/reading.py` reads them, and its readers are also names of this module.

A file is written under a temporary name beside it, flushed to the disk and renamed. Readers, other processes and an
interruption therefore see the earlier file or the new one, never a part. Caches are in `model/system/caches.py`.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.reading import misfit, read_arrays, read_json, read_model, read_text, read_toml

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room for the file
MOST_NAME = 40  # characters of a name that its temporary name repeats
MOST_SHOWN_PATH = 400


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to; it takes the place of `path` where the block ends well.

    Folders that are missing are made. Where the block fails, the temporary file is removed and `path` stays.

    Raises:
        UserError: the file cannot be written: it names the file, the reason and the remedy.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:MOST_NAME]}.")
    except OSError as error:
        raise unwritable(path, error) from error
    os.close(handle)
    try:
        yield Path(name)
        with open(name, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def unwritable(path: Path, error: OSError) -> UserError:
    """Return the sentence about a file that cannot be written."""
    remedy = "free some space there, or choose" if error.errno in FULL else "choose"
    where = one_line(path, MOST_SHOWN_PATH)
    return UserError(f"{where} cannot be written ({error.strerror or error}): {remedy} a place that can be.")


def write_file(path: Path, data: bytes | str) -> None:
    """Write bytes, or a text as UTF-8."""
    with replacing(path) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: Path, content: BaseModel | Mapping[str, Any]) -> None:
    """Write JSON with an indent of 2; a model is checked against its schema first, because its fields may be set.

    Raises:
        ValueError: a number is not finite, or a model does not fit its schema.
    """
    if isinstance(content, BaseModel):
        content = type(content).model_validate(content.model_dump()).model_dump(mode="json")
    write_file(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any], compressed: bool = True) -> None:
    """Write named arrays, texts and numbers as .npz."""
    save = np.savez_compressed if compressed else np.savez
    with replacing(path) as part, open(part, "wb") as file:
        save(file, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})


__all__ = [
    "misfit",
    "read_arrays",
    "read_json",
    "read_model",
    "read_text",
    "read_toml",
    "replacing",
    "unwritable",
    "write_arrays",
    "write_file",
    "write_json",
]
