"""Caches: whatever happened to a file, it is made again, and what it holds is what was made."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from radit.model.system.caches import DIGESTS, kept, made_once, read_sealed, read_tensors, write_sealed, write_tensors

ARRAYS = {"weights": np.arange(12, dtype=np.float32).reshape(3, 4), "one": np.array(7)}
FACTS = {"code": "abc"}
CONTENT = {"cells": 12, "share": 0.1, "names": ["a"]}


def flip(path: Path, place: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


def turn_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "flipped in the middle": flip,
    "flipped at the end": lambda path: flip(path, 0.97),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 9),
    "a list": lambda path: path.write_text("[]"),
    "another object": lambda path: path.write_text("{}"),
    "a folder": turn_into_a_folder,
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}
EACH_DAMAGE = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@EACH_DAMAGE
def test_a_damaged_file_holds_nothing(damage, tmp_path: Path) -> None:
    objects, tensors = tmp_path / "a.json", tmp_path / "a.safetensors"
    write_sealed(objects, CONTENT)
    write_tensors(tensors, ARRAYS, FACTS)
    assert read_sealed(objects) == CONTENT
    found = read_tensors(tensors)
    assert found is not None and found[1] == FACTS
    assert all(np.array_equal(found[0][name], array) for name, array in ARRAYS.items())
    damage(objects)
    damage(tensors)
    assert read_sealed(objects) is None and read_tensors(tensors) is None
    assert read_tensors(tensors, sealed=False) is None


def test_every_flipped_bit_is_seen(tmp_path: Path, rng) -> None:
    objects, tensors = tmp_path / "a.json", tmp_path / "a.safetensors"
    write_sealed(objects, CONTENT)
    write_tensors(tensors, ARRAYS, FACTS)
    for path, read in ((objects, read_sealed), (tensors, read_tensors)):
        whole, right = path.read_bytes(), repr(read(path))
        for place in rng.permutation(len(whole))[:200]:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.integers(8)]) + whole[place + 1 :])
            assert repr(read(path)) in (right, "None"), f"byte {place}"  # a space of the JSON may become another
        path.write_bytes(whole)


@EACH_DAMAGE
def test_a_damaged_file_is_made_again_with_one_line(damage, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO, "radit")
    path, made = tmp_path / "a.json", []

    def make() -> dict:
        made.append(1)
        return CONTENT

    for _ in range(2):
        assert kept(path, read_sealed, make, write_sealed) == CONTENT
    assert len(made) == 1 and caplog.messages == []
    damage(path)
    assert kept(path, read_sealed, make, write_sealed) == CONTENT
    assert len(made) == 2 and len(caplog.messages) == (2 if damage is turn_into_a_folder else 1)
    if damage is not turn_into_a_folder:
        assert read_sealed(path) == CONTENT


@EACH_DAMAGE
@pytest.mark.parametrize("name", ["library", DIGESTS])
def test_a_folder_with_a_damaged_file_is_made_again(damage, name: str, tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(1)
        (folder / "library").write_bytes(bytes(1000))

    folder = tmp_path / "cache" / "key"
    for _ in range(2):
        assert (made_once(folder, make) / "library").read_bytes() == bytes(1000)
    assert len(made) == 1
    damage(folder / name)
    assert (made_once(folder, make) / "library").read_bytes() == bytes(1000)
    assert len(made) == 2 and {path.name for path in folder.iterdir()} == {"library", DIGESTS}


def test_a_file_in_the_place_of_a_folder_is_replaced_and_leftovers_go(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    folder.write_text("not a folder")
    (tmp_path / "key.1.part").mkdir()
    made_once(folder, lambda work: (work / "file").write_text("text"))
    assert (folder / "file").read_text() == "text"
    assert sorted(os.listdir(tmp_path)) == ["key", "key.lock"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(work: Path) -> None:
        (work / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "key", fail)
    assert os.listdir(tmp_path) == ["key.lock"]
