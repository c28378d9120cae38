"""Files read: one reader per format, which says whatever is wrong with a file in one sentence.

A file is opened without waiting for it: folders, devices and pipes are refused. What a file may hold is limited before
memory is taken for it, far above what RADiT writes. Nothing that is read is executed.

| format | reader | also refused |
|---|---|---|
| any | `read_bytes` | empty files, files of more than `MOST_BYTES` |
| text | `read_text` | what is not UTF-8 |
| JSON | `read_json`, `read_model` | NaN, infinities, repeated keys, `MOST_DEEP` levels, `MOST_DIGITS` digits |
| TOML | `read_toml` | the same depth, digits and keys |
| .npz | `read_arrays` | objects, arrays that are larger than the memory or than their file says |
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from radit.model.errors import UserError, shown
from radit.model.plain_text import one_line

Content = TypeVar("Content", bound=BaseModel)
MOST_BYTES = 16 << 20  # of a text, JSON or TOML file
MOST_TOML_BYTES = 1 << 18
MOST_DEEP = 40  # levels of objects in objects
MOST_DIGITS = 40  # of an integer
MOST_ARRAYS = 1000  # in a file
MOST_SHOWN_PATH = 400
SHOWN = (str, int, float, type(None))  # types of a wrong value that a sentence repeats
PART = r"(?:[\w-]+|\"[^\"\n]*\"|'[^'\n]*')"
DOTTED = re.compile(rf"(?<![\w-])(?:{PART}[ \t]*\.[ \t]*){{{MOST_DEEP}}}")  # a key of TOML that nests too deep
WHAT = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class Header(NamedTuple):
    """What an array's header says, known before memory is taken for the array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def opened(path: Path, noun: str, remedy: str) -> Iterator[BinaryIO]:
    """Give a file opened for reading, which is an ordinary one.

    Args:
        noun: what the file is, for the sentence.
        remedy: what to do where it cannot be read, for the sentence.

    Raises:
        UserError: there is none that can be read, or it is a folder, a device or a pipe.
    """
    with _told(path, noun, remedy, "cannot be read"):
        _check_kind(os.stat(path).st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _check_kind(os.fstat(handle).st_mode)
        except BaseException:
            os.close(handle)
            raise
    with open(handle, "rb") as file:
        yield file


def read_bytes(path: Path, noun: str, remedy: str, most: int = MOST_BYTES) -> bytes:
    """Return what a file holds; see `opened`.

    Raises:
        UserError: it cannot be read, is empty, or holds more than `most` bytes.
    """
    with _told(path, noun, remedy, "cannot be read"), opened(path, noun, remedy) as file:
        data = file.read(most + 1)
        if not data:
            raise ValueError("the file is empty")
        if len(data) > most:
            raise ValueError(f"it is larger than {most / 2**20:g} MiB, more than any of its kind")
        return data


def read_text(path: Path, noun: str, remedy: str, most: int = MOST_BYTES) -> str:
    """Return the text of a file in UTF-8; see `read_bytes`.

    Raises:
        UserError: it cannot be read, or is no text.
    """
    data = read_bytes(path, noun, remedy, most)
    with _told(path, noun, remedy, "is not text"):
        return data.decode("utf-8")


def read_json(path: Path, noun: str, remedy: str, endless: bool = False) -> Any:
    """Return what a JSON file holds; see `read_bytes`.

    Args:
        endless: infinities may stand there, as Python writes them.

    Raises:
        UserError: it cannot be read, or is not JSON.
    """
    data = read_bytes(path, noun, remedy)
    with _told(path, noun, remedy, "is not JSON"):
        text = data.decode("utf-8")
        found = json.loads(
            text,
            parse_constant=_infinity if endless else _no_constant,
            parse_int=_integer,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
        _check_depth(found)
        if "\\u" in text:
            _check_characters(found)
        return found


def read_model(kind: type[Content], path: Path, noun: str, remedy: str) -> Content:
    """Return what a JSON file holds as a model of a kind: numbers are numbers, not texts or truths; see `read_json`.

    Raises:
        UserError: it cannot be read, is not JSON, or does not fit the schema.
    """
    return fitting(kind, read_json(path, noun, remedy), path, noun, remedy)


def fitting(kind: type[Content], content: Any, path: Path, noun: str, remedy: str) -> Content:
    """Return content that `read_json` found in a file as a model of a kind.

    Raises:
        UserError: it does not fit the schema.
    """
    with _told(path, noun, remedy, "does not fit"):
        try:
            return kind.model_validate_json(json.dumps(content), strict=True)
        except ValidationError as error:
            raise ValueError(misfit(error)) from None


def read_toml(path: Path, noun: str, remedy: str) -> dict[str, Any]:
    """Return what a TOML file holds; see `read_bytes`.

    Raises:
        UserError: it cannot be read, or is not TOML.
    """
    text = read_text(path, noun, remedy, MOST_TOML_BYTES)
    with _told(path, noun, remedy, "is not valid TOML"):
        if DOTTED.search(text):
            raise ValueError(f"a key has more than {MOST_DEEP} parts")
        found = tomllib.loads(text)
        _check_depth(found)
        return found


def read_arrays(
    path: Path, noun: str, remedy: str, check: Callable[[Mapping[str, Header]], None] = lambda headers: None
) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file by name: booleans, numbers of up to 64 bits, and texts; see `opened`.

    Args:
        check: is shown the headers before memory is taken for the arrays, and raises a ValueError on what does not fit.

    Raises:
        UserError: it cannot be read, is damaged, or holds something else.
    """
    with _told(path, noun, remedy, "cannot be read, it may be cut off"), opened(path, noun, remedy) as file:
        if not os.fstat(file.fileno()).st_size:
            raise ValueError("the file is empty")
        with zipfile.ZipFile(file) as archive:
            headers = _headers(archive)
            check(headers)
            return {name: _array(archive, name) for name in headers}


def _headers(archive: zipfile.ZipFile) -> dict[str, Header]:
    """The headers of all arrays, each known to be as large as its file says, and all together to fit into memory."""
    members = archive.infolist()
    if len(members) > MOST_ARRAYS:
        raise ValueError(f"it holds {len(members)} arrays, more than {MOST_ARRAYS}")
    headers: dict[str, Header] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name == member.filename or name in headers:
            raise ValueError(f"{one_line(member.filename)} is {'a second one' if name in headers else 'no array'}")
        with archive.open(member) as part:
            headers[name] = _header(part)
            held = member.file_size - part.tell()
        if held != headers[name].nbytes:
            raise ValueError(f"array {one_line(name)} states {headers[name].nbytes} bytes and holds {held}")
    total, memory = (
        sum(header.nbytes for header in headers.values()),
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )
    if total > memory // 2:
        raise ValueError(f"its arrays need {total / 2**30:,.0f} GiB; this machine has {memory / 2**30:,.0f} GiB")
    return headers


def _header(part: Any) -> Header:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(part)
    if version not in readers:
        raise ValueError(f"an array has version {version}")
    try:
        shape, _, dtype = readers[version](part)
    except (
        ValueError,
        SyntaxError,
        TypeError,
        KeyError,
        RecursionError,
        TokenError,
    ):  # with what it parsed, inside out
        raise ValueError("the header of an array is damaged") from None
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"an array has the shape {one_line(shape)}")
    if dtype.kind not in "biufU" or (dtype.kind != "U" and dtype.itemsize > 8):
        raise ValueError(f"an array holds {one_line(dtype)}: booleans, numbers and texts are read")
    return Header(shape, dtype)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as part:
        found: np.ndarray = np.lib.format.read_array(part, allow_pickle=False)
        return found


def misfit(error: ValidationError) -> str:
    """Return the first problem of a validation as a clause that names field, value and remedy."""
    problem = error.errors(include_url=False)[0]
    place = ".".join(one_line(part) for part in problem["loc"])
    message = one_line(problem["msg"].removeprefix("Value error, ").rstrip("."), MOST_SHOWN_PATH)
    if not place:
        return message
    if problem["type"] == "missing":
        return f"field {place} is missing: add it"
    if problem["type"] == "extra_forbidden":
        return f"field {place} is unknown: remove it"
    field = f"field {place} is {shown(problem['input'])}" if isinstance(problem["input"], SHOWN) else f"field {place}"
    wanted = message.removeprefix("Input should be ")
    return f"{field}: {message}" if wanted == message else f"{field}: give it a value that is {wanted}"


def path_text(path: Path) -> str:
    """Return a path as text for a sentence."""
    return one_line(path, MOST_SHOWN_PATH)


@contextmanager
def _told(path: Path, noun: str, remedy: str, failed: str) -> Iterator[None]:
    """Turn whatever a library raises on a file into the sentence."""
    where = f"{noun} {path_text(path)}"
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{where} cannot be read ({error.strerror or one_line(error)}): {remedy}.") from None
    except RecursionError:
        raise UserError(f"{where} {failed} (it is nested too deep): {remedy}.") from None
    except Exception as error:  # of any kind: libraries raise what they like on a damaged file
        reason = one_line(error, MOST_SHOWN_PATH).rstrip(".") or type(error).__name__
        raise UserError(f"{where} {failed} ({reason}): {remedy}.") from None


def _check_kind(mode: int) -> None:
    kind = stat.S_IFMT(mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"it is {WHAT.get(kind, 'no ordinary file')}")


def _infinity(text: str) -> float:
    return float(text) if text.endswith("Infinity") else _no_constant(text)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"an integer has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise ValueError(f"{one_line(text)} is too large for a number")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {one_line(next(name for name in names if names.count(name) > 1))} stands twice")
    return found


def _check_depth(content: Any) -> None:
    """Refuse objects in more than `MOST_DEEP` others, and integers that no file states."""
    level = [content]
    for _ in range(MOST_DEEP):
        if any(isinstance(each, int) and abs(each) >= 10**MOST_DIGITS for each in level):
            raise ValueError(f"an integer has more than {MOST_DIGITS} digits")
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        level = [each for several in inside for each in several]
        if not level:
            return
    raise ValueError(f"it is nested more than {MOST_DEEP} levels deep")


def _check_characters(content: Any) -> None:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a character") from None
