"""Paths that nothing can be written to, one of each kind, and those that only look so."""

import os
from pathlib import Path

BOTH = {
    "a device": "/dev/null",
    "a full device": "/dev/full",
    "below a device": "/dev/null/results",
    "below a file": "file/results",
    "far below a file": "file/a/b/c",
    "where nobody may write": "/proc/results",
    "a loop of links": "loop",
    "below a loop of links": "loop/results",
    "a link to nothing": "dangling",
    "below a link to nothing": "dangling/results",
    "a long name": "n" * 300,
    "below a long name": f"{'n' * 300}/results",
    "below a long name that is not there yet": f"missing/{'n' * 300}/results",
    "a name too long for temporary files beside it": "n" * 240,
    "a long path": "/".join(["folder"] * 1000),
    "a path that leaves no room for names": f"/{'/'.join(['d' * 100] * 39)}",
    "nothing": "",
    "here": ".",
    "above": "..",
    "the root": "/",
    "above a folder": "folder/..",
    "no text": "caf\udce9",
    "a NUL": "file\0",
    "a pipe": "pipe",
}
AS_FOLDER = {"a file": "file", "a link to a file": "to_file"}
AS_FILE = {"a folder": "folder", "a link to a folder": "to_folder", "a name that ends in a slash": "results/"}
FINE = {
    "markup": "[/red]results[bold]",
    "emoji code": ":smile:",
    "spaces": " a folder  with spaces ",
    "line end": "two\nlines",
    "escape code": "\x1b[31mred\x1b[0m",
    "right to left": "\u202eresults",
    "accents": "café",
    "an option": "--out",
    "below what is missing": "missing/results",
    "below a link to a folder": "to_folder/results",
}


def make_hostile(here: Path) -> None:
    """What the relative paths above lie in."""
    (here / "file").write_text("mine")
    (here / "folder").mkdir()
    for link, target in {
        "loop": "loop", "dangling": "nowhere", "to_file": "file", "to_folder": "folder",
    }.items():  # fmt: skip
        (here / link).symlink_to(target)
    os.mkfifo(here / "pipe")


def everything(here: Path) -> dict[str, object]:
    """Every name below a folder with what is in the files."""
    found = {}
    for path in sorted(here.rglob("*")):
        kind = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else path.stat().st_mode
        found[str(path.relative_to(here))] = kind
    return found
