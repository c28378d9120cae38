"""A folder shows all files of the new run or all of the earlier one, wherever the writer was interrupted."""

import multiprocessing
import os
from pathlib import Path

import pytest

from radit.model import result_folder
from radit.model.errors import UserError
from radit.model.result_folder import DECIDED, MOVING, WRITING, open_results
from tests.hostile_paths import everything

NAMES = ("summary", "arrays", "images/*.png")
OLD = {"summary": b"old", "arrays": b"old", "images/0.png": b"old", "images/1.png": b"old"}
NEW = {"summary": b"new", "images/0.png": b"new", "rtl/top.v": b"new"}
MINE = {"mine": b"kept", "images/holiday.jpg": b"kept"}


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def shown(folder: Path) -> dict[str, bytes]:
    """What a reader finds."""
    with open_results(folder, NAMES):
        return {name: data for name, data in everything(folder).items() if isinstance(data, bytes)}


def replace(folder: Path, files: dict[str, bytes], keep: bool = False) -> None:
    with open_results(folder, NAMES, to_write=True) as found, found.replaced(keep) as part:
        fill(part, files)


@pytest.fixture
def folder(tmp_path) -> Path:
    fill(tmp_path / "run", OLD | MINE)
    return tmp_path / "run"


def test_the_new_run_replaces_the_earlier_one(folder):
    replace(folder, NEW)
    assert shown(folder) == NEW | MINE


def test_folders_that_become_empty_go(folder):
    (folder / "images" / "holiday.jpg").unlink()
    replace(folder, {"summary": b"new"})
    assert not (folder / "images").exists() and (folder / "mine").exists()


def test_files_of_the_same_run_stay(folder):
    replace(folder, {"summary": b"priced"}, keep=True)
    assert shown(folder) == OLD | MINE | {"summary": b"priced"}


def test_a_failure_leaves_the_earlier_run(folder):
    with pytest.raises(ValueError), open_results(folder, NAMES, to_write=True) as found, found.replaced() as part:
        fill(part, NEW)
        raise ValueError
    assert shown(folder) == OLD | MINE and not (folder / WRITING).exists()


class Killed(BaseException):
    pass


CHANGES = ("replace", "unlink", "rmdir", "mkdir")  # calls of os that change a folder


@pytest.mark.parametrize("keep", [False, True])
def test_whatever_the_interruption(tmp_path, monkeypatch, keep):
    """Every call that changes the folder in turn is the last one; afterwards a reader sees one run."""
    runs = [OLD | MINE, (OLD if keep else {}) | NEW | MINE]
    seen, real = [], {name: getattr(os, name) for name in CHANGES}
    for last in range(100):
        folder, count = tmp_path / f"{last}", [0]
        fill(folder, OLD | MINE)

        def counted(name, count=count, last=last):
            def call(*arguments, **options):
                if count[0] >= last:
                    raise Killed
                count[0] += 1
                return real[name](*arguments, **options)

            return call

        for name in CHANGES:
            monkeypatch.setattr(os, name, counted(name))
        try:
            replace(folder, NEW, keep)
            complete = True
        except Killed:
            complete = False
        for name in CHANGES:
            monkeypatch.setattr(os, name, real[name])
        found = {name: data for name, data in shown(folder).items() if not name.startswith(WRITING)}
        assert found in runs, f"killed at change {last}"
        seen.append(runs.index(found))
        replace(folder, NEW, keep)  # the same again succeeds
        assert shown(folder) == runs[1] and not (folder / WRITING).exists()
        if complete:
            break
    assert complete and seen == sorted(seen) and {0, 1} <= set(seen) and len(seen) > 8


def test_a_folder_that_cannot_be_finished_is_named(folder, monkeypatch):
    fill(folder / DECIDED, NEW)

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(result_folder.os, "replace", refuse)
    with pytest.raises(UserError, match="interrupted while its files were put in place.*Permission denied"):
        shown(folder)


@pytest.mark.parametrize("name", [DECIDED, MOVING, WRITING])
def test_links_in_the_folder_lead_nowhere(folder, tmp_path, name):
    """A folder from somebody else makes us remove or move nothing outside."""
    outside = tmp_path / "outside"
    fill(outside, {"summary": b"theirs", "x/y": b"theirs"})
    (folder / name).symlink_to(outside)
    before = everything(outside)
    with open_results(folder, NAMES):
        pass
    assert everything(outside) == before
    replace(folder, NEW)
    assert everything(outside) == before


def test_a_missing_folder_is_not_made(tmp_path):
    with open_results(tmp_path / "none", NAMES):
        pass
    assert not (tmp_path / "none").exists()


def write_often(folder: Path, letter: bytes) -> None:
    for _ in range(30):
        replace(folder, {name: letter for name in OLD})


def test_writers_and_readers_take_turns(tmp_path):
    folder = tmp_path / "run"
    fill(folder, OLD)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_often, args=(folder, letter)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        with open_results(folder, NAMES):
            assert len({(folder / name).read_bytes() for name in OLD}) == 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0


def test_a_path_that_leads_nowhere_is_no_folder():
    """What reads from it says so; here nobody waits and nothing is made."""
    for path in (Path("x" * 5000), Path("a\0b"), Path("d/" * 3000)):
        with open_results(path, NAMES) as found:
            assert found.path == path
