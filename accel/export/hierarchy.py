"""Which instance of which block a process of the converted HDL belongs to, and the comments that say so.

MyHDL converts a design into one flat module. Its signals and processes carry the instance in their names; the comments
of ``sections`` head every instance's processes, and ``contents`` lists the instances at the top of the file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from textwrap import shorten
from typing import Any

from myhdl._block import _Block
from myhdl._extractHierarchy import _UserVerilogCode, _UserVhdlCode
from myhdl.conversion._toVerilog import _ToVerilogConvertor
from myhdl.conversion._toVHDL import _ToVHDLConvertor

RAM = "word_ram"
RULE = "----"  # begins the comment of a section
COMMENT = {"verilog": "//", "vhdl": "--"}
MOST_TEXT = 120  # characters of a description
WIRING = "constants, words put together of parts, and parts of words; the names say whose they are"
FIRST_WIRE = {"verilog": re.compile(r"(?m)^assign "), "vhdl": re.compile(r"(?m)^begin$")}


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


# Of the top and all its processes in order: a line to write ahead of each; empty for none.
Notes = Callable[[Any, Sequence[ProcessOrigin]], list[str]]


class _VerilogNote(_UserVerilogCode):
    """A line that MyHDL copies into its output."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"{self.text}\n"


class _VhdlNote(_UserVhdlCode):
    """The same in VHDL."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"{self.text}\n"


CONVERTORS = {"verilog": (_ToVerilogConvertor, _VerilogNote), "vhdl": (_ToVHDLConvertor, _VhdlNote)}


@contextmanager
def noted(language: str, notes: Notes) -> Iterator[None]:
    """Write lines ahead of processes in what is converted inside."""
    convertor, note_of = CONVERTORS[language]

    # MyHDL calls the filter with the hierarchy and the processes that it is going to write, in their order.
    def note(self: Any, hierarchy: Any, interface: Any, signals: Any, memories: Any, processes: list[Any]) -> None:
        origins = tuple(_origins(hierarchy.top, ()))
        for origin, process in zip(origins, processes, strict=True):
            assert process.name.lower() == "_".join((*origin.names, origin.process)).lower(), process.name
        lines = zip(notes(hierarchy.top, origins), processes, strict=True)
        processes[:] = [each for line, process in lines for each in ((note_of(line), process) if line else (process,))]

    before = convertor._convert_filter
    convertor._convert_filter = note
    try:
        yield
    finally:
        convertor._convert_filter = before


def _origins(block: Any, outer: tuple[Any, ...]) -> Iterator[ProcessOrigin]:
    for sub in block.subs:
        if isinstance(sub, _Block):
            yield from _origins(sub, (*outer, sub))
        else:
            yield ProcessOrigin(outer, sub.name)


def section_notes(language: str) -> Notes:
    """A headline wherever the next process is another instance's than the one before."""

    def notes(top: Any, origins: Sequence[ProcessOrigin]) -> list[str]:
        lines, known = [], set()
        for place, origin in enumerate(origins):
            if place and origin.blocks == origins[place - 1].blocks:
                lines.append("")
                continue
            block = origin.blocks[-1] if origin.blocks else top
            text = "continued" if origin.names in known else described(block)
            known.add(origin.names)
            lines.append(headline(language, ".".join(origin.names) or block.func.__name__, block, text))
        return lines

    return notes


def headline(language: str, name: str, block: Any, text: str) -> str:
    """The comment above the processes of an instance."""
    return f"{COMMENT[language]} {RULE} {entry(name, block, text)}"


def entry(name: str, block: Any, text: str) -> str:
    """An instance, the file of its block, and what the block does."""
    return f"{name} ({source_of(block)}){f': {text}' if text else ''}"


def with_overview(text: str, language: str, top: Any) -> str:
    """The HDL with the list of instances behind its first line, and a headline above what precedes all processes."""
    first = FIRST_WIRE[language].search(text)
    ahead = text.partition(f"\n{COMMENT[language]} {RULE} ")[0]
    if first is not None and first.start() <= len(ahead):
        place = first.start() if language == "verilog" else first.end() + 1
        text = f"{text[:place]}{headline(language, top.func.__name__, top, WIRING)}\n{text[place:]}"
    title, _, rest = text.partition("\n")
    return f"{title}\n{contents(language, top)}\n{rest}"


def contents(language: str, top: Any) -> str:
    """The instances as a tree, one line each; of instances of one block side by side only the first is gone into."""
    mark = COMMENT[language]
    head = (
        "",
        "Hierarchy: instance (file): what it does. The names of signals and processes begin with their instances,",
        f"joined by _; a line that begins with {mark} {RULE} heads the processes of an instance.",
    )
    return "\n".join(f"{mark} {line}".rstrip() for line in (*head, *_tree(top, 1)))


def _tree(block: Any, depth: int) -> Iterator[str]:
    blocks = [sub for sub in block.subs if isinstance(sub, _Block)]
    for _, group in groupby(blocks, key=lambda sub: sub.func):
        alike = list(group)
        first, more = alike[0], f" to {alike[-1].name}" if len(alike) > 1 else ""
        yield f"{'  ' * depth}{entry(first.name + more, first, described(first))}"
        yield from _tree(first, depth + 1)


def source_of(block: Any) -> str:
    """The file that defines a block, from the repository's root."""
    return f"{block.func.__module__.removeprefix('radit.').replace('.', '/')}.py"


def described(block: Any) -> str:
    """The first sentence of a block's description, on one line; empty where it has none."""
    words = " ".join((inspect.getdoc(block.func) or "").split("\n\n")[0].split()).replace("`", "")
    sentence = re.split(r"(?<=[.:]) ", words)[0]
    return shorten(sentence, MOST_TEXT, placeholder=" ..").encode("ascii", "replace").decode()
