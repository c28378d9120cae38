"""``arrays.npz``, beside summary.json: the decisions of a run, and its images where dense and radit were both run.

Arrays in the file: ``reused`` and ``forecast_reused``, decisions of radit and of forecast; ``dense``, ``radit`` and
``forecast``, images. Those of a policy that was not run are absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model import files
from model.errors import UserError
from reports.run.schema import POLICY_LABELS

ARRAYS_FILE = "arrays.npz"
REUSED = {"radit": "reused", "forecast": "forecast_reused"}  # names in the file


@dataclass(frozen=True)
class Decisions:
    """Decisions of skipping runs.

    Fields:
        reused: by policy, bool (N, timesteps, sub_blocks, contexts).
    """

    reused: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        for name, made in self.reused.items():
            if made.ndim != 4 or made.dtype != bool or not len(made):
                raise UserError(
                    f"decisions of {name} are {made.dtype}{made.shape}; "
                    "give bool (images, timesteps, sub_blocks, contexts)."
                )

    def named(self) -> dict[str, np.ndarray]:
        """The arrays as the file names them."""
        return {REUSED[policy]: made for policy, made in self.reused.items()}


@dataclass(frozen=True)
class ReportArrays(Decisions):
    """What the report draws.

    Fields:
        images: by policy, (N, C, H, W), or clips (N, F, C, H, W), pixels from -1 to 1, of the same noise; those of
            dense and radit at least.
    """

    images: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        shapes = {name: made.shape for name, made in self.images.items()}
        if len(set(shapes.values())) != 1 or any(len(shape) not in (4, 5) or not shape[0] for shape in shapes.values()):
            raise UserError(
                f"images have shapes {shapes}; give the same (N, C, H, W) or (N, F, C, H, W) of all policies."
            )
        super().__post_init__()

    @property
    def are_clips(self) -> bool:
        """Whether the images are clips."""
        return next(iter(self.images.values())).ndim == 5

    def named(self) -> dict[str, np.ndarray]:
        return super().named() | self.images


def write_arrays(path: Path, arrays: Decisions) -> None:
    """Write the arrays whole or not at all."""
    files.write_arrays(path, arrays.named())


def load_arrays(path: Path) -> ReportArrays:
    """Read images and decisions.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    stored = _read(path)
    for name in ("reused", "dense", "radit", *(["forecast_reused"] if "forecast" in stored else [])):
        if name not in stored:
            raise UserError(f"arrays {path} lack {name}; run `radit demo` again.")
    images = {name: stored[name] for name in POLICY_LABELS if name in stored}
    return ReportArrays({policy: stored[REUSED[policy]] for policy in images if policy in REUSED}, images)


def load_decisions(path: Path, policy: str = "radit") -> np.ndarray:
    """Read the decisions alone: bool (N, timesteps, sub_blocks, contexts), True where a branch was reused.

    Those of ``policy``, or of the other skipping policy where only that was run.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    stored = _read(path)
    found = {name: stored[kept] for name, kept in REUSED.items() if kept in stored}
    if not found:
        raise UserError(f"arrays {path} lack {' and '.join(REUSED.values())}; run `radit demo` again.")
    reused = Decisions(found).reused
    return reused[policy] if policy in reused else next(iter(reused.values()))


def _read(path: Path) -> dict[str, np.ndarray]:
    return files.read_arrays(path, "arrays", "run `radit demo` to make them")
