"""``arrays.npz``, beside summary.json: the decisions of a run, and its images where both policies were run."""

from __future__ import annotations

import io
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.errors import UserError
from reports.files import atomic_write

ARRAYS_FILE = "arrays.npz"


@dataclass(frozen=True)
class Decisions:
    """Decisions of the skipping run.

    Fields:
        reused: (N, timesteps, sub_blocks, contexts), bool.
    """

    reused: np.ndarray

    def __post_init__(self) -> None:
        if self.reused.ndim != 4 or self.reused.dtype != bool or not len(self.reused):
            raise UserError(
                f"decisions are {self.reused.dtype}{self.reused.shape}; "
                "give bool (images, timesteps, sub_blocks, contexts)."
            )


@dataclass(frozen=True)
class ReportArrays(Decisions):
    """What the report draws.

    Fields:
        dense, radit: images (N, C, H, W), pixels from -1 to 1, of the same noise.
    """

    dense: np.ndarray
    radit: np.ndarray

    def __post_init__(self) -> None:
        if self.dense.ndim != 4 or self.dense.shape != self.radit.shape or not len(self.dense):
            raise UserError(
                f"images have shapes {self.dense.shape} dense and {self.radit.shape} radit; give (N, C, H, W) of both."
            )
        super().__post_init__()


def write_arrays(path: Path, arrays: Decisions) -> None:
    """Write the arrays whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **asdict(arrays))
    atomic_write(path, buffer.getvalue())


def load_arrays(path: Path) -> ReportArrays:
    """Read images and decisions.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    return ReportArrays(**_read(path, ("reused", "dense", "radit")))


def load_decisions(path: Path) -> np.ndarray:
    """Read the decisions alone: bool (N, timesteps, sub_blocks, contexts), True where a branch was reused.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    return Decisions(**_read(path, ("reused",))).reused


def _read(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, KeyError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"arrays {path} cannot be read ({error}); run `radit demo` again.") from None
