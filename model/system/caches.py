"""Caches: what can always be made again is checked against its hash when it is read, and made again where it is bad.

A folder is made by one process while the others wait (`made_once`). A file is one of JSON or of tensors with its own
hash inside (`write_sealed`, `write_tensors`), or any that its reader can judge (`kept`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from radit.model.errors import UserError
from radit.model.files import write_file, write_json
from radit.model.reading import opened, read_json
from radit.model.system.processes import taking_turns

DIGESTS = "digests.json"  # in a finished folder: SHA-256 of each of its files
SEAL = "sha256"  # entry of a file: the hash of everything else in it
PART = ".part"  # ending of a folder that is being made

Kept = TypeVar("Kept")
Signature = tuple[tuple[str, int, int, int], ...]

log = logging.getLogger("radit")
_checked: dict[Path, Signature] = {}  # folders whose files this process has read, as they were then


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder of a cache, made now where it is missing, unfinished or damaged.

    One process makes it, the others wait. A file that is missing or has another hash counts as damage.

    Args:
        folder: named after everything that determines its content.
        make: fills an empty folder, which takes the place of `folder` when it is complete.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        with taking_turns(folder.with_name(f"{folder.name}.lock"), str(folder)):
            if not _is_whole(folder):
                _make(folder, make)
    except OSError as error:
        raise UserError(
            f"cache {folder} cannot be written ({error.strerror}): free some space there, or work in another folder."
        ) from error
    return folder


def _make(folder: Path, make: Callable[[Path], object]) -> None:
    """Make a folder in the place of what is there; whoever else began it is dead."""
    if folder.exists():
        log.info("%s is damaged or of another version, it is made again", folder)
    for left in folder.parent.glob(f"{folder.name}.*{PART}"):
        shutil.rmtree(left, ignore_errors=True)
    work = folder.with_name(f"{folder.name}.{os.getpid()}{PART}")
    work.mkdir()
    try:
        make(work)
        write_json(work / DIGESTS, {name: _file_digest(path) for name, path in _files(work).items()})
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _files(folder: Path) -> dict[str, Path]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != DIGESTS)
    return {str(path.relative_to(folder)): path for path in paths}


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_whole(folder: Path) -> bool:
    """Whether every file has its hash; files that have not changed since are not read twice by a process."""
    try:
        files, record = _files(folder), folder / DIGESTS
        signature = tuple(
            (name, stat.st_size, stat.st_mtime_ns, stat.st_ino)
            for name, path in (files | {DIGESTS: record}).items()
            if (stat := path.stat())
        )
        if _checked.get(folder) == signature:
            return True
        whole = json.loads(record.read_text()) == {name: _file_digest(path) for name, path in files.items()}
    except (OSError, ValueError, RecursionError):
        return False
    if whole:
        _checked[folder] = signature
    return whole


def kept(
    path: Path, read: Callable[[Path], Kept | None], make: Callable[[], Kept], write: Callable[[Path, Kept], object]
) -> Kept:
    """Return what a file of a cache holds, or what is made now and written there.

    Args:
        read: returns None, or raises UserError, where the file is damaged, of another version or not this one's.
        write: writes the file whole or not at all; where it cannot, the next run makes it again.
    """
    if os.path.lexists(path):
        try:
            found = read(path)
        except UserError:
            found = None
        if found is not None:
            return found
        log.info("%s is damaged or of another version, it is made again", path)
    fresh = make()
    try:
        write(path, fresh)
    except UserError as error:
        log.info("not kept for the next run: %s", error)
    return fresh


def content_digest(content: Any) -> str:
    """Return the SHA-256 (hex) of what JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its own hash."""
    write_json(path, {**content, SEAL: content_digest(content)})


def read_sealed(path: Path) -> dict[str, Any] | None:
    """Return what `write_sealed` wrote; None where the file is missing, damaged or another one."""
    try:
        found = read_json(path, "cache", "delete it")
    except UserError:
        return None
    if not isinstance(found, dict) or SEAL not in found:
        return None
    seal = found.pop(SEAL)
    return found if seal == content_digest(found) else None


def write_tensors(path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> None:
    """Write arrays as .safetensors, facts and a hash of both in the metadata."""
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_file(path, save(arrays, {**facts, SEAL: arrays_digest(arrays, facts)}))


def read_tensors(path: Path, *, sealed: bool = True) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
    """Return arrays and facts that `write_tensors` wrote; None where the file is missing, damaged or another one.

    Args:
        sealed: refuse a file without a hash, as earlier versions wrote it.
    """
    try:
        with opened(path, "cache", "delete it"), safe_open(path, framework="numpy") as file:
            facts = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError):  # UserError is a ValueError
        return None
    seal = facts.pop(SEAL, None)
    if seal is None:
        return None if sealed else (arrays, facts)
    return (arrays, facts) if seal == arrays_digest(arrays, facts) else None


def arrays_digest(arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> str:
    """Return the SHA-256 (hex) of named arrays, their types and shapes, and of facts."""
    digest = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
