"""Commands that are interrupted or find no room: one line, the right status, nothing half written.

A handful of what `tests/faults` does to every long command.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radit import run_commands
from radit.cli import main
from tests.conftest import missing_program

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds, on a busy machine


def started(*words: str, folder: Path, **how) -> subprocess.Popen[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "radit", *words], cwd=folder, env=variables, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **how,
    )  # fmt: skip


def failing(error: BaseException):
    def fail(*_, **__):
        raise error

    return fail


def test_ctrl_c_is_one_line_with_what_stays(monkeypatch, capsys, tmp_path: Path) -> None:
    error = KeyboardInterrupt()
    error.add_note("--resume goes on from timestep 3, block 2")
    monkeypatch.setattr(run_commands, "cosimulate", failing(error))
    assert main(["cosim", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "radit: interrupted: --resume goes on from timestep 3, block 2.\n"
    assert os.listdir(tmp_path) == []


def test_a_failure_of_the_system_is_one_sentence(monkeypatch, capsys, tmp_path: Path) -> None:
    for error, words in (
        (OSError(errno.EIO, "Input/output error", "/some/file"), "/some/file cannot be used (Input/output error)"),
        (OSError(errno.EMFILE, "Too many open files"), "the system refuses (Too many open files)"),
    ):
        monkeypatch.setattr(run_commands, "cosimulate", failing(error))
        assert main(["cosim", "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"radit: {words}: ") and said.count("\n") == 1


def test_backends_of_plots_do_not_matter(monkeypatch, capsys) -> None:
    seen = []
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    monkeypatch.setattr(run_commands, "cosimulate", lambda **_: seen.append(os.environ["MPLBACKEND"]) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["cosim"])
    assert seen == ["agg"] and os.environ["MPLBACKEND"] == "nonsense"


def test_an_interrupted_training_says_where_it_goes_on(tmp_path: Path) -> None:
    words = "train", "digits", "--batch-size", "2", "--out", "a.safetensors", "--steps"
    process = started(*words, "100000", folder=tmp_path)
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "a.training").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    second = started(*words, "3", folder=tmp_path)
    said = second.communicate(timeout=PATIENCE)[1]
    assert second.returncode == 2 and "--out is 'a.safetensors', where another radit command is at work" in said
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130
    assert said.startswith("radit: interrupted: --resume goes on from step ") and said.count("\n") == 1
    assert os.listdir(tmp_path) == ["a.training"]


def test_files_that_find_no_room_are_named(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    words = "train", "digits", "--steps", "2", "--batch-size", "2", "--out", "a.safetensors"
    process = started(*words, folder=tmp_path, preexec_fn=limited)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2 and os.listdir(tmp_path) == []
    assert "a.safetensors cannot be written (" in said and said.count("radit: ") == 1


@pytest.mark.skipif(bool(missing_program("verilator")), reason="needs verilator: g++ is not installed")
def test_a_missing_compiler_is_said_before_the_work(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert main(["cosim", "--array", "4x4", "--timesteps", "1", "--steps", "2"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("radit: CXX is 'no-such-compiler', which is missing: install g++")
    assert not (tmp_path / "build" / "rtl").exists()
