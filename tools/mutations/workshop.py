"""A copy of the sources that holds one mutant at a time, and what can be done with it: convert, compile, test."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from radit.cosim.engines.verilate import BuildError
from tests.system.gauntlet import BUILDS, COURSE, meet
from tests.system.quick_build import quick_build, using
from tools.mutations.mutants import ROOT, Mutant

COPIED = ("accel", "cosim", "model", "radit", "reports", "tests", "tools", "tox.ini", "setup.cfg")
CONVERT_SECONDS = 120  # an unchanged build takes five
GAUNTLET_SECONDS = 120  # all obstacles take five
TEST_SECONDS = 300  # the slowest file takes forty
PROGRAM = Path(__file__).with_name("elaborate.py")


class Fault(Exception):
    """What is wrong with a mutant, in a line: it is caught."""


class Workshop:
    """A folder of its own.

    Args:
        folder: made anew.
        cache: of compiled parts that all designs share.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder.resolve(), cache.resolve()
        self.tree, self.rtl = self.folder / "tree", self.folder / "rtl"
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in COPIED:
            self._copy(ROOT / name, self.tree / name)
        self._held: Mutant | None = None

    def _copy(self, source: Path, target: Path) -> None:
        """As links to the same files; a mutant's file is replaced, never written to."""
        if source.is_dir() and not source.is_symlink():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, symlinks=True, ignore=skip, copy_function=os.link)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target, follow_symlinks=False)

    def hold(self, mutant: Mutant | None) -> None:
        """Put a mutant into the copy, and the one before out of it."""
        if self._held is not None:
            self._write(self._held.file, self._held.source)
        self._held = mutant
        if mutant is not None:
            self._write(mutant.file, mutant.text)

    def _write(self, file: str, text: str) -> None:
        (self.tree / file).unlink()  # the file itself may be a link
        (self.tree / file).write_text(text, encoding="utf-8")

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}

    def convert(self, name: str) -> Path:
        """The Verilog of a build.

        Raises:
            Fault: it cannot be converted.
        """
        argument = f"{name}={json.dumps(asdict(BUILDS[name]))}"
        said = self.run_python(str(PROGRAM), str(self.rtl), argument)
        assert str(self.tree) in said, f"the copy of the sources was not taken: {said}"
        return self.rtl / f"{name}.v"

    def run_python(self, *arguments: str) -> str:
        """What a program says that imports the copy.

        Raises:
            Fault: it fails.
        """
        return self._run([sys.executable, *arguments], CONVERT_SECONDS, "conversion")

    def _run(self, command: Sequence[str], seconds: float, what: str) -> str:
        try:
            done = subprocess.run(
                command, cwd=self.tree, env=self._environment, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise Fault(f"{what}: not over after {seconds:.0f} seconds") from None
        if done.returncode:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            wrong = [line for line in lines if line.startswith(("E  ", "FAILED"))] or lines[-1:] or ["no message"]
            raise Fault(f"{what}: {wrong[0].strip()[:200]}")
        return done.stdout

    def verilate(self, name: str, verilog: Path) -> str:
        """Verilator's C++ of a build.

        Raises:
            Fault: Verilator refuses it.
        """
        work = self.folder / "quick"
        shutil.rmtree(work, ignore_errors=True)
        try:
            return quick_build(BUILDS[name], verilog).verilated(work)
        except BuildError as error:
            raise Fault(f"elaboration: {str(error).splitlines()[1][:200]}") from None

    def compile(self, name: str, verilog: Path) -> Path:
        """The library of what ``verilate`` made."""
        try:
            return quick_build(BUILDS[name], verilog).compiled(self.folder / "quick", self.cache)
        except subprocess.CalledProcessError as error:
            raise Fault(f"compilation: {error.stderr.splitlines()[-1][:200]}") from None

    def race(self, name: str, library: Path) -> None:
        """The gauntlet on a library.

        Raises:
            Fault: the first obstacle that finds something.
        """
        for obstacle in COURSE:
            run_apart(lambda obstacle=obstacle: _meet(name, obstacle, library), GAUNTLET_SECONDS, obstacle)

    def test(self, file: str) -> None:
        """A file of tests on the copy, without the VHDL.

        Raises:
            Fault: the first test that fails.
        """
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tools.mutations.plugin", "-p", "no:cacheprovider"]
        self._run([*command, f"--rootdir={self.tree}", "-c", str(self.tree / "tox.ini"), file], TEST_SECONDS, "tests")


def _meet(name: str, obstacle: str, library: Path) -> str:
    """What an obstacle finds, or nothing."""
    with using(library):
        try:
            found = meet(obstacle, BUILDS[name])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return found[0] if found else ""


def run_apart(work: Callable[[], str], seconds: float, what: str) -> None:
    """Run in a child process, which may crash or hang.

    Raises:
        Fault: the text that ``work`` returned, or how the child ended.
    """
    receiver, sender = get_context("fork").Pipe(duplex=False)

    def child() -> None:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sender.send(work())

    process = get_context("fork").Process(target=child)
    process.start()
    sender.close()
    said: str | None = None
    with suppress(EOFError):
        said = receiver.recv() if receiver.poll(seconds) else f"not over after {seconds:.0f} seconds"
    process.kill()
    process.join()
    receiver.close()
    if said is None:
        said = "the simulation broke off"
    if said:
        raise Fault(f"{what}: {said.splitlines()[0][:200]}")
