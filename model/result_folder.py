"""A folder with the files of one run: all those of the new run or all those of the earlier one, never some of each.

New files are written into a folder inside it. One rename decides that they count. Then the earlier run's files that the
new run does not have are removed, and the new ones take their places. An interruption leaves the earlier run, or a
decided one, which is put in place by whoever opens the folder next. Writers exclude each other and readers.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from radit.model.errors import UserError
from radit.model.files import unwritable, write_file
from radit.model.plain_text import quoted

WRITING, DECIDED, MOVING = ".radit-writing", ".radit-decided", ".radit-moving"


class ResultFolder:
    """An open folder, see `open_results`.

    Args:
        path: where it is.
        names: all files that a run may have: paths inside the folder, patterns of `Path.glob`.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = path, names

    @contextmanager
    def replaced(self, keep: bool = False) -> Iterator[Path]:
        """Give an empty folder to write files to, which take the place of the earlier run's where the block ends well.

        Args:
            keep: leave the earlier files that have no successor, because they are of the same run.

        Raises:
            UserError: something cannot be written.
        """
        work = self.path / WRITING
        try:
            _remove(work)
            work.mkdir()
            yield work
            os.replace(work, self.path / (MOVING if keep else DECIDED))
            self.settle()
        except BaseException as error:
            with suppress(OSError):
                _remove(work)
            if isinstance(error, OSError):
                raise unwritable(self.path, error) from error
            raise

    def settle(self) -> None:
        """Put decided files in their places."""
        decided, moving = self.path / DECIDED, self.path / MOVING
        for path in (decided, moving):
            if not _is_folder(path):
                path.unlink(missing_ok=True)
        if _is_folder(decided):
            for path in self._files():
                if not (decided / path.relative_to(self.path)).exists():
                    path.unlink()
                    if path.parent != self.path:
                        with suppress(OSError):  # something else is in it
                            path.parent.rmdir()
            os.replace(decided, moving)
        if _is_folder(moving):
            for path in [path for path in sorted(moving.rglob("*")) if not path.is_dir()]:
                target = self.path / path.relative_to(moving)
                target.parent.mkdir(parents=True, exist_ok=True)
                _move(path, target)
            shutil.rmtree(moving)

    @property
    def is_settled(self) -> bool:
        """Whether no decided files are left to be put in place."""
        return not any(_is_folder(self.path / name) for name in (DECIDED, MOVING))

    def _files(self) -> list[Path]:
        found = [path for name in self.names for path in self.path.glob(name)]
        return [path for path in found if path.is_symlink() or not path.is_dir()]


@contextmanager
def open_results(path: Path, names: Sequence[str], to_write: bool = False) -> Iterator[ResultFolder]:
    """Open a folder for one reader or writer; others wait.

    Args:
        path: where it is missing, nothing is made and nobody waits.
        names: see `ResultFolder`.

    Raises:
        UserError: an interrupted run's files cannot be put in their places.
    """
    folder = ResultFolder(path, names)
    if not os.path.isdir(path):  # whatever the path: a name too long, too, leads to no folder
        yield folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if to_write or not folder.is_settled:
            _lock(handle, fcntl.LOCK_EX)
            try:
                folder.settle()
            except OSError as error:
                raise UserError(
                    f"folder {quoted(path)} holds a run that was interrupted while its files were put in place, which "
                    f"cannot be finished ({error.strerror}): make the folder writable, or run again into another."
                ) from None
        else:
            _lock(handle, fcntl.LOCK_SH)
        yield folder
    finally:
        os.close(handle)


def _lock(handle: int, kind: int) -> None:
    """Wait for a lock, where the file system has locks."""
    try:
        fcntl.flock(handle, kind)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise


def _is_folder(path: Path) -> bool:
    """Whether there is a folder itself, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, where there is one."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _move(path: Path, target: Path) -> None:
    """Put a file in its place, also where that is a link to another file system."""
    try:
        os.replace(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_file(target, path.read_bytes())
