"""How often each bit of a waveform (.vcd) changes: activities of a run of the whole accelerator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from radit.model.errors import UserError
from radit.model.plain_text import quoted
from radit.model.reading import opened

VARIABLE = re.compile(r"\$var\s+\S+\s+(\d+)\s+(\S+)\s+(.+?)\s*\$end")
RANGE = re.compile(r"\s*\[\d+:\d+\]$")
CLOCK = "clk"


@dataclass(frozen=True)
class Activity:
    """Changes per cycle by bit, "name" or "name[bit]"; and the cycles that were seen."""

    changes: dict[str, float]
    cycles: int


def read_activity(path: Path, wanted: Container[str]) -> Activity:
    """Count the changes of the signals whose names, without a bit, are wanted.

    Raises:
        UserError: the file cannot be read, or shows no clock.
    """
    names: dict[str, tuple[str, int]] = {}
    clock = ""
    counts: Counter[tuple[str, int]] = Counter()
    last: dict[str, int] = {}
    with opened(path, "--activity", "give the .vcd of a run of radit cosim --waves") as file:
        for raw in file:
            line = raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else raw
            if line.lstrip().startswith("$"):
                if found := VARIABLE.search(line):
                    name = RANGE.sub("", found[3]).replace(" ", "")
                    if name == CLOCK:
                        clock = found[2]
                    if name in wanted or name == CLOCK:
                        names.setdefault(found[2], (name, int(found[1])))
                continue
            code, value = _change(line)
            if code in names:
                before = last.get(code)
                if before is not None:
                    flipped = before ^ value
                    while flipped:
                        bit = flipped & -flipped
                        counts[code, bit.bit_length() - 1] += 1
                        flipped ^= bit
                last[code] = value
    cycles = counts[clock, 0] // 2
    if not cycles:
        raise UserError(
            f"--activity is {quoted(path)}, a waveform without a running clock clk: give the .vcd of a run."
        )
    changes = {}
    for code, (name, bits) in names.items():
        for bit in range(bits):
            changes[name if bits == 1 else f"{name}[{bit}]"] = counts[code, bit] / cycles
    return Activity(changes, cycles)


def _change(line: str) -> tuple[str, int]:
    """Code and value of a line, ('', 0) of any other; what is unknown reads as 0."""
    if line[:1] in "bB":
        value, _, code = line[1:].partition(" ")
        return code.strip(), int(value.translate(KNOWN) or "0", 2)
    if line[:1] in "01xXzZ":
        return line[1:].strip(), int(line[0] == "1")
    return "", 0


KNOWN = str.maketrans("xXzZ", "0000")
