"""What the world around a command lacks: room, rights, programs, a reader; and two commands at one result."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sandbox import COMMANDS, LONG, Sandbox
from tests.faults.test_stopped import skip_without_programs

LARGEST = 600  # bytes of a file, where the limit stands for a full disk
QUICK = ("train", "calibrate", "cosim")


@pytest.fixture
def small_disk(sandbox: Sandbox) -> Iterator[Path]:
    """A disk of 64 KiB in the sandbox."""
    folder = sandbox.folder / "made"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))


@pytest.mark.parametrize("name", LONG)
def test_files_that_find_no_room(name: str, sandbox: Sandbox) -> None:
    """A limit of the size of files stands for the disk: everywhere, also for caches."""
    skip_without_programs(name)
    command = COMMANDS[name]
    ended = sandbox.run(command.words, preexec_fn=limited)
    if ended.status == 0:  # all of its files are smaller
        assert sandbox.results(command)
        return
    ended.refused("(File too large)")
    left = [path for path in sandbox.folder.rglob(".*") if path.is_file()]
    assert left == [], "something half written is left"
    sandbox.run(command.words).check(0)


@pytest.mark.parametrize("name", ["train", "demo", "frontier", "export", "bench"])
def test_a_full_disk(name: str, sandbox: Sandbox, small_disk: Path) -> None:
    command = COMMANDS[name]
    (small_disk / "filling").write_bytes(bytes(60 << 10))
    ended = sandbox.run(command.words)
    if ended.status:
        ended.refused("(No space left on device)")
        assert sandbox.results(command) == {} or name == "frontier", "something half written is left"
    (small_disk / "filling").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    sandbox.run(command.words).check(0)


def test_a_waveform_on_a_full_disk(sandbox: Sandbox, small_disk: Path) -> None:
    ended = sandbox.run([*COMMANDS["cosim"].words, "--waves"])
    ended.refused("waves", "cannot be written (No space left on device)", "free some space")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "no home": {"HOME": None, "XDG_CACHE_HOME": None},
    "a home that is not there": {"HOME": "/nonexistent/home"},
    "a home that cannot be written": {"HOME": "/proc"},
    "C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a notebook": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "no such backend": {"MPLBACKEND": "nonsense"},
    "20 columns": {"COLUMNS": "20", "TERM": "dumb"},
}


@pytest.mark.parametrize("variables", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_environments_do_not_matter(variables: dict[str, str | None], sandbox: Sandbox) -> None:
    for name in ("demo", "calibrate"):
        ended = sandbox.run(COMMANDS[name].words, variables).check(0)
        assert ended.out.strip()


def test_no_compiler(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    for program in ("sh", "env"):
        os.symlink(shutil.which(program) or "/bin/sh", path / program)
    for name in ("cosim", "demo"):
        sandbox.run(COMMANDS[name].words, {"PATH": str(path), "CXX": None}).refused(
            "g++", "which is missing", "install"
        )


def test_no_yosys(sandbox: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "yosys"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    sandbox.run(COMMANDS["area"].words, {"PATH": f"{tmp_path}:{os.environ['PATH']}"}).refused("ended with status 3")


@pytest.mark.parametrize("name", QUICK)
def test_nobody_reads(name: str, sandbox: Sandbox) -> None:
    """As ``radit .. | head -1``."""
    command = COMMANDS[name]
    read, write = os.pipe()
    os.close(read)
    try:
        ended = sandbox.run(command.words, stdout=write)
    finally:
        os.close(write)
    ended.check(0, 128 + 13)
    sandbox.run(command.words).check(0)


@pytest.mark.parametrize("name", [name for name in LONG if name not in ("quality", "bench", "area")])
def test_two_at_one_result(name: str, sandbox: Sandbox) -> None:
    command = COMMANDS[name]
    whole = sandbox.run(command.words).check(0)
    before = sandbox.results(command)
    sandbox.forget(command)
    first = sandbox.started(command.words)
    time.sleep(0.1)
    second = sandbox.run(command.words)
    first.communicate(timeout=60 + 10 * whole.seconds)
    statuses = sorted((first.returncode, second.status))
    assert statuses in ([0, 0], [0, 2]), (statuses, second.err)
    if second.status == 2:
        second.refused("--out is", "where another radit command is at work")
    assert sandbox.results(command) == before


def test_the_terminal_goes_away(sandbox: Sandbox) -> None:
    ended = sandbox.stopped(COMMANDS["frontier"].words, 6.0, signal.SIGHUP)
    assert ended.status in (0, -signal.SIGHUP)
    sandbox.run(COMMANDS["frontier"].words).check(0)
