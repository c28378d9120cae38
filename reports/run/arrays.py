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
from radit.model.plain_text import one_line
from radit.model.quality.names import DENSE
from radit.model.reading import MOST_SHOWN_PATH, Header, path_text, read_arrays

ARRAYS_FILE = "arrays.npz"
COMPUTED, IMAGES = "computed/", "images/"  # what names in the file begin with
REMEDY = "run `radit demo` to make them"
MOST_PIXEL = 1e30  # of a model that does not know what it makes


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
        shapes = {one_line(name): made.shape for name, made in self.images.items()}
        if len(set(shapes.values())) != 1 or any(len(shape) not in (4, 5) or 0 in shape for shape in shapes.values()):
            raise UserError(
                f"images have shapes {one_line(shapes, MOST_SHOWN_PATH)}: give the same (N, C, H, W) or "
                "(N, F, C, H, W) of all policies."
            )
        if self.decisions.keys() != self.images.keys():
            raise UserError(
                f"decisions are of {_names(self.decisions)} and images of {_names(self.images)}: give both of "
                "all policies."
            )
        for name, made in self.images.items():
            if made.dtype.kind != "f" or not np.abs(made, dtype=np.float64).max() <= MOST_PIXEL:
                raise UserError(
                    f"images of {one_line(name)} are not all numbers from {-MOST_PIXEL:g} to {MOST_PIXEL:g}: pixels "
                    "run from -1 to 1."
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
    stored = read_arrays(path, "arrays", REMEDY, _check_headers)
    images = {name.removeprefix(IMAGES): made for name, made in stored.items() if name.startswith(IMAGES)}
    if not images:
        raise UserError(f"arrays {path_text(path)} lack {IMAGES}<policy>: {REMEDY}.")
    try:
        return RunArrays(_decisions(path, stored), images)
    except UserError as error:
        raise UserError(f"arrays {path_text(path)}: {error}") from None


def load_decisions(path: Path, policy: str = "radit") -> DecisionRecord:
    """Read the decisions of a policy, or of the first skipping one where that was not run.

    Raises:
        UserError: the file is missing, broken or incomplete, or nothing was skipped.
    """
    found = all_decisions(path)
    skipping = [name for name in (policy, *found) if name in found and name != DENSE]
    if not skipping:
        raise UserError(
            f"arrays {path_text(path)} hold no decisions of a skipping policy: run one, such as --policy radit."
        )
    return found[skipping[0]]


def all_decisions(path: Path) -> dict[str, DecisionRecord]:
    """Read the decisions of all policies.

    Raises:
        UserError: the file is missing, broken or incomplete.
    """
    return _decisions(path, read_arrays(path, "arrays", REMEDY, _check_headers))


def _check_headers(headers: Mapping[str, Header]) -> None:
    """Refuse, before they are read, arrays that no run writes."""
    for name, header in headers.items():
        kind, shapes = ("b", (4,)) if name.startswith(COMPUTED) else ("f", (4, 5))
        if name.startswith((COMPUTED, IMAGES)) and (header.dtype.kind != kind or len(header.shape) not in shapes):
            raise ValueError(f"{one_line(name)} is {header.dtype} of shape {one_line(header.shape)}")


def _names(by_policy: Mapping[str, object]) -> str:
    return ", ".join(one_line(name) for name in by_policy)


def _decisions(path: Path, stored: Mapping[str, np.ndarray]) -> dict[str, DecisionRecord]:
    found = {name.removeprefix(COMPUTED): made for name, made in stored.items() if name.startswith(COMPUTED)}
    if not found:
        raise UserError(f"arrays {path_text(path)} lack {COMPUTED}<policy>: {REMEDY}.")
    try:
        return {name: DecisionRecord(made) for name, made in found.items()}
    except UserError as error:
        raise UserError(f"arrays {path_text(path)}: {error}") from None
