"""Where invocations run: a folder with one good file of every kind, copied for each; and what has changed in it.

A sandbox is a folder with `work/`, the working directory, and beside it `tmp/` for temporary files. Nothing else of the
machine is written to: what is hostile is a link, a device or a name inside.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

WORK, TEMPORARY = "work", "tmp"
READ_ONLY = "/sys/none"  # where not even root can make anything


@dataclass(frozen=True)
class Mark:
    """What a path is: its kind, and of a file size and time; a link's target."""

    kind: int
    size: int = 0
    time: int = 0
    target: str = ""


def marks(root: Path) -> dict[str, Mark]:
    """Everything below a folder, by its path from there."""
    found: dict[str, Mark] = {}
    todo = [os.fsencode(root)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                name = os.fsdecode(os.path.relpath(entry.path, os.fsencode(root)))
                status = entry.stat(follow_symlinks=False)
                kind = stat.S_IFMT(status.st_mode)
                if kind == stat.S_IFDIR:
                    todo.append(entry.path)
                    found[name] = Mark(kind)
                elif kind == stat.S_IFLNK:
                    found[name] = Mark(kind, target=os.fsdecode(os.readlink(entry.path)))
                elif kind == stat.S_IFREG:
                    found[name] = Mark(kind, status.st_size, status.st_mtime_ns)
                else:
                    found[name] = Mark(kind)
    return found


def changes(root: Path, before: dict[str, Mark], original: Path) -> dict[str, str]:
    """What became of the paths of a sandbox: "new", "gone", "changed". A file of the same content has not changed."""
    after = marks(root)
    found = {name: "new" for name in after.keys() - before.keys()}
    found |= {name: "gone" for name in before.keys() - after.keys()}
    for name in after.keys() & before.keys():
        if after[name] != before[name] and not _same_bytes(root / name, original / name):
            found[name] = "changed"
    return found


def _same_bytes(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink() or not (one.is_file() and other.is_file()):
        return False
    return one.read_bytes() == other.read_bytes()


def copy(template: Path, target: Path) -> Path:
    """A sandbox like the template, with links, devices and times."""
    for folder in (template, *(Path(top) / name for top, names, _ in os.walk(template) for name in names)):
        if not folder.is_symlink():
            (target / folder.relative_to(template)).mkdir(parents=True, exist_ok=True)
    for top, folders, files in os.walk(template):
        there = target / Path(top).relative_to(template)
        for name in [*files, *(name for name in folders if (Path(top) / name).is_symlink())]:
            _copy(Path(top) / name, there / name)
    return target


def _copy(source: Path, target: Path) -> None:
    kind = stat.S_IFMT(source.lstat().st_mode)
    if kind in (stat.S_IFREG, stat.S_IFLNK):
        shutil.copy2(source, target, follow_symlinks=False)
    else:
        make_special(target, kind)


def make_special(path: Path, kind: int) -> None:
    """A pipe, a socket, or the device that is always full; without the right to make it a link to that of the machine,
    which nobody without rights can damage."""
    if kind == stat.S_IFIFO:
        os.mkfifo(path)
    elif kind == stat.S_IFSOCK:
        with socket.socket(socket.AF_UNIX) as one:
            here = os.open(path.parent, os.O_RDONLY)
            try:
                one.bind(f"/proc/self/fd/{here}/{path.name}")
            finally:
                os.close(here)
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        except PermissionError:
            path.symlink_to("/dev/full")


def add_traps(work: Path) -> None:
    """What a path can lead to and should not: see `tests/fuzz/pools.py`, which names them."""
    make_special(work / "full", stat.S_IFCHR)
    make_special(work / "pipe", stat.S_IFIFO)
    make_special(work / "socket", stat.S_IFSOCK)
    for suffix in (".safetensors", ".toml", ".pt", ".lib"):
        make_special(work / f"pipe{suffix}", stat.S_IFIFO)
        (work / f"empty{suffix}").touch()
        (work / f"folder{suffix}").mkdir()
    (work / "file").write_text("not a folder\n")
    (work / "empty").mkdir()
    (work / "loop").symlink_to("loop")
    (work / "dangling").symlink_to("nowhere/at/all")
    (work / "closed").symlink_to(READ_ONLY)
