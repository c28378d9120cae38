"""File that keeps an interrupted training: written whole or not at all, taken up only under the same settings.

It begins with a line of its kind and the SHA-256 of what follows, because torch's own format has no hash.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from radit.model.errors import UserError
from radit.model.files import write_file
from radit.model.reading import opened

KIND = b"RADIT training state 1\n"
DIGEST_BYTES = 32


def state_path(out: str | Path) -> Path:
    """Return where the training that will write `out` keeps its state: beside it, with the ending .training."""
    return Path(out).with_suffix(".training")


def write_state(path: Path, key: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a state (tensors and numbers) and the settings `key` that it belongs to.

    Raises:
        UserError: the file cannot be written.
    """
    content = io.BytesIO()
    torch.save({"key": key, "state": state}, content)
    data = content.getvalue()
    write_file(path, KIND + hashlib.sha256(data).digest() + data)


def read_state(path: Path, key: dict[str, Any]) -> dict[str, Any]:
    """Return the state that `write_state` wrote.

    Raises:
        UserError: the file is missing or damaged, or belongs to other settings than `key`.
    """
    if not path.exists():
        raise UserError(f"There is no interrupted training {path}: leave --resume out to start one.")
    with opened(path, "Training state", "delete it and train anew") as file:
        kind, data = _parts(file.read())
    try:
        if kind != KIND + hashlib.sha256(data).digest():
            raise ValueError("another kind of file, or a damaged one")
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        found, state = (content[name] for name in ("key", "state")) if isinstance(content, dict) else (None, None)
        if not isinstance(found, dict) or not isinstance(state, dict):
            raise TypeError(content)
    except Exception:  # torch's reader raises whatever its stack machine runs into
        raise UserError(f"Training state {path} is damaged or of another version: delete it and train anew.") from None
    for name, value in key.items():
        if found.get(name) != value:
            raise UserError(
                f"Training state {path} has {name} {found.get(name)} where {value} is asked for: "
                "resume with the settings and the data that it was started with, or leave --resume out."
            )
    return state


def _parts(content: bytes) -> tuple[bytes, bytes]:
    """What a file begins with, and what it keeps."""
    begin = len(KIND) + DIGEST_BYTES
    return content[:begin], content[begin:]
