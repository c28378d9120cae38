"""A netlist of standard cells as Yosys's JSON tells it: Verilog for static timing, and names of registers for readers.

Nets and instances get short names of their own, because OpenSTA of Debian reads neither concatenations nor aliases.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from radit.model.errors import UserError
from radit.reports.area.synthesis import FLIP_FLOP

MODULE = "piece"
CONSTANTS = {"0": "1'b0", "1": "1'b1", "x": "1'b0", "z": "1'b0"}
CLOCK = "clk"
OUTPUTS = ("Y", "Q")


@dataclass(frozen=True)
class Instance:
    """A standard cell: its type, and the net at each pin (number, or a constant '0', '1')."""

    kind: str
    pins: dict[str, Any]

    @property
    def is_register(self) -> bool:
        return bool(FLIP_FLOP.search(self.kind))


class Mapped:
    """A flat module of standard cells.

    Raises:
        UserError: the text is not what ``write_json`` of Yosys makes.
    """

    def __init__(self, text: str) -> None:
        try:
            module = json.loads(text)["modules"][MODULE]
            self.instances = [
                Instance(cell["type"], {pin: bits[0] for pin, bits in cell["connections"].items()})
                for cell in module["cells"].values()
            ]
            self._ports = [
                (name, port["direction"], list(port["bits"])) for name, port in module["ports"].items() if port["bits"]
            ]
            self._names = dict(_bit_names(module["netnames"]))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise UserError("Yosys's `write_json` is not as expected: use Yosys 0.23 or newer.") from None

    def buffer(self, kind: str, pins: tuple[str, str], most: int) -> int:
        """Put trees of buffers behind every net that feeds more than ``most`` pins, the clock aside.

        ABC buffers what is between registers, and leaves nets of registers and ports as they are.

        Args:
            kind: the library's buffer. pins: its input and output.
            most: pins that a net feeds.

        Returns:
            Buffers that were added.
        """
        clocks = {bit for name, _, bits in self._ports if name == CLOCK for bit in bits}
        loads: dict[Any, list[tuple[Instance, str]]] = defaultdict(list)
        for one in self.instances:
            outputs = OUTPUTS if one.kind != kind else (pins[1],)
            for pin, net in one.pins.items():
                if pin not in outputs and not isinstance(net, str) and net not in clocks:
                    loads[net].append((one, pin))
        fresh = 1 + max((net for one in self.instances for net in one.pins.values() if isinstance(net, int)), default=0)
        before = len(self.instances)
        for net, behind in loads.items():
            while len(behind) > most:
                groups = [behind[i : i + most] for i in range(0, len(behind), most)]
                behind = []
                for group in groups:
                    added = Instance(kind, {pins[0]: net, pins[1]: fresh})
                    self.instances.append(added)
                    for one, pin in group:
                        one.pins[pin] = fresh
                    behind.append((added, pins[0]))
                    fresh += 1
        return len(self.instances) - before

    def name_of(self, net: Any) -> str:
        """The signal and bit in the converted Verilog that a net carries; '' where synthesis made it up."""
        return self._names.get(net, "")

    def register_name(self, number: int) -> str:
        """What instance ``number`` stores: the name of its output."""
        pins = self.instances[number].pins
        return self.name_of(pins.get("Q"))

    def verilog(self) -> Iterator[str]:
        """Lines of the module: instance i is u<i>, net k is n<k>, bit j of port i is p<i>_<j>, the clock is itself."""
        heads, joins = [], []
        for number, (name, direction, bits) in enumerate(self._ports):
            for j, bit in enumerate(bits):
                port = CLOCK if name == CLOCK else f"p{number}_{j}"
                heads.append((direction, port))
                if direction == "input":
                    joins.append(f"assign {_net(bit)} = {port};")
                else:
                    joins.append(f"assign {port} = {_net(bit)};")
        yield f"module {MODULE} ({', '.join(port for _, port in heads)});"
        yield from (f"{direction} {port};" for direction, port in heads)
        yield from joins
        for number, one in enumerate(self.instances):
            pins = ", ".join(f".{pin}({_net(bit)})" for pin, bit in one.pins.items())
            yield f"{one.kind} u{number} ({pins});"
        yield "endmodule"

    def port_names(self, direction: str = "") -> dict[str, str]:
        """Signal and bit by the name of the port in ``verilog``; of one direction, where it is named."""
        return {
            f"p{number}_{j}": name if len(bits) == 1 else f"{name}[{j}]"
            for number, (name, way, bits) in enumerate(self._ports)
            if direction in ("", way)
            for j in range(len(bits))
        }


def _net(bit: Any) -> str:
    return CONSTANTS[bit] if isinstance(bit, str) else f"n{bit}"


def _bit_names(netnames: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Public names win, later ones over earlier ones; names that Yosys made up stay out."""
    for name, net in netnames.items():
        if net.get("hide_name"):
            continue
        bits = net["bits"]
        offset = net.get("offset", 0)
        for j, bit in enumerate(bits):
            yield bit, name if len(bits) == 1 else f"{name}[{j + offset}]"
