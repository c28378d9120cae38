"""Replay of recorded ports on converted Verilog: rows of values, and the testbench that plays and compares them.

A recording holds, for every port of a unit, its value just before each rising edge of the clock. The testbench sets
the inputs of a cycle, lets them settle, compares every output, then raises the clock; no simulator needs Python for it.
An output may be unknown (X) only until it has been known once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SHOWN_ERRORS = 8

Columns = dict[str, list[int]]  # port -> its value before each rising edge
Found = tuple[str, str, int, bool]  # name, kind, width in bits, is it an input


@dataclass(frozen=True)
class Port:
    """A port of the converted unit and its place in the hex rows."""

    name: str
    kind: str
    width: int
    low: int

    @property
    def high(self) -> int:
        return self.low + self.width - 1


def place(found: Iterable[Found]) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs, each side laid out in a row from bit 0 up."""
    sides: tuple[list[Port], list[Port]] = ([], [])
    for name, kind, width, is_input in found:
        side = sides[0 if is_input else 1]
        side.append(Port(name, kind, width, side[-1].high + 1 if side else 0))
    return sides


def digits(ports: list[Port]) -> int:
    """Hexadecimal digits of a row."""
    return -(-(ports[-1].high + 1) // 4)


def write_rows(folder: Path, inputs: list[Port], outputs: list[Port], columns: Columns) -> int:
    """Write stimulus.hex and expected.hex, a row per cycle; returns the number of cycles."""
    for file_name, ports in (("stimulus.hex", inputs), ("expected.hex", outputs)):
        places = [((1 << p.width) - 1, p.low) for p in ports]
        rows = (
            sum((value & mask) << low for value, (mask, low) in zip(row, places, strict=True))
            for row in zip(*(columns[p.name] for p in ports), strict=True)
        )
        (folder / file_name).write_text("".join(f"{row:0{digits(ports)}x}\n" for row in rows))
    return len(columns[inputs[0].name])


def verilog_testbench(
    clk: str, inputs: list[Port], outputs: list[Port], cycles: int, unit: str = "dut", report_every: int = 0
) -> str:
    """The module ``replay``, which plays the rows of ``write_rows``.

    It prints ``COUNT <output> <values compared>`` for each output and ``ERRORS <number>`` at the end; and every
    ``report_every`` cycles and after the last, if not 0, ``AT <cycles played> <values compared> <of them different>``.
    """
    declare, compare = [], []
    for p in inputs:
        declare.append(f"wire [{p.width - 1}:0] {p.name} = row_in[{p.high}:{p.low}];")
    for p in outputs:
        declare.append(f"wire [{p.width - 1}:0] {p.name}; integer count_{p.name} = 0;")
        compare.append(_comparison(p))
    report = [f'        $display("COUNT {p.name} %0d", count_{p.name});' for p in outputs]
    connections = ", ".join(f".{p}({p})" for p in [clk, *(p.name for p in [*inputs, *outputs])])
    compared = " + ".join(f"count_{p.name}" for p in outputs)
    say = f'begin $display("AT %0d %0d %0d", i, {compared}, errors); $fflush; end'
    on_the_way = f"\n        if (i % {report_every} == 0) {say}" if report_every else ""
    at_the_end = f"\n    {say}" if report_every else ""
    newline = "\n"
    return f"""`timescale 1ns/10ps
module replay;
reg {clk} = 0;
integer i, errors = 0;
reg [{4 * digits(inputs) - 1}:0] stimulus [0:{cycles - 1}];
reg [{4 * digits(outputs) - 1}:0] expected [0:{cycles - 1}];
wire [{4 * digits(inputs) - 1}:0] row_in = stimulus[i];
wire [{4 * digits(outputs) - 1}:0] row_out = expected[i];
{newline.join(declare)}
{unit} dut ({connections});
initial begin
    $readmemh("stimulus.hex", stimulus);
    $readmemh("expected.hex", expected);
    for (i = 0; i < {cycles}; i = i + 1) begin{on_the_way}
        #5;{"".join(compare)}
        {clk} = 1;
        #5 {clk} = 0;
    end{at_the_end}
{newline.join(report)}
    $display("ERRORS %0d", errors);
    $finish;
end
endmodule
"""


def _comparison(p: Port) -> str:
    expected = f"row_out[{p.high}:{p.low}]"
    return f"""
        if ((^{p.name} === 1'bx) ? count_{p.name} != 0 : {p.name} !== {expected}) begin
            errors = errors + 1;
            if (errors <= {SHOWN_ERRORS}) $display("cycle %0d: {p.name} = %h, expected %h", i, {p.name}, {expected});
        end
        if (^{p.name} !== 1'bx) count_{p.name} = count_{p.name} + 1;"""
