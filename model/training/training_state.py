"""File that keeps an interrupted training: written whole or not at all, taken up only under the same settings."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from radit.model.errors import UserError
from radit.model.files import replacing


def state_path(out: str | Path) -> Path:
    """Return where the training that will write `out` keeps its state: beside it, with the ending .training."""
    return Path(out).with_suffix(".training")


def write_state(path: Path, key: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a state (tensors and numbers) and the settings `key` that it belongs to.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        with replacing(path) as part:
            torch.save({"key": key, "state": state}, part)
    except (OSError, RuntimeError) as error:
        raise UserError(f"Training state {path} cannot be written ({error}): choose a folder that can be.") from None


def read_state(path: Path, key: dict[str, Any]) -> dict[str, Any]:
    """Return the state that `write_state` wrote.

    Raises:
        UserError: the file is missing or damaged, or belongs to other settings than `key`.
    """
    if not path.is_file():
        raise UserError(f"There is no interrupted training {path}: leave --resume out to start one.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found, state = content["key"], content["state"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError):
        raise UserError(f"Training state {path} cannot be read: delete it and train anew.") from None
    for name, value in key.items():
        if found.get(name) != value:
            raise UserError(
                f"Training state {path} has {name} {found.get(name)} where {value} is asked for: "
                "resume with the settings and the data that it was started with, or leave --resume out."
            )
    return state
