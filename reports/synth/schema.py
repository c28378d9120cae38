"""``synth.json``: the schema of ``radit synth``. Resources are counted after synthesis; the clock of ECP5 is that of a
placed and routed design, by nextpnr's delays; the clock of standard cells has no wires."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from radit.model.files import read_model, write_json
from radit.model.plain_text import one_line
from radit.reports.area.parts import PARTS
from radit.reports.common.schema_parts import Amount, Array, Count, Part, Positive, alike

SCHEMA_VERSION: Literal[1] = 1
FILE = "synth.json"
SHARED = "shared"  # row of what belongs to no part: constants, the ends of ports


class LongestPath(Part):
    """The path that limits the clock.

    Fields:
        delay_ns: from clock edge to clock edge, setup included.
        routing_ns: what of it is wires.
        cells: on the path.
        start, end: registers, memories or ports, as the converted Verilog calls them.
        nets: signals on the way that the converted Verilog names.
        blocks: the processes that the path leads through, blocks from the outside in.
    """

    delay_ns: Positive
    routing_ns: Amount
    cells: Count
    start: str
    end: str
    nets: list[str]
    blocks: list[str]


class BuildSynthesis(Part):
    """One build for one target.

    Fields:
        counter_bits: width of the event counters.
        tools: programs and their versions.
        soft: products of the array that were kept out of the device's multipliers.
        totals: resources by name.
        parts: the same by keys of ``radit.reports.area.parts.PARTS``, and ``SHARED``.
        device, room: the device, and its resources by the names of ``totals``; empty: none was asked.
        placed: cells of the device in use after placement, by the tool's names; empty: not placed.
        target_mhz, speed, seed: what placement was asked for.
        mhz: None: not placed.
        path: None where the clock is.
        delays_ns: of the longest path that ends in each part, without setup; empty: not placed.
        seconds: of synthesis, of placement and routing.
    """

    target: str
    array: Array
    counter_bits: Count
    tools: list[str]
    soft: Count = 0
    totals: dict[str, Amount]
    parts: dict[str, dict[str, Amount]]
    device: str = ""
    room: dict[str, Amount] = {}
    placed: dict[str, Count] = {}
    target_mhz: Positive | None = None
    speed: Count = 0
    seed: Count = 0
    mhz: Positive | None = None
    path: LongestPath | None = None
    delays_ns: dict[str, Amount] = {}
    seconds: list[Amount] = []

    @model_validator(mode="after")
    def _check_parts(self) -> BuildSynthesis:
        for name in sorted(self.parts.keys() - {*PARTS, SHARED}):
            raise ValueError(f"parts.{one_line(name)} is unknown")
        for name, total in self.totals.items():
            if not alike(total, sum(part.get(name, 0) for part in self.parts.values()), 1e-6):
                raise ValueError(f"totals.{one_line(name)} is not the sum of its parts")
        if self.mhz is not None and self.path is None:
            raise ValueError("path is missing")
        return self


class Synthesis(Part):
    """The whole of synth.json.

    Fields:
        model: whose size the buffers have.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    model: str
    builds: list[BuildSynthesis]
    created: str
    command: str
    versions: dict[str, str]


def write_synthesis(folder: Path, synthesis: Synthesis) -> Path:
    """Check and write ``synth.json`` in a folder, whole or not at all; return its path."""
    path = folder / FILE
    write_json(path, synthesis)
    return path


def load_synthesis(path: Path) -> Synthesis:
    """Read an account.

    Raises:
        UserError: the file is missing, not JSON, or does not fit the schema.
    """
    return read_model(Synthesis, path, "synthesis", "run `radit synth` to make it")
