"""Files are written whole or not at all, and what is wrong with one is said in a sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from radit.model import files
from radit.model.errors import UserError


class Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: int = Field(default=1, ge=1)

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        if name != name.lower():
            raise ValueError("write it in small letters.")
        return name


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "new" / "result.txt"
    files.write_file(path, "earlier")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    words = "result.txt cannot be written .No space left on device.: free some space there, or choose a place"

    with pytest.raises(UserError, match=words):
        files.write_file(path, "later")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "earlier" and os.listdir(path.parent) == ["result.txt"]


def test_json_and_arrays_survive_a_round_trip(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", Content(name="a", size=2))
    assert files.read_model(Content, tmp_path / "a.json", "thing", "make it") == Content(name="a", size=2)
    arrays = {"bits": np.array([True, False]), "text": "word", "number": 3}
    for compressed in (False, True):
        files.write_arrays(tmp_path / "a.npz", arrays, compressed)
        found = files.read_arrays(tmp_path / "a.npz", "things", "make them")
        assert found["bits"].tolist() == [True, False] and str(found["text"]) == "word" and int(found["number"]) == 3


def test_what_does_not_fit_is_not_written(tmp_path: Path) -> None:
    content = Content(name="a")
    content.size = 0
    with pytest.raises(ValueError, match="size"):
        files.write_json(tmp_path / "a.json", content)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"share": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "is not JSON"),
        ("[]", "does not fit (Input should be an object)"),
        ("{}", "does not fit (field name is missing: add it)"),
        ('{"name": "a", "width": 1}', "does not fit (field width is unknown: remove it)"),
        ('{"name": "a", "size": 0}', "(field size is 0: give it a value that is greater than or equal to 1)"),
        ('{"name": "A"}', "does not fit (field name is 'A': write it in small letters)"),
        ('{"name": [1]}', "does not fit (field name: give it a value that is a valid string)"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        files.read_model(Content, path, "thing", "make it again")
    message = str(caught.value)
    assert words in message and message.startswith(f"thing {path} ") and message.endswith(": make it again.")
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", None])
def test_damaged_arrays_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="things .*bad.npz cannot be read.*: make them again"):
        files.read_arrays(path, "things", "make them again")
