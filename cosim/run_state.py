"""The state of an interrupted run, in files: what it was, how far it had come, the simulation, its memories.

Kept at the ends of blocks, as often as costs little. A run that goes on from it computes the reference anew from the
start of the image, which takes a small share of the simulation's time, and simulates only what is left.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from radit.cosim.driver import Driver
from radit.cosim.engines import Engine
from radit.cosim.scoreboard import Comparison
from radit.model.errors import UserError
from radit.model.files import write_arrays
from radit.model.plain_text import one_line
from radit.model.reading import Header, fitting, path_text, read_arrays
from radit.model.schema import Count, Part
from radit.model.system.caches import read_sealed, write_sealed

MOST_SHARE = 0.03  # of the time may go into saving
SHORTEST_PAUSE = 2.0  # seconds between two saves
RECORD = "run.json"
OWN = re.compile(r"run\.json|[.]?\d+-(engine|memories\.npz)([.].*)?|[.]run\.json[.].*")  # names of its files
NOUN, REMEDY = "record of an interrupted run", "start anew without --resume"


@dataclass
class Standing:
    """How far a run has come: in ``timestep`` the engine has run ``sub_blocks``, which are ``blocks``, all equal to the
    reference's.

    Fields:
        check: what has been compared.
        seconds, timestep_seconds: spent, as in ``ImageResult``.
    """

    timestep: Count = 0
    sub_blocks: Count = 0
    blocks: Count = 0
    check: Comparison = field(default_factory=Comparison)
    seconds: dict[str, float] = field(default_factory=dict)
    timestep_seconds: list[float] = field(default_factory=list)


class RunRecord(Part):
    """What run.json holds: what determines the run, the number of the newest files, and how far it had come."""

    facts: dict[str, Any]
    number: Count
    standing: Standing


class SavedRun:
    """The folder that keeps one run's state.

    Args:
        folder: of this run alone; made when something is saved, removed by ``remove``.
        facts: what determines the run, for JSON.
        resume: go on from what the folder holds.

    Raises:
        UserError: there is nothing to go on from, or it is of another run.
    """

    def __init__(self, folder: Path, facts: dict[str, Any], resume: bool) -> None:
        self.folder, self.facts = folder, json.loads(json.dumps(facts))
        self._record = self._read() if resume else None
        self._cost, self._last = 0.0, time.perf_counter()
        self._number = self._record.number if self._record else 0

    @property
    def place(self) -> str:
        """Where a run would go on from now, in words; empty if nowhere."""
        path = self.folder / RECORD
        found = read_sealed(path)
        try:
            record = None if found is None else fitting(RunRecord, found, path, NOUN, REMEDY)
        except UserError:
            record = None
        return f"timestep {record.standing.timestep}, block {record.standing.blocks}" if record else ""

    def _read(self) -> RunRecord:
        path = self.folder / RECORD
        if not path.is_file():
            raise UserError(f"--resume finds no interrupted run in {self.folder}: start anew without it.")
        found = read_sealed(path)
        if found is None:
            raise UserError(f"{NOUN} {path_text(path)} is damaged or of another version: {REMEDY}.")
        record = fitting(RunRecord, found, path, NOUN, REMEDY)
        known = record.facts
        for name, value in self.facts.items():
            if known.get(name) != value:
                raise UserError(
                    f"--resume finds an interrupted run of {name} {one_line(known.get(name))} in {self.folder}, not "
                    f"{value}: "
                    "give the same settings, or start anew without it."
                )
        return record

    def restore(self, engine: Engine, driver: Driver) -> Standing | None:
        """Bring back simulation and memories; None where the run starts anew.

        Raises:
            UserError: a file is missing, damaged, or of another build.
        """
        if self._record is None:
            return None
        path = self._file("memories.npz", self._number)
        memories = {"cache": driver.cache, "history": driver.history}

        def check(headers: Mapping[str, Header]) -> None:
            if {name: (words.shape, words.dtype) for name, words in memories.items()} != headers:
                raise ValueError("they are of another build")

        kept = read_arrays(path, "saved memories", REMEDY, check)
        for name, words in memories.items():
            words[...] = kept[name]
        engine.restore(self._file("engine", self._number))
        return self._record.standing

    def save_if_due(self, engine: Engine, driver: Driver, standing: Standing) -> None:
        """Save, unless the last time was not long ago."""
        since = time.perf_counter()
        if since - self._last < max(SHORTEST_PAUSE, self._cost / MOST_SHARE):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        number = self._number + 1
        engine.save(self._file("engine", number))
        memories = {"cache": driver.cache, "history": driver.history}
        write_arrays(self._file("memories.npz", number), memories, compressed=False)
        record = {"facts": self.facts, "number": number, "standing": asdict(standing)}
        write_sealed(self.folder / RECORD, record)  # from here on the new files count
        for path in _own(self.folder):
            if path.name != RECORD and not path.name.startswith(f"{number}-"):
                path.unlink()
        self._number, self._last = number, time.perf_counter()
        self._cost = self._last - since

    def remove(self) -> None:
        """The run is complete: forget it."""
        forget(self.folder)

    def _file(self, name: str, number: int) -> Path:
        return self.folder / f"{number}-{name}"


def forget(folder: Path) -> None:
    """Remove the state of a run, and its folder if nothing else is in it."""
    with suppress(OSError):
        for path in _own(folder):
            path.unlink()
        folder.rmdir()


def _own(folder: Path) -> list[Path]:
    """The files that a run kept, half written ones too."""
    return [path for path in folder.iterdir() if OWN.fullmatch(path.name) and not path.is_dir()]
