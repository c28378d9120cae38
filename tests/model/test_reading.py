"""Whatever a file holds, reading it ends in its content or in one sentence that names the file and the remedy."""

from __future__ import annotations

import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radit.model import reading
from radit.model.errors import UserError
from tests.mutants import examples

READERS: dict[str, Callable[..., Any]] = {
    "a.txt": reading.read_text,
    "a.json": reading.read_json,
    "a.toml": reading.read_toml,
    "a.npz": reading.read_arrays,
}
DEEP = 100_000
every_reader = pytest.mark.parametrize("name", READERS)


def sentence(path: Path, **arguments: Any) -> str:
    """What is said of a file."""
    with pytest.raises(UserError) as caught:
        READERS[path.name](path, "thing", "make it again", **arguments)
    message = str(caught.value)
    assert message.startswith("thing ") and path.name in message and message.endswith(": make it again.")
    assert message.isprintable() and len(message) < 1200
    return message


def zipped(path: Path, **members: bytes) -> Path:
    """A zip file with these members, ending .npy."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def array_file(header: str, data: bytes = b"") -> bytes:
    """An .npy file with a header as it is given."""
    text = header.encode() + b" " * (53 - len(header) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


GOOD = array_file("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", b"1234")


@every_reader
def test_what_is_no_file_is_said_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert "No such file" in sentence(path)
    path.mkdir()
    assert "it is a folder" in sentence(path)
    path.rmdir()
    os.mkfifo(path)
    assert "it is a pipe" in sentence(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "it is a device" in sentence(path)
    path.unlink()
    path.symlink_to(path)
    assert "symbolic links" in sentence(path)
    path.unlink()
    path.write_bytes(b"")
    assert "the file is empty" in sentence(path)


@every_reader
def test_a_path_that_cannot_be_one_is_said(name: str) -> None:
    for folder in ("x" * 5000, "a\0b", "\udcff\n\x1b[31m"):
        assert "\\n" in sentence(Path(folder) / name) or "cannot be read (" in sentence(Path(folder) / name)


@every_reader
def test_bytes_of_another_kind_are_said(tmp_path: Path, name: str, rng: np.random.Generator) -> None:
    path = tmp_path / name
    for data in (b"\xff\xfe\x00\x01", b"\x89PNG\r\n\x1a\n\0", b"\x80\x04\x95pickle", rng.bytes(5000)):
        path.write_bytes(data)
        sentence(path)


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.toml"])
def test_a_text_too_large_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    assert "MiB, more than any of its kind" in sentence(path)


@pytest.mark.parametrize(
    "text, words",
    [
        ("[" * DEEP, "nested too deep"),
        ("[" * DEEP + "]" * DEEP, "nested too deep"),
        ('{"a":' * 60 + "1" + "}" * 60, "nested more than 40 levels deep"),
        ("1" * 5000, "an integer has 5000 digits"),
        ("-" + "1" * 50, "an integer has 51 digits"),
        ("NaN", "NaN is no number of JSON"),
        ('{"a": [-Infinity]}', "-Infinity is no number of JSON"),
        ("1e999", "1e999 is too large for a number"),
        ('{"a": 1, "b": 2, "a": 1}', "key a stands twice"),
        ('{"\\u001b[31m\\n": 1, "\\u001b[31m\\n": 1}', "key \\x1b[31m\\n stands twice"),
        ('{"a": "\\ud800"}', "a text holds half a character"),
        ("\ufeff{}", "BOM"),
        ("{} {}", "Extra data"),
        ("{'a': 1}", "double quotes"),
        ('{"a": "\n"}', "control character"),
    ],
)
def test_json_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    found = sentence(path)
    assert "is not JSON" in found and words in found


@pytest.mark.parametrize(
    "text, words",
    [
        ("a = " + "[" * DEEP, "nested too deep"),
        ("a = " + "{a=" * 20_000, "nested too deep"),
        (".".join(["a"] * DEEP) + " = 1", "a key has more than 40 parts"),
        (f"[{' . '.join(['a', chr(34) + 'a b' + chr(34)] * 5000)}]", "a key has more than 40 parts"),
        (f"a = {'[' * 60}{']' * 60}", "nested more than 40 levels deep"),
        ("a = " + "1" * 5000, "digits"),
        ("a = 0x" + "f" * 5000, "more than 40 digits"),
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("[a]\n[a]", "twice"),
        ("a = 1979-02-30", "Invalid date"),
    ],
)
def test_toml_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    found = sentence(path)
    assert "is not valid TOML" in found and words in found


@pytest.mark.parametrize(
    "member, words",
    [
        (array_file("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), "holds object"),
        (array_file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"1234"), "numbers and texts"),
        (array_file("{'descr': '<c16', 'fortran_order': False, 'shape': (1,)}", bytes(16)), "holds complex128"),
        (array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"), "states 4398046511104"),
        (array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", b"1234567"), "and holds 7"),
        (array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "the shape (-1,)"),
        (array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 60 + ",)}"), "states"),
        (array_file("{'descr': '<f4', 'fortran_order': False}"), "cut off"),
        (array_file("(" * 300 + ")" * 300), "cut off"),
        (array_file("__import__('os').abort()"), "the header of an array is damaged"),
        (array_file("{'descr': '<f4', 'fortran_order': Fals, 'shape': (1,)}"), "the header of an array is damaged"),
        (b"\x93NUMPY\x09\x00", "version"),
        (b"no array", "magic string"),
    ],
)  # fmt: skip
def test_arrays_that_are_none(tmp_path: Path, member: bytes, words: str) -> None:
    found = sentence(zipped(tmp_path / "a.npz", good=GOOD, bad=member))
    assert "cannot be read" in found and words in found


def test_archives_that_hold_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.py", "")
    assert "../../evil.py is no array" in sentence(path)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.npy", GOOD)
    assert "it holds 1001 arrays" in sentence(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.npy", GOOD)
        archive.writestr("a.npy", GOOD)
    assert "a.npy is a second one" in sentence(path)


def test_arrays_take_no_memory_before_they_are_known_to_fit(tmp_path: Path, monkeypatch) -> None:
    """A file of some kilobytes that says, truthfully, that it unpacks to 64 MiB, on a machine of 100 MiB."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, zeros=np.zeros(8 << 20))
    assert path.stat().st_size < 100_000
    usual = os.sysconf
    monkeypatch.setattr(os, "sysconf", lambda name: 25_600 if name == "SC_PHYS_PAGES" else usual(name))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "this machine has 0 GiB" in sentence(path)
    monkeypatch.undo()

    def refuse(headers: Any) -> None:
        assert headers == {"zeros": ((8 << 20,), np.dtype(np.float64))}
        raise ValueError("array zeros has another shape")

    assert "array zeros has another shape" in sentence(path, check=refuse)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KiB
    assert len(reading.read_arrays(path, "thing", "")["zeros"]) == 8 << 20


@pytest.mark.parametrize("name", ["a.json", "a.toml", "a.npz"])
def test_every_cut_and_flipped_byte_is_noticed_or_harmless(tmp_path: Path, rng: np.random.Generator, name: str) -> None:
    path, noticed = tmp_path / name, 0
    np.savez_compressed(tmp_path / "a.npz", numbers=np.arange(40), text="word")
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, "x", null], "b": {"c": true}}')
    (tmp_path / "a.toml").write_text('a = 1\n[b]\nc = [1, 2.5, "x"]\n')
    good = path.read_bytes()
    for _ in range(examples(300)):
        data = bytearray(good[: rng.integers(len(good) + 1)] if rng.random() < 0.3 else good)
        for place in rng.integers(max(1, len(data)), size=rng.integers(4)):
            if data:
                data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            READERS[name](path, "thing", "make it again")
        except UserError as error:
            noticed += "\n" not in str(error)
    assert noticed > 50


@settings(max_examples=examples(50), deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_content_or_a_sentence(tmp_path_factory, data: bytes) -> None:
    for name, reader in READERS.items():
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(data)
        try:
            reader(path, "thing", "make it again")
        except UserError as error:
            assert str(error).isprintable()
