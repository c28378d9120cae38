"""``arrays.npz``: the images and decisions of a run, beside summary.json, enough to draw the report again."""

from __future__ import annotations

import io
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.errors import UserError
from reports.files import atomic_write


@dataclass(frozen=True)
class ReportArrays:
    """What the report draws.

    Fields:
        dense, radit: images (N, C, H, W), pixels from -1 to 1, of the same noise.
        reused: decisions of the skipping run (N, timesteps, sub_blocks, contexts), bool.
    """

    dense: np.ndarray
    radit: np.ndarray
    reused: np.ndarray

    def __post_init__(self) -> None:
        if self.dense.ndim != 4 or self.dense.shape != self.radit.shape or not len(self.dense):
            raise UserError(
                f"images have shapes {self.dense.shape} dense and {self.radit.shape} radit; give (N, C, H, W) of both."
            )
        if self.reused.ndim != 4:
            raise UserError(
                f"decisions have shape {self.reused.shape}; give (images, timesteps, sub_blocks, contexts)."
            )


def write_arrays(path: Path, arrays: ReportArrays) -> None:
    """Write the arrays whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **asdict(arrays))
    atomic_write(path, buffer.getvalue())


def load_arrays(path: Path) -> ReportArrays:
    """Read the arrays.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return ReportArrays(stored["dense"], stored["radit"], stored["reused"])
    except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"arrays {path} cannot be read ({error}); run `radit demo` again.") from None
