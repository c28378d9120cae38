"""The converted Verilog with a mark before the text of every process: to which instance of which block it belongs.

MyHDL converts a design into one flat module. The marks say what each line of it was, so that a synthesis of the module
can be booked to the parts of the machine. Beside them the text is the one of ``accel/export/convert.py``.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from myhdl._block import _Block
from myhdl._extractHierarchy import _UserVerilogCode
from myhdl.conversion._toVerilog import _ToVerilogConvertor

from radit.accel.config import BuildConfig
from radit.accel.export.convert import convert

MARK = "// process "
ARRAY = re.compile(r"(?m)^(reg (?:signed )?\[\d+:0\] (\w+) \[0:\d+-1\];)$")
RAM = "word_ram"


@dataclass(frozen=True)
class ProcessOrigin:
    """Where a process is: the blocks around it (MyHDL's own), outermost first, without the top; and its own name."""

    blocks: tuple[Any, ...]
    process: str

    @property
    def path(self) -> tuple[str, ...]:
        """Functions of the blocks, and the process."""
        return (*(block.func.__name__ for block in self.blocks), self.process)

    @property
    def names(self) -> tuple[str, ...]:
        """Instances, each with a number of its own."""
        return tuple(block.name for block in self.blocks)

    @property
    def in_memory(self) -> bool:
        """Part of an on-chip memory: the array, its output register and write enable."""
        return RAM in self.path


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


class _Mark(_UserVerilogCode):
    """A line that MyHDL copies into its output."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __str__(self) -> str:
        return f"{MARK}{self.number}\n"


def convert_marked(config: BuildConfig, folder: Path) -> MarkedTop:
    """Convert one build to Verilog in ``folder``, with marks."""
    found: list[tuple[Any, tuple[ProcessOrigin, ...]]] = []
    with _marking(found):
        text = convert(config, "verilog", folder).read_text(encoding="utf-8")
    return MarkedTop(_registers_apart(text), *found[0])


@contextmanager
def _marking(found: list[tuple[Any, tuple[ProcessOrigin, ...]]]) -> Iterator[None]:
    """MyHDL calls the filter with the hierarchy and the processes that it is going to write, in their order."""

    def mark(convertor: Any, hierarchy: Any, interface: Any, signals: Any, memories: Any, processes: list[Any]) -> None:
        origins = tuple(_origins(hierarchy.top, ()))
        for origin, process in zip(origins, processes, strict=True):
            assert process.name == "_".join((*origin.names, origin.process)).lower(), process.name
        processes[:] = [each for i, process in enumerate(processes) for each in (_Mark(i), process)]
        found.append((hierarchy.top, origins))

    before = _ToVerilogConvertor._convert_filter
    _ToVerilogConvertor._convert_filter = mark
    try:
        yield
    finally:
        _ToVerilogConvertor._convert_filter = before


def _origins(block: Any, outer: tuple[Any, ...]) -> Iterator[ProcessOrigin]:
    for sub in block.subs:
        if isinstance(sub, _Block):
            yield from _origins(sub, (*outer, sub))
        else:
            yield ProcessOrigin(outer, sub.name)


def _registers_apart(verilog: str) -> str:
    """Lists of registers (sums, counters) declared as what they are: only the RAM blocks hold memories."""
    return ARRAY.sub(lambda found: found[1] if RAM in found[2] else f"(* mem2reg *) {found[1]}", verilog)
