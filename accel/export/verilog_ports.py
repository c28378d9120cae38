"""The ports of a converted top, read from its Verilog."""

import re
from typing import NamedTuple

PORT = re.compile(r"(?m)^(input|output) (?:signed )?(?:\[(\d+):0\] )?(\w+);$")


class VerilogPort(NamedTuple):
    """A port of the converted top."""

    name: str
    is_input: bool
    bits: int


def ports_of(verilog: str) -> list[VerilogPort]:
    """The ports of the text that the converter writes, in its order."""
    return [VerilogPort(name, way == "input", int(high or 0) + 1) for way, high, name in PORT.findall(verilog)]
