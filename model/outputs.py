"""Paths to write to, checked before the work begins.

Every command and function that writes asks here first, so that an hour's run does not end at a path that could never be
written. The check writes to a nameless file in the nearest folder that exists, which tells more than permissions do,
and leaves nothing behind.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from radit.model.errors import UserError
from radit.model.plain_text import quoted

FOLDER, FILE = "folder", "file"
MOST_NAME = 200  # bytes of the last name of a path: 255 less what the names of temporary files beside it add
MOST_PATH = 3800  # bytes of a path: 4096 less the names inside the folder
AnyPath = str | os.PathLike[str]


def output_folder(path: AnyPath, option: str = "--out", files: Iterable[str] = (), folders: Iterable[str] = ()) -> Path:
    """Return the path of a folder to write to, which need not exist.

    Args:
        path: as it was given.
        option: what gave it, for the sentence.
        files, folders: names inside it that are to be written; those that exist must be of that kind.

    Raises:
        UserError: the path cannot be a folder, or nothing can be written there.
    """
    folder = _checked(path, option, FOLDER)
    if folder.is_dir():
        for kind, names in ((FILE, files), (FOLDER, folders)):
            for name in names:
                _checked(folder / name, option, kind)
    return folder


def output_file(path: AnyPath, option: str = "--out") -> Path:
    """Return the path of a file to write; where it is a link to a file, that of the file.

    Raises:
        UserError: the path cannot be a file, or nothing can be written there.
    """
    file = _checked(path, option, FILE)
    return _checked(file.resolve(), option, FILE) if file.is_symlink() else file


def _checked(path: AnyPath, option: str, kind: str) -> Path:
    """The path, if a folder or file can be written there."""
    text = os.fspath(path)

    def refusal(reason: str, remedy: str = "") -> UserError:
        return UserError(f"{option} is {quoted(text)}, {reason}: {remedy or f'give another {kind}'}.")

    target = Path(text)
    if target.name in ("", ".."):
        raise refusal("which has no name of its own", f"give a {kind} by its name, such as 'build/results'")
    if "\0" in text:
        raise refusal("which holds a NUL character")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise refusal("which is not text in UTF-8")
    if len(os.fsencode(target.name)) > MOST_NAME:
        raise refusal(f"whose last name is longer than {MOST_NAME} bytes", "give a shorter one")
    if len(os.fsencode(target.absolute())) > MOST_PATH:
        raise refusal(f"which is longer than {MOST_PATH} bytes from the root on", "give a shorter one")
    if kind == FILE and text.endswith("/"):
        raise refusal("which ends in /, as a folder does", "give a file")
    try:
        place, mode = _nearest(target)
        _check_kind(target, place, mode, kind)
        _try_to_write(place if stat.S_ISDIR(mode) else place.parent)
    except _Refused as error:
        raise refusal(*error.args) from None
    except OSError as error:
        raise refusal(f"where nothing can be written ({error.strerror or error})") from None
    return target


class _Refused(Exception):
    """Why a path is refused, and what to give instead."""


def _nearest(target: Path) -> tuple[Path, int]:
    """The path itself or its nearest ancestor that exists, and its mode."""
    for place in (target, *target.parents):
        try:
            return place, os.stat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                raise _Refused(f"where {quoted(place)} is a link to nothing") from None
    raise _Refused("from where no folder can be reached")


def _check_kind(target: Path, place: Path, mode: int, kind: str) -> None:
    """What is there is of the kind that is wanted."""
    if place != target:
        if not stat.S_ISDIR(mode):
            raise _Refused(f"and {quoted(place)} is no folder")
        longest = os.pathconf(place, "PC_NAME_MAX")
        if any(len(os.fsencode(name)) > longest for name in target.parts[len(place.parts) :]):
            raise _Refused(f"where a name is longer than {longest} bytes", "give a shorter one")
        return
    if kind == FOLDER and not stat.S_ISDIR(mode):
        raise _Refused("which is a file" if stat.S_ISREG(mode) else "which is no folder", "give a folder")
    if kind == FILE and not stat.S_ISREG(mode):
        raise _Refused("which is a folder" if stat.S_ISDIR(mode) else "which is no regular file", "give a file")


def _try_to_write(folder: Path) -> None:
    """Make a file in a folder that has no name, where the file system knows such, and is gone at once."""
    with tempfile.TemporaryFile(dir=folder, prefix=".radit-") as file:
        file.write(b"\0")
        file.flush()
