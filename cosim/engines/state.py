"""Files that keep an interrupted simulation: named arrays, written whole or not at all, checked when read."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from model.errors import UserError

REMEDY = "delete it and start the run anew."


def write_state(path: Path, **parts: np.ndarray | str | int) -> None:
    """Write arrays, texts and numbers; the file appears under its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with open(part, "wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.asarray(value) for name, value in parts.items()})
    os.replace(part, path)


def read_state(path: Path) -> dict[str, np.ndarray]:
    """What ``write_state`` wrote.

    Raises:
        UserError: the file is missing, cut off or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as parts:
            return {name: parts[name] for name in parts.files}
    except FileNotFoundError as error:
        raise UserError(f"there is no simulation state {path}.") from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"simulation state {path} cannot be read, it may be cut off: {REMEDY}") from error
