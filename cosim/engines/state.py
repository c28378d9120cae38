"""Files that keep an interrupted simulation: named arrays, written whole or not at all, checked when read."""

from pathlib import Path

import numpy as np

from radit.model.files import read_arrays, write_arrays

REMEDY = "delete it and start the run anew"


def write_state(path: Path, **parts: np.ndarray | str | int) -> None:
    """Write arrays, texts and numbers; the file appears under its name when it is complete."""
    write_arrays(path, parts, compressed=False)


def read_state(path: Path) -> dict[str, np.ndarray]:
    """What ``write_state`` wrote.

    Raises:
        UserError: the file is missing, cut off or damaged.
    """
    return read_arrays(path, "simulation state", REMEDY)
