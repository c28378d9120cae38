"""``area.json``: the schema of ``radit area``. Cells and areas are *synthesized*, costs of detection *modelled*."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from radit.model.files import read_model, write_json
from radit.model.plain_text import one_line
from radit.reports.area.parts import BUILT, PARTS, Group
from radit.reports.common.schema_parts import Amount, Array, Count, ExternalMemory, Part, Positive, Share

SCHEMA_VERSION: Literal[1] = 1
FILE = "area.json"
BASIS = {"arrays": "synthesized", "check": "synthesized", "costs": "modelled"}


class Logic(Part):
    """Cells, area in gate equivalents (NAND2), flip-flops among the cells."""

    cells: Count = 0
    gates: Amount = 0.0
    flip_flops: Count = 0

    def __add__(self, other: Logic) -> Logic:
        return Logic(
            cells=self.cells + other.cells,
            gates=self.gates + other.gates,
            flip_flops=self.flip_flops + other.flip_flops,
        )


class PartArea(Part):
    """A part of the machine.

    Fields:
        pieces, synthesized: how often it was cut, and how many of those were different.
        memory_bits: of its on-chip memories, whose cells are not counted.
    """

    logic: Logic
    pieces: Count
    synthesized: Count
    memory_bits: Count


class ArrayArea(Part):
    """One build; ``parts`` by the keys of ``radit.reports.area.parts.PARTS``."""

    array: Array
    parts: dict[str, PartArea]

    @model_validator(mode="after")
    def _check_parts(self) -> ArrayArea:
        for name in sorted(self.parts.keys() ^ (PARTS.keys() - (BUILT - self.parts.keys()))):
            raise ValueError(f"parts.{one_line(name)} is {'missing' if name in PARTS else 'unknown'}")
        if not self.machine.cells or not self.machine.gates:
            raise ValueError("parts have no cells or no area")
        return self

    def logic(self, *groups: Group) -> Logic:
        """Sum of the parts of some groups, of all without any named."""
        kept = (area.logic for name, area in self.parts.items() if not groups or PARTS[name].group in groups)
        return sum(kept, Logic())

    def memory_bits(self, *groups: Group) -> int:
        """The same of the memories."""
        return sum(a.memory_bits for name, a in self.parts.items() if not groups or PARTS[name].group in groups)

    @property
    def machine(self) -> Logic:
        """What shares are taken of: everything but what only observes."""
        return self.logic("machine", "detection", "reuse")

    def share(self, part: Logic) -> tuple[float, float]:
        """Of the machine's cells, and of its area."""
        return part.cells / self.machine.cells, part.gates / self.machine.gates


class Composition(Part):
    """The whole of a small build synthesized at once, and the sum of its pieces."""

    array: Array
    whole: Logic
    pieces: Logic

    @model_validator(mode="after")
    def _check_size(self) -> Composition:
        if not self.whole.cells or not self.whole.gates:
            raise ValueError("the whole has no cells or no area")
        return self

    @property
    def difference(self) -> tuple[float, float]:
        """Of the sum from the whole, relative: cells, area."""
        return self.pieces.cells / self.whole.cells - 1, self.pieces.gates / self.whole.gates - 1


class DetectionCost(Part):
    """What deciding costs a run, against a machine that is told the same decisions beforehand. Means per image.

    Fields:
        decisions: where they come from.
        skip_rate: share of the MACs not computed.
        cycles, cycles_told: cycles of either.
        energy_uj, energy_told_uj: nominal energy of either, uJ.
    """

    model: str
    array: Array
    policy: str
    decisions: str
    skip_rate: Share
    cycles: Positive
    cycles_told: Amount
    energy_uj: Positive
    energy_told_uj: Amount

    @property
    def cycle_share(self) -> float:
        return 1 - self.cycles_told / self.cycles

    @property
    def energy_share(self) -> float:
        return 1 - self.energy_told_uj / self.energy_uj


class Area(Part):
    """The whole of area.json.

    Fields:
        model: whose size the buffers have.
        library, library_hash, gate_area: Liberty file, its SHA-256 (16 digits), and the area of its NAND2.
        check: None: not made.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    basis: dict[str, str] = BASIS
    model: str
    yosys: str
    library: str
    library_hash: str
    gate_area: Positive
    arrays: list[ArrayArea]
    check: Composition | None
    memory: ExternalMemory
    energy_table: str
    costs: list[DetectionCost]
    created: str
    command: str
    versions: dict[str, str]


def write_area(folder: Path, area: Area) -> Path:
    """Check and write ``area.json`` in a folder, whole or not at all; return its path."""
    path = folder / FILE
    write_json(path, area)
    return path


def load_area(path: Path) -> Area:
    """Read an account.

    Raises:
        UserError: the file is missing, not JSON, or does not fit the schema.
    """
    return read_model(Area, path, "account", "run `radit area` to make it")
