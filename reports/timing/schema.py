"""``timing.json``: the schema of ``radit timing``. Delays are those of *synthesized* cells without wires; the clock at
28 nm is *modelled* from them by a ratio of FO4 delays."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from radit.model.files import read_model, write_json
from radit.model.plain_text import one_line
from radit.reports.area.parts import PARTS
from radit.reports.common.schema_parts import Amount, Array, Count, Part, Positive, alike
from radit.reports.timing.power_schema import Power

SCHEMA_VERSION: Literal[1] = 1
FILE = "timing.json"
BASIS = {"parts": "synthesized, without wires", "clock": "modelled", "power": "synthesized, without wires"}

# FO4 delay at 28 nm, ps. Low [S]: a 32 nm high-k metal-gate process is quoted with 8.7 ps, and the rule of 360 ps per
# micrometre of drawn length (Ho, Mai, Horowitz 2001: typical corner) gives 10.1. Nominal: the same paper's 500 ps per
# micrometre, for slow silicon in a warm place, gives 14; rounded up. High [S]: a table of synthesis guides has 18 ps
# for 28 nm; times 1.4 [U] for a low-power process at its slow corner.
FO4_28_PS = {"low": 10.0, "nominal": 15.0, "high": 25.0}
GOAL_MHZ = 500.0


class TimedPart(Part):
    """The longest path that ends in a part of the machine.

    Fields:
        endpoints: registers, memory pins and outputs of the part.
        delay_ns: from clock edge to clock edge, setup included, in the library.
        fo4: the same in FO4 delays of the library.
        cells: standard cells on the path, the first register included.
        start, end: the register, memory or port with its bit, as the converted Verilog calls it.
        blocks: the processes that the path leads through, blocks from the outside in.
    """

    endpoints: Count
    delay_ns: Amount
    fo4: Amount
    cells: Count
    start: str
    end: str
    blocks: list[str]


class ArrayTiming(Part):
    """One build, synthesized whole but for its memories.

    Fields:
        cells, flip_flops, buffers: standard cells, the flip-flops among them, the buffers behind wide nets.
        area: in gate equivalents (NAND2).
        counter_bits: width of the event counters.
        near: endpoints within 15 % of the longest path.
        parts: by the keys of ``radit.reports.area.parts.PARTS``.
        seconds, memory_mib: what the synthesis took; 0: kept from before.
    """

    array: Array
    counter_bits: Count
    cells: Count
    flip_flops: Count
    buffers: Count
    area: Amount
    endpoints: Count
    near: Count
    parts: dict[str, TimedPart]
    seconds: Amount
    memory_mib: Amount
    power: Power | None = None

    @model_validator(mode="after")
    def _check_parts(self) -> ArrayTiming:
        for name in sorted(self.parts.keys() - PARTS.keys()):
            raise ValueError(f"parts.{one_line(name)} is unknown")
        if not self.parts:
            raise ValueError("parts are missing")
        return self

    @property
    def longest(self) -> TimedPart:
        """The path that limits the clock."""
        return max(self.parts.values(), key=lambda part: part.delay_ns)

    def mhz(self, corner: str = "nominal") -> float:
        """Clock at 28 nm, for the FO4 delay of a corner of ``FO4_28_PS``."""
        return clock_mhz(self.longest.fo4, corner)


def clock_mhz(fo4: float, corner: str = "nominal") -> float:
    """Clock at 28 nm of a path of so many FO4 delays."""
    return 1e6 / (fo4 * FO4_28_PS[corner]) if fo4 else float("inf")


class Timing(Part):
    """The whole of timing.json.

    Fields:
        model: whose size the buffers have.
        fo4_ns: FO4 delay of the library, ns.
        fo4_28_ps: that of 28 nm, ps: low, nominal, high.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    basis: dict[str, str] = BASIS
    model: str
    yosys: str
    sta: str
    library: str
    library_hash: str
    fo4_ns: Positive
    fo4_28_ps: dict[str, Positive] = FO4_28_PS
    arrays: list[ArrayTiming]
    created: str
    command: str
    versions: dict[str, str]

    @model_validator(mode="after")
    def _check_delays(self) -> Timing:
        for one in self.arrays:
            for name, part in one.parts.items():
                if not alike(part.fo4, part.delay_ns / self.fo4_ns, 1e-6):
                    raise ValueError(f"parts.{name}.fo4 is not its delay over fo4_ns")
        return self


def write_timing(folder: Path, timing: Timing) -> Path:
    """Check and write ``timing.json`` in a folder, whole or not at all; return its path."""
    path = folder / FILE
    write_json(path, timing)
    return path


def load_timing(path: Path) -> Timing:
    """Read an account.

    Raises:
        UserError: the file is missing, not JSON, or does not fit the schema.
    """
    return read_model(Timing, path, "timing account", "run `radit timing` to make it")
