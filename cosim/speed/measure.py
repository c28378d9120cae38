"""Measures the simulators, one after the other: on the whole work, or on the recorded vectors of its beginning."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from radit.cosim.engines import EngineError, Setup
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilate import BuildError
from radit.cosim.engines.verilator import VerilatorEngine
from radit.cosim.speed.cocotb_sim import build_cocotb, find_cocotb
from radit.cosim.speed.icarus import build_icarus, find_icarus
from radit.cosim.speed.vectors import Vectors
from radit.cosim.speed.watch import Command, ReplayError, watch
from radit.cosim.speed.work import Work
from radit.model.errors import UserError

ROOT = Path(__file__).parents[3]  # where the package radit is
TOP = "radit_top"
VERILATOR_SECONDS = 5.0  # of the limit; longer tells nothing new
FAILURES = (ReplayError, BuildError, EngineError)  # of a simulator that is there

Tick = Callable[[int], object]


@dataclass(frozen=True)
class Measurement:
    """One simulator.

    Fields:
        build_seconds: to compile or elaborate, until the first cycle can be simulated; the export to Verilog apart.
        cycles, seconds: simulated and timed, in so many runs.
        compared, different: values of outputs, or of x where the whole work ran.
        missing: what to install; empty if it was there.
        failed: what went wrong; empty if nothing.
    """

    engine: str
    version: str = ""
    threads: int = 1
    build_seconds: float = 0.0
    cycles: int = 0
    seconds: float = 0.0
    runs: int = 1
    compared: int = 0
    different: int = 0
    missing: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Task:
    """What to measure on.

    Fields:
        work: for the engines that do all of it.
        vectors: of its beginning, for those that replay; the others do without.
        limit: seconds that each may take for the timed cycles.
        folder: for files, empty.
        build: where exports and libraries are kept.
    """

    work: Work
    vectors: Vectors | None
    limit: float
    folder: Path
    build: Path = Path("build")

    @property
    def recorded(self) -> Vectors:
        """The vectors, which an engine that replays cannot do without."""
        if self.vectors is None:
            raise ValueError("there are no vectors to replay")
        return self.vectors

    def verilog(self) -> Path:
        """The exported top."""
        return exported_verilog(self.work.build, self.build / "rtl")


def measure(engine: str, task: Task, tick: Tick) -> Measurement:
    """Measure one of ``MEASURES``; what is missing or fails is in the result. ``tick`` receives the cycles so far."""
    try:
        return replace(MEASURES[engine](task, tick), engine=engine)
    except FAILURES as error:
        return Measurement(engine, failed=str(error))
    except UserError as error:
        return Measurement(engine, missing=str(error))


def _verilator(task: Task, threads: int) -> Measurement:
    """The whole work through the everyday engine, without its trace, again and again for a few seconds."""
    work, limit = task.work, task.limit
    setup = Setup(trace=False, threads=threads)
    cycles = runs = compared = different = 0
    with VerilatorEngine(work.build, task.verilog(), setup, cache=task.build / "verilated") as engine:
        driver = work.load(engine)
        work.step(driver)  # pages and caches
        seconds = 0.0
        while seconds < min(limit, VERILATOR_SECONDS):
            started = time.perf_counter()
            x = work.step(driver)
            seconds += time.perf_counter() - started
            cycles += engine.cycles
            runs += 1
            compared += x.size
            different += int(np.count_nonzero(x != work.expected))
        failed = f"{different} of {compared} values of x differ from the integer reference's" if different else ""
        measured = Measurement("", _verilator_version(), threads, engine.build_seconds, cycles, seconds, runs)
        return replace(measured, compared=compared, different=different, failed=failed)


def _verilator_version() -> str:
    return ".".join(map(str, find_verilator().version))


def _myhdl(task: Task, tick: Tick) -> Measurement:
    path = task.folder / "vectors"
    task.recorded.save(path)
    command = Command((sys.executable, "-m", "radit.cosim.speed.play_myhdl", str(path)), ROOT)
    return _replayed(task, command, version("myhdl"), 0.0, tick)


def _icarus(task: Task, tick: Tick) -> Measurement:
    found, verilog = find_icarus(), task.verilog()
    started = time.perf_counter()
    command = build_icarus(task.recorded, verilog, TOP, task.folder)
    return _replayed(task, command, found, time.perf_counter() - started, tick)


def _cocotb(task: Task, tick: Tick) -> Measurement:
    found = f"{find_cocotb()} on Verilator {_verilator_version()}"
    command, seconds = build_cocotb(task.recorded, task.verilog(), TOP, task.folder, task.build / "verilated")
    return _replayed(task, command, found, seconds, tick)


def _replayed(task: Task, command: Command, found: str, build_seconds: float, tick: Tick) -> Measurement:
    played = watch(command, task.recorded, task.limit, tick)
    return Measurement(
        engine="",
        version=found,
        build_seconds=build_seconds + played.load_seconds,
        cycles=played.cycles,
        seconds=played.seconds,
        compared=played.compared,
        different=played.different,
        failed=f"its outputs differ from those of the recording, first: {played.first}" if played.different else "",
    )


MEASURES: dict[str, Callable[[Task, Tick], Measurement]] = {
    "myhdl": _myhdl,
    "icarus": _icarus,
    "verilator": lambda task, tick: _verilator(task, threads=1),
    "verilator-2": lambda task, tick: _verilator(task, threads=2),
    "cocotb": _cocotb,
}


def recorder() -> str:
    """The engine that can record vectors: the fast one where it can be built."""
    try:
        find_verilator()
        find_compiler()
    except UserError:
        return "myhdl"
    return "verilator"
