"""Files written whole or not at all; `model/reading.py` reads them, and its readers are also names of this module.

A file is written under a temporary name beside it, flushed to the disk and renamed. Readers, other processes and an
interruption therefore see the earlier file or the new one, never a part. A folder of a cache is made likewise, by one
process while the others wait (`made_once`).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from radit.model.reading import misfit, read_arrays, read_json, read_model, read_text, read_toml

SIZES = "sizes.json"  # in a finished folder: bytes of each of its files


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to; it takes the place of `path` where the block ends well.

    Folders that are missing are made. Where the block fails, the temporary file is removed and `path` stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        with open(name, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_file(path: Path, data: bytes | str) -> None:
    """Write bytes, or a text as UTF-8."""
    with replacing(path) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder of a cache, made now where it is missing, unfinished or damaged.

    One process makes it, the others wait. A file that is missing or has another size counts as damage.

    Args:
        folder: named after everything that determines its content.
        make: fills an empty folder, which takes the place of `folder` when it is complete.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f"{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_finished(folder):
            work = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            make(work)
            write_json(work / SIZES, _sizes(work))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(work, folder)
    return folder


def _sizes(folder: Path) -> dict[str, int]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SIZES)
    return {str(path.relative_to(folder)): path.stat().st_size for path in paths}


def _is_finished(folder: Path) -> bool:
    try:
        return json.loads((folder / SIZES).read_text()) == _sizes(folder)
    except (OSError, ValueError):
        return False


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
    "made_once",
    "misfit",
    "read_arrays",
    "read_json",
    "read_model",
    "read_text",
    "read_toml",
    "replacing",
    "write_arrays",
    "write_file",
    "write_json",
]
