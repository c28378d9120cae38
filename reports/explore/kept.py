"""Finished points: a file of lines per group of designs, each line a point under the hash of what determines it.

A file is written whole or not at all. A line that is damaged, or of another version, is evaluated again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from radit.model.errors import UserError
from radit.model.files import read_text, write_file
from radit.reports.explore.evaluation import DesignCosts

POINTS = "points"  # folder of finished ones
MOST_BYTES = 1 << 30
KINDS = {each.name: int if each.type == "int" else float for each in fields(DesignCosts)}

log = logging.getLogger("radit")


def load_points(path: Path) -> dict[str, DesignCosts]:
    """The points of a file by key, those that are whole."""
    if not path.exists():
        return {}
    try:
        lines = read_text(path, "points", "evaluate them again", MOST_BYTES).splitlines()
    except UserError:
        lines = [""]
    found = [_read(line) for line in lines]
    if None in found:
        log.info("points in %s are damaged or of another version, they are evaluated again", path)
    return dict(one for one in found if one is not None)


def save_points(path: Path, points: Mapping[str, DesignCosts]) -> None:
    """Write the points of a group."""
    write_file(path, "".join(_line(key, costs) for key, costs in points.items()))


def _line(key: str, costs: DesignCosts) -> str:
    content: dict[str, Any] = {"key": key} | {name: getattr(costs, name) for name in KINDS}
    return json.dumps(content | {"seal": _seal(content)}) + "\n"


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read(line: str) -> tuple[str, DesignCosts] | None:
    """A point; None: the line is damaged."""
    try:
        content = json.loads(line)
        seal = content.pop("seal")
        if seal != _seal(content):
            return None
        key = content.pop("key")
        whole = all(type(content[name]) is kind and math.isfinite(content[name]) for name, kind in KINDS.items())
        return (key, DesignCosts(**content)) if whole and isinstance(key, str) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
