"""Yosys's netlist text (RTLIL) of a flat module, cut into pieces that are synthesized apart.

A cell belongs to the process whose line it comes from. Cells without a line (Yosys makes them for moving indices)
belong where their result is read. ``Piece.text`` has names of its own, so that equal pieces have equal texts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from radit.model.errors import UserError

NAME = re.compile(r"[\\$]\S+")
LINE = re.compile(r":(\d+)\.")
PORT = re.compile(r" (input|output) \d+")
RESULTS = ("\\Y", "\\Q", "\\RD_DATA")
PIECE = "piece"


@dataclass(eq=False)
class Cell:
    """One cell: its lines of text, the wires it reads and drives, and who owns it."""

    kind: str
    lines: tuple[int, ...]
    text: list[str]
    reads: set[str] = field(default_factory=set)
    drives: set[str] = field(default_factory=set)
    owner: str | None = None

    def connect(self, line: str) -> None:
        _, port, wires = line.split(None, 2)
        (self.drives if port in RESULTS else self.reads).update(NAME.findall(wires))

    @property
    def in_memory(self) -> bool:
        return self.kind.startswith("$mem")


@dataclass(frozen=True)
class Piece:
    """Cells that are synthesized together, as a module of their own."""

    cells: tuple[Cell, ...]
    text: str

    @cached_property
    def signature(self) -> frozenset[tuple[tuple[str, ...], int]]:
        """How many cells of each kind and width: the same for instances of the same block."""
        kinds = ((cell.kind, *(line for line in cell.text if "parameter" in line)) for cell in self.cells)
        return frozenset(Counter(kinds).items())


class Netlist:
    """A flat module.

    Raises:
        UserError: the text is not as expected.
    """

    def __init__(self, text: str) -> None:
        self.cells: list[Cell] = []
        self._wires: dict[str, str] = {}
        self._kept: set[str] = set()  # wires that lead to outputs
        self._read(text)
        self._readers: dict[str, list[Cell]] = defaultdict(list)
        self._driver: dict[str, Cell] = {}
        for cell in self.cells:
            for wire in cell.reads:
                self._readers[wire].append(cell)
            for wire in cell.drives:
                if self._driver.setdefault(wire, cell) is not cell:
                    raise UserError(f"wire {wire} has two drivers in the netlist; split it before cutting.")

    def _read(self, text: str) -> None:
        lines: tuple[int, ...] = ()
        cell: Cell | None = None
        for line in text.splitlines():
            word = line.lstrip().partition(" ")[0]
            if cell is not None:
                if word == "end":
                    cell = None
                else:
                    cell.text.append(line)
                    if word == "connect":
                        cell.connect(line)
            elif word == "attribute":
                if line.startswith("  attribute \\src"):
                    lines = tuple(int(number) for number in LINE.findall(line) if int(number))
            elif word == "cell":
                cell = Cell(line.split()[1], lines, [])
                self.cells.append(cell)
            elif word == "wire":
                name = line.split()[-1]
                self._wires[name] = line
                if "output" in line.split():
                    self._kept.add(name)
            elif word == "connect":
                self._kept.update(NAME.findall(line))
            if word != "attribute":
                lines = ()

    def book(self, owner_of_line: Callable[[int], str | None]) -> None:
        """Give every cell its owner; cells without a line follow their readers, or else what they read."""
        for cell in self.cells:
            cell.owner = next((owner for line in cell.lines if (owner := owner_of_line(line))), None)
        left = [cell for cell in self.cells if cell.owner is None]
        while left:
            for cell in left:
                around = [reader.owner for wire in cell.drives for reader in self._readers[wire]]
                before = [self._driver[wire].owner for wire in cell.reads if wire in self._driver]
                near = [owner for owner in around if owner] or [owner for owner in before if owner]
                cell.owner = Counter(near).most_common(1)[0][0] if near else None
            unplaced = [cell for cell in left if cell.owner is None]
            if len(unplaced) == len(left):
                raise UserError(f"{len(left)} cells of the netlist belong to no process, one of them {left[0].kind}.")
            left = unplaced

    def pieces(self) -> dict[str, Piece]:
        """The logic by owner; memories are left out, their ports are ports of the pieces."""
        found: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.cells:
            if not cell.in_memory:
                found[cell.owner or ""].append(cell)
        return {owner: self.piece(cells) for owner, cells in found.items()}

    def driver(self, wire: str) -> Cell | None:
        """The cell that drives a wire, by its name in the text."""
        return self._driver.get(wire)

    def piece(self, cells: Iterable[Cell], named: bool = False) -> Piece:
        """Some of the cells as a module; ``named``: wires of the source keep their names."""
        inside = tuple(cells)
        members = set(inside)
        drives = set().union(*(cell.drives for cell in inside))
        names: dict[str, str] = {}
        body: list[str] = []

        def new_name(old: str) -> str:
            return names.setdefault(old, old if named and old.startswith("\\") else f"\\w{len(names)}")

        for number, cell in enumerate(inside):
            body.append(f"  cell {cell.kind} $c{number}")
            for line in cell.text:
                if line.startswith("    connect "):
                    _, port, wires = line.split(None, 2)
                    line = f"    connect {port} " + NAME.sub(lambda wire: new_name(wire[0]), wires)
                body.append(line)
            body.append("  end")
        ports = 0
        declared: list[str] = []
        for old, new in names.items():
            kind = PORT.sub("", self._wires[old]).removesuffix(old).rstrip()
            leaves = old in self._kept or any(reader not in members for reader in self._readers[old])
            way = "input" if old not in drives else "output" if leaves else ""
            ports += bool(way)
            declared.append(f"{kind} {way} {ports} {new}" if way else f"{kind} {new}")
        return Piece(inside, "\n".join(["autoidx 1000000", f"module \\{PIECE}", *declared, *body, "end", ""]))
