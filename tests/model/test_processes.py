"""Workers: no more than there is work, and none outlives the command. One process at a time at one result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from radit.model.errors import UserError
from radit.model.system.processes import alone, in_thread, over_processes

SLEEP = """
import os, sys, time
from pathlib import Path
from radit.model.system.processes import over_processes
def wait(name):
    open(name, "w").close()
    time.sleep(600)

if __name__ == "__main__":
    print("started", flush=True)
    for _ in over_processes([(wait, f"{number}.called") for number in range(3)], 8):
        pass
"""
PATIENCE = 60.0
ROOT = Path(__file__).resolve().parents[2]


def process_of(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def children(pid: int) -> set[int]:
    """Processes of a parent, from the system's own table."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.add(int(entry.name))
    return found


def workers_of(pid: int) -> set[int]:
    """Its worker processes, without the tracker of temporary files."""
    return {child for child in children(pid) if b"LokyProcess" in Path(f"/proc/{child}/cmdline").read_bytes()}


def until(condition, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "patience is over"
        time.sleep(0.1)


def test_there_are_no_more_workers_than_calls() -> None:
    assert len(set(over_processes([(process_of, i) for i in range(2)], 16))) <= 2
    assert set(over_processes([(process_of, 0)], 16)) == {os.getpid()} == set(over_processes([(process_of, 0)] * 3, 1))
    assert list(over_processes([], 4)) == []


def test_work_that_is_given_up_says_nothing() -> None:
    """Whoever fails on the first result leaves the others."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = over_processes([(process_of, number) for number in range(6)], 2)
        next(results)
        results.close()
    assert [str(each.message) for each in told if "cancelled" in str(each.message)] == []


@pytest.mark.parametrize("signal_name", ["KILL", "INT"])
def test_workers_end_soon_after_their_parent(signal_name: str, tmp_path: Path) -> None:
    import signal

    parent = subprocess.Popen(
        [sys.executable, "-c", SLEEP], stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    workers: set[int] = set()
    try:
        until(lambda: len(list(tmp_path.glob("*.called"))) == 3)
        workers = workers_of(parent.pid)
    finally:
        send = os.killpg if signal_name == "INT" else os.kill  # as a terminal does it
        send(parent.pid, getattr(signal, f"SIG{signal_name}"))
    said = parent.communicate(timeout=PATIENCE)[1]
    assert said.count("Traceback") == (signal_name == "INT"), "a worker has something to say"
    until(lambda: not any(Path(f"/proc/{worker}/stat").exists() for worker in workers), 30.0)


def test_a_killed_worker_is_one_sentence() -> None:
    with pytest.raises(UserError, match="one of 2 processes was killed"):
        list(over_processes([(os.kill, 0, 0), (_end_myself,)], 2))


def _end_myself() -> None:
    os.kill(os.getpid(), 9)


def test_a_thread_gives_its_result_or_its_error() -> None:
    assert in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        in_thread(divmod, 7, 0)


HOLD = """
import sys
from pathlib import Path
from radit.model.system.processes import alone
with alone(Path(sys.argv[1]), "--out", is_folder=sys.argv[2] == "folder"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_two_processes_at_one_result(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "result"
    command = [sys.executable, "-c", HOLD, str(path), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match="--out is '.*result', where another radit command is at work: wait"),
            alone(path, "--out", is_folder=kind == "folder"),
        ):
            pass
        other.kill()
    with alone(path, "--out", is_folder=kind == "folder"):
        pass
    assert not path.exists() or os.listdir(path) == [], "nothing was written"
    assert not path.parent.exists() or set(os.listdir(path.parent)) <= {path.name}


def test_a_folder_that_stays_empty_goes(tmp_path: Path) -> None:
    with alone(tmp_path / "a" / "b", "--out"):
        assert (tmp_path / "a" / "b").is_dir()
    assert os.listdir(tmp_path) == []


def test_a_result_stays(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        with alone(folder, "--out"):
            (folder / "result").write_text("text")
        assert os.listdir(folder) == ["result"]
