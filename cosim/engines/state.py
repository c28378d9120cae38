"""Files that keep an interrupted simulation: named arrays, written whole or not at all, checked when read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from radit.model.files import write_arrays
from radit.model.reading import Header, read_arrays

REMEDY = "delete it and start the run anew"


def write_state(path: Path, **parts: np.ndarray | str | int) -> None:
    """Write arrays, texts and numbers; the file appears under its name when it is complete."""
    write_arrays(path, parts, compressed=False)


def read_state(path: Path, **kinds: type[np.generic]) -> dict[str, np.ndarray]:
    """What ``write_state`` wrote.

    Args:
        kinds: types of arrays that must be there, by name.

    Raises:
        UserError: the file is missing, cut off, damaged, or lacks one of these.
    """

    def check(headers: Mapping[str, Header]) -> None:
        for name, kind in kinds.items():
            if name not in headers or headers[name].dtype != kind:
                raise ValueError(f"it holds no {name} of {kind.__name__}")

    return read_arrays(path, "simulation state", REMEDY, check)
