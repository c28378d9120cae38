"""Commands in a folder of their own: run, stopped at a moment, compared with what they left before."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 580.0  # seconds that a command may take on a busy machine
ENDING = 15.0  # seconds that it may take to end once it was told to
MODEL = "tiny.safetensors"
CHANGING = {"seconds", "created", "gmac_per_second", "timestep_seconds", "versions", "command", "origin", "rtl"}
MARKED = re.compile(r"Traceback|Error:|Exception ignored|terminate called|Aborted|Bus error|Segmentation|Killed")


@dataclass(frozen=True)
class Command:
    """One long command with settings that take seconds.

    Fields:
        words: the command line.
        results: files and folders that hold its results.
        forgotten: what is removed so that there is work again, and results stay.
    """

    words: tuple[str, ...]
    results: tuple[str, ...]
    forgotten: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The command."""
        return self.words[0]


def _command(line: str, results: str, forgotten: str = "") -> Command:
    return Command(tuple(line.split()), tuple(results.split()), tuple(forgotten.split()))


COMMANDS = {
    command.name: command
    for command in (
        _command("train digits --steps 130 --batch-size 4 --out made/trained.safetensors", "made/trained.safetensors"),
        _command(f"quality --model {MODEL} --samples 4 --steps 4 --force", "tiny.quality.json"),
        _command(
            f"calibrate --model {MODEL} --target error=0.1 --images 2 --steps 4 --jobs 2 --threshold-only "
            "--out made/tiny.policy.json",
            "made/tiny.policy.json",
        ),
        _command(
            f"frontier --model {MODEL} --samples 30 --steps 4 --sampler unipc --spacing quadratic --no-history "
            "--policies fora:interval=2,radit --jobs 2 --out made/all",
            "made/all",
            "made/all/points",
        ),
        _command(
            f"ablate --model {MODEL} --samples 4 --steps 5 --variants codes:gain=0 --reductions 1.1 --jobs 2 "
            "--out made/ablated",
            "made/ablated",
            "made/ablated/points",
        ),
        _command(
            f"cosim --model {MODEL} --array 4x4 --steps 4 --policy dense,radit --images 2 --out made/run", "made/run"
        ),
        _command(f"demo --model {MODEL} --array 4x4 --steps 4 --images 2 --out made/demo", "made/demo"),
        _command(f"bench --array 4x4 --model {MODEL} --engines verilator --seconds 0.3 --out made/bench", "made/bench"),
        _command("export --array 4x4 --language verilog --out made/rtl", "made/rtl"),
        _command(f"area --array 4x4 --model {MODEL} --no-check --out made/area", "made/area", "made/area/pieces/0*"),
    )
}
LONG = tuple(COMMANDS)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status (negative: the signal), what it said, and how long it took."""

    status: int
    out: str
    err: str
    seconds: float

    def check(self, *statuses: int) -> Ended:
        """It ended as wanted, without anything that users should not see."""
        assert self.status in statuses, f"status {self.status}\n{self.out[-2000:]}\n{self.err[-4000:]}"
        assert not MARKED.search(self.err), self.err[-4000:]
        return self

    def refused(self, *words: str) -> Ended:
        """It ended with status 2 and one sentence."""
        self.check(2)
        said = [line for line in self.err.splitlines() if line.startswith("radit: ")]
        assert len(said) == 1 and self.err.rstrip().endswith(said[0]), self.err
        assert all(word in said[0] for word in words), said[0]
        return self


class Sandbox:
    """A folder in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def started(self, words: Sequence[str], environment: Mapping[str, str | None] | None = None, **how: Any):
        """A command as a process of its own group."""
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})}
        given = {name: value for name, value in variables.items() if value is not None}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
        return subprocess.Popen(
            [sys.executable, "-m", "radit", *words], cwd=self.folder, env=given, text=True, errors="replace",
            stdin=subprocess.DEVNULL, start_new_session=True, **pipes,
        )  # fmt: skip

    def run(self, words: Sequence[str], environment: Mapping[str, str | None] | None = None, **how: Any) -> Ended:
        """A command to its end."""
        since = time.monotonic()
        with self.started(words, environment, **how) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return Ended(process.returncode, out or "", err or "", time.monotonic() - since)

    def stopped(self, words: Sequence[str], after: float, number: signal.Signals) -> Ended:
        """A command that is sent a signal after so many seconds; Ctrl-C reaches the whole group, as on a terminal."""
        process = self.started(words)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            send = os.killpg if number == signal.SIGINT else os.kill
            send(process.pid, number)
        since = time.monotonic()
        out, err = process.communicate(timeout=60)
        _wait_for_group(process.pid)
        return Ended(process.returncode, out, err, time.monotonic() - since)

    def results(self, command: Command) -> dict[str, str]:
        """Every file of a command's results by name, as its normal form."""
        found = {}
        for name in command.results:
            for path in (self.folder / name, *(self.folder / name).rglob("*")):
                inside = path.relative_to(self.folder)
                if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                    found[str(inside)] = normal_form(path)
        return found

    def forget(self, command: Command) -> None:
        """Remove what would spare the command its work."""
        for pattern in command.forgotten:
            for path in self.folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _wait_for_group(group: int) -> None:
    """Nothing of a command outlives it for long."""
    end = time.monotonic() + ENDING
    while _living(group):
        assert time.monotonic() < end, f"processes of {group} are still there: {_living(group)}"
        time.sleep(0.2)


def _living(group: int) -> list[str]:
    """Processes of a group that are no zombies, without the compilers, which end by themselves."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().partition(" (")[2].rpartition(") ")
            except OSError:
                continue
            fields = rest.split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(f"{entry.name} {name}")
    return found


def normal_form(path: Path) -> str:
    """What must be equal between two runs of a command; fails on a file that is cut off."""
    data = path.read_bytes()
    if path.name == "bench.json":  # nothing but times
        data = json.dumps(sorted(json.loads(data))).encode()
    elif path.suffix == ".json":
        data = json.dumps(_without_times(json.loads(data)), sort_keys=True).encode()
    elif path.suffix == ".safetensors":  # whose library writes the metadata in any order
        size = 8 + int.from_bytes(data[:8], "little")
        data = json.dumps(json.loads(data[8:size]), sort_keys=True).encode() + data[size:]
    elif path.suffix == ".v":  # MyHDL writes sets of signals in an order that is another in every process
        assert data.rstrip().endswith(b"endmodule"), f"{path} is cut off"
        data = b" ".join(sorted(re.findall(rb"\w+", data)))
    elif path.suffix in (".html", ".svg"):  # they show when they were made, and how long it took
        assert data.rstrip().endswith((b"</html>", b"</svg>")), f"{path} is cut off"
        data = b"whole"
    return hashlib.sha256(data).hexdigest()


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _without_times(value) for name, value in content.items() if name not in CHANGING}
    return [_without_times(value) for value in content] if isinstance(content, list) else content
