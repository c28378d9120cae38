"""``arrays.npz``, beside summary.json: the decisions and the images of every policy that was run.

Arrays in the file: ``computed/<policy>``, bool (images, timesteps, sub_blocks, contexts), True where computed, and
``images/<policy>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radit.model import files
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord

ARRAYS_FILE = "arrays.npz"
COMPUTED, IMAGES = "computed/", "images/"  # what names in the file begin with
REMEDY = "run `radit demo` to make them"


@dataclass(frozen=True, eq=False)
class RunArrays:
    """What a run of several policies decided and generated.

    Fields:
        decisions: by policy.
        images: by policy, (N, C, H, W), or clips (N, F, C, H, W), pixels from -1 to 1, of the same noise.
    """

    decisions: Mapping[str, DecisionRecord]
    images: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        shapes = {name: made.shape for name, made in self.images.items()}
        if len(set(shapes.values())) != 1 or any(len(shape) not in (4, 5) or not shape[0] for shape in shapes.values()):
            raise UserError(
                f"images have shapes {shapes}: give the same (N, C, H, W) or (N, F, C, H, W) of all policies."
            )
        if self.decisions.keys() != self.images.keys():
            raise UserError(
                f"decisions are of {', '.join(self.decisions)} and images of {', '.join(self.images)}: give both of "
                "all policies."
            )

    @property
    def are_clips(self) -> bool:
        """Whether the images are clips."""
        return next(iter(self.images.values())).ndim == 5

    @property
    def skipping(self) -> dict[str, DecisionRecord]:
        """Decisions of the policies that did not compute everything."""
        return {name: record for name, record in self.decisions.items() if not record.computed.all()}


def write_arrays(path: Path, arrays: RunArrays) -> None:
    """Write the arrays whole or not at all."""
    named = {COMPUTED + name: record.computed for name, record in arrays.decisions.items()}
    files.write_arrays(path, named | {IMAGES + name: made for name, made in arrays.images.items()})


def load_arrays(path: Path) -> RunArrays:
    """Read decisions and images.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    stored = files.read_arrays(path, "arrays", REMEDY)
    images = {name.removeprefix(IMAGES): made for name, made in stored.items() if name.startswith(IMAGES)}
    if not images:
        raise UserError(f"arrays {path} lack {IMAGES}<policy>: {REMEDY}.")
    return RunArrays(_decisions(path, stored), images)


def load_decisions(path: Path, policy: str = "radit") -> DecisionRecord:
    """Read the decisions of a policy, or of the first skipping one where that was not run.

    Raises:
        UserError: the file is missing, broken or incomplete, or nothing was skipped.
    """
    found = _decisions(path, files.read_arrays(path, "arrays", REMEDY))
    skipping = [name for name in (policy, *found) if name in found and name != "dense"]
    if not skipping:
        raise UserError(f"arrays {path} hold no decisions of a skipping policy: run one, such as --policy radit.")
    return found[skipping[0]]


def _decisions(path: Path, stored: Mapping[str, np.ndarray]) -> dict[str, DecisionRecord]:
    found = {name.removeprefix(COMPUTED): made for name, made in stored.items() if name.startswith(COMPUTED)}
    if not found:
        raise UserError(f"arrays {path} lack {COMPUTED}<policy>: {REMEDY}.")
    return {name: DecisionRecord(made) for name, made in found.items()}
