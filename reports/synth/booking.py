"""Whose the cells of a mapped netlist are: resources by part of the machine.

Flip-flops, carries and multipliers carry the line of the Verilog that they come from; memories have the name of their
block. Tables carry nothing: each belongs to the part of the cell that it leads to.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from radit.accel.export.convert import TOP
from radit.accel.export.provenance import MarkedTop
from radit.model.errors import UserError
from radit.reports.area.parts import part_of
from radit.reports.synth.schema import SHARED
from radit.reports.synth.targets import SOURCE

LINE = re.compile(rf"{re.escape(SOURCE)}:(\d+)\.")
MEMORY = re.compile(r"(\w+)_memory\.\d+\.\d+")  # of a block, and the place of the cell in it
Cells = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Booking:
    """Part of the machine by cell, and type by cell."""

    parts: dict[str, str]
    kinds: dict[str, str]

    def by_part(self) -> dict[str, Counter[str]]:
        """Cells by type of every part."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for name, kind in self.kinds.items():
            found[self.parts.get(name, SHARED)][kind] += 1
        return dict(found)


def book_cells(netlist: str, top: MarkedTop) -> Booking:
    """Give the cells of a netlist their parts.

    Args:
        netlist: ``write_json`` of Yosys.
        top: whose lines it was made of.

    Raises:
        UserError: the netlist is not as expected.
    """
    try:
        cells: Cells = json.loads(netlist)["modules"][TOP]["cells"]
        owners = dict(_own_parts(cells, top))
        _spread(cells, owners)
        return Booking(owners, {name: cell["type"] for name, cell in cells.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError("Yosys's `write_json` is not as expected: use Yosys 0.23 or newer.") from None


def _own_parts(cells: Cells, top: MarkedTop) -> Iterator[tuple[str, str]]:
    lines = top.of_lines()
    parts = {origin: part_of(origin, top.top) for origin in top.origins}
    memories = {"_".join(origin.names): parts[origin] for origin in top.memories()}
    for name, cell in cells.items():
        memory = MEMORY.fullmatch(name)
        numbers = [int(number) for number in LINE.findall(cell["attributes"].get("src", ""))]
        origin = next((lines[number] for number in numbers if number < len(lines) and lines[number]), None)
        if memory and memory[1] in memories:
            yield name, memories[memory[1]]
        elif origin is not None:
            yield name, parts[origin]


def _spread(cells: Cells, owners: dict[str, str]) -> None:
    """Give every other cell the part that most of those have that it leads to, from the registers backwards."""
    readers: dict[Any, list[str]] = defaultdict(list)
    outputs: dict[str, list[Any]] = {}
    for name, cell in cells.items():
        ways = cell["port_directions"]
        outputs[name] = [net for pin, nets in cell["connections"].items() if ways[pin] == "output" for net in nets]
        for pin, nets in cell["connections"].items():
            if ways[pin] != "output":
                for net in nets:
                    readers[net].append(name)
    left = [name for name in cells if name not in owners]
    while left:
        fresh = {}
        for name in left:
            votes = Counter(owners[one] for net in outputs[name] for one in readers[net] if one in owners)
            if votes:
                fresh[name] = min(votes.items(), key=lambda vote: (-vote[1], vote[0]))[0]
        if not fresh:
            return
        owners.update(fresh)
        left = [name for name in left if name not in fresh]
