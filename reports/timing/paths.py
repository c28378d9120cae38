"""Where a path of standard cells leads in the source: registers by name, and the processes between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from radit.reports.area.netlist import Cell, Netlist


def is_register(cell: Cell) -> bool:
    """A flip-flop of the elaborated netlist."""
    return "dff" in cell.kind


class Sources:
    """The elaborated netlist, asked by names of the mapped one. Its cells are booked to 'part path.of.process'."""

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist

    def driver(self, name: str) -> Cell | None:
        """The cell behind a signal; a bit or a word of it names the same."""
        while name:
            found = self._netlist.driver(f"\\{name}")
            if found is not None:
                return found
            head, bracket, _ = name.rpartition("[")
            if not bracket or not name.endswith("]"):
                return None
            name = head
        return None

    def memory_word(self, name: str) -> str:
        """The register that holds what is read from a memory; '' where there is no such memory."""
        memid = f'"\\\\{name}"'
        cell = next((one for one in self._netlist.cells if one.in_memory and any(memid in t for t in one.text)), None)
        if cell is None:
            return ""
        wires = set(cell.drives)
        for _ in range(2):  # the register may hold its word by a multiplexer
            for one in self._netlist.cells:
                if one.reads & wires and is_register(one):
                    return next((wire[1:] for wire in sorted(one.drives) if wire.startswith("\\")), "")
                if one.reads & wires and one.kind == "$mux":
                    wires |= one.drives
        return ""

    def part(self, name: str) -> str:
        """Part of the machine that drives a signal; '' of a memory or an input."""
        cell = self.driver(name)
        return (cell.owner or "").partition(" ")[0] if cell is not None and not cell.in_memory else ""

    def blocks(self, start: str, end: str) -> list[str]:
        """Processes on the longest way, in cells, from one signal to the register or output of another."""
        last = self.driver(end)
        if last is None:
            return []
        cone = self._cone(last)
        first = self.driver(start)
        heads = {wire for wire in first.drives} if first is not None else {f"\\{start.partition('[')[0]}"}
        way = self._longest(heads, cone, last)
        names = [first.owner] if first is not None and is_register(first) else []
        names += [cell.owner for cell in way]
        return list(dict.fromkeys((name or "").partition(" ")[2] for name in names if name))

    def _cone(self, last: Cell) -> set[Cell]:
        """Cells without state from which a cell reads, itself included."""
        found, waiting = {last}, deque([last])
        while waiting:
            for wire in waiting.popleft().reads:
                cell = self._netlist.driver(wire)
                if cell is not None and cell not in found and not is_register(cell) and not cell.in_memory:
                    found.add(cell)
                    waiting.append(cell)
        return found

    def _longest(self, heads: set[str], cone: set[Cell], last: Cell) -> list[Cell]:
        depth: dict[Cell, int] = {}
        before: dict[Cell, Cell | None] = {}
        for cell in self._in_order(cone, last):
            ways = [(depth[one], one) for one in self._fanin(cell, cone) if one is not cell and one in depth]
            if ways:
                most, one = max(ways, key=lambda way: way[0])
                depth[cell], before[cell] = most + 1, one
            elif cell.reads & heads:
                depth[cell], before[cell] = 1, None
        way: list[Cell] = []
        step: Cell | None = last if last in depth else None
        while step is not None:
            way.append(step)
            step = before[step]
        return way[::-1]

    def _fanin(self, cell: Cell, cone: set[Cell]) -> Iterator[Cell]:
        for wire in cell.reads:
            driver = self._netlist.driver(wire)
            if driver is not None and driver in cone and driver is not cell:
                yield driver

    def _in_order(self, cone: set[Cell], last: Cell) -> list[Cell]:
        """Cells after those that they read."""
        order: list[Cell] = []
        seen: set[Cell] = set()
        stack: list[tuple[Cell, bool]] = [(last, False)]
        while stack:
            cell, done = stack.pop()
            if done:
                order.append(cell)
            elif cell not in seen:
                seen.add(cell)
                stack.append((cell, True))
                if cell is last or not is_register(cell):
                    stack += [(one, False) for one in self._fanin(cell, cone) if one not in seen]
        return order
