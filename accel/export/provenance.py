"""The converted Verilog with a mark before the text of every process: to which instance of which block it belongs.

MyHDL converts a design into one flat module. The marks say what each line of it was, so that a synthesis of the module
can be booked to the parts of the machine. They take the place of the headlines of ``accel/export/hierarchy.py``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from radit.accel.config import BuildConfig
from radit.accel.export.convert import convert
from radit.accel.export.hierarchy import RAM, ProcessOrigin

MARK = "// process "
ARRAY = re.compile(r"(?m)^(reg (?:signed )?\[\d+:0\] (\w+) \[0:\d+-1\];)$")


class MemoryShape(NamedTuple):
    """Words, and bits of a word."""

    depth: int
    bits: int


@dataclass(frozen=True)
class MarkedTop:
    """A converted accelerator.

    Fields:
        verilog: its text.
        top: the block, with its ports in ``kwargs``.
        origins: of the processes, in the order of the marks.
    """

    verilog: str
    top: Any
    origins: tuple[ProcessOrigin, ...]

    def of_lines(self) -> list[ProcessOrigin | None]:
        """The origin of each line; None ahead of the first process. Lines are numbered from 1: element 0 is None."""
        found: list[ProcessOrigin | None] = [None]
        for line in self.verilog.splitlines():
            mark = line.startswith(MARK)
            found.append(self.origins[int(line.removeprefix(MARK))] if mark else found[-1])
        return found

    def memories(self) -> dict[ProcessOrigin, MemoryShape]:
        """Each on-chip memory; of a banked one, each bank."""
        rams = (origin for origin in self.origins if origin.path[-2:-1] == (RAM,))
        words = {origin: origin.blocks[-1].symdict["memory"] for origin in rams}
        return {origin: MemoryShape(len(memory), len(memory[0])) for origin, memory in words.items()}


def convert_marked(config: BuildConfig, folder: Path) -> MarkedTop:
    """Convert one build to Verilog in ``folder``, with marks."""
    found: list[tuple[Any, tuple[ProcessOrigin, ...]]] = []

    def marks(top: Any, origins: Sequence[ProcessOrigin]) -> list[str]:
        found.append((top, tuple(origins)))
        return [f"{MARK}{number}" for number in range(len(origins))]

    text = convert(config, "verilog", folder, notes=marks).read_text(encoding="utf-8")
    return MarkedTop(_registers_apart(text), *found[0])


def _registers_apart(verilog: str) -> str:
    """Lists of registers (sums, counters) declared as what they are: only the RAM blocks hold memories."""
    return ARRAY.sub(lambda found: found[1] if RAM in found[2] else f"(* mem2reg *) {found[1]}", verilog)
