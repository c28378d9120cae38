"""Replay of a recorded trace on converted HDL: writes the testbench, runs the simulator, returns the counts.

The testbench sets the inputs of a cycle, lets them settle, compares every output, then raises the clock. It prints
``COUNT <output> <values compared>`` for each output and ``ERRORS <number>`` at the end.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SHOWN_ERRORS = 8
VERILOG_PORT = re.compile(r"^(input|output|inout)\s+(?:signed\s+)?(?:\[(\d+):0\]\s*)?(\w+);", re.MULTILINE)
VHDL_PORT = re.compile(
    r"^\s+(\w+)\s*:\s*(in|out|inout|buffer)\s+(std_logic_vector|std_logic|unsigned|signed)\s*(?:\((\d+) downto 0\))?",
    re.MULTILINE,
)


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


def run_icarus(folder: Path, text: str, clk: str, trace: dict[str, list[int]]) -> dict[str, int]:
    found = [(n, "vector" if w else "bit", int(w or 0) + 1, d == "input") for d, w, n in VERILOG_PORT.findall(text)]
    inputs, outputs = _ports(found, clk, trace)
    cycles = _write_rows(folder, inputs, outputs, trace)
    (folder / "replay.v").write_text(_verilog(clk, inputs, outputs, cycles))
    _run(["iverilog", "-g2005", "-o", "replay.vvp", "replay.v", "dut.v"], folder)
    return _counts(_run(["vvp", "replay.vvp"], folder))


def run_ghdl(folder: Path, text: str, clk: str, trace: dict[str, list[int]]) -> dict[str, int]:
    header = text[text.index("entity") : text.index("end entity")]
    found = [(n, kind, int(w or 0) + 1, d == "in") for n, d, kind, w in VHDL_PORT.findall(header)]
    inputs, outputs = _ports(found, clk, trace)
    _write_rows(folder, inputs, outputs, trace)
    (folder / "replay.vhd").write_text(_vhdl(clk, inputs, outputs))
    sources = [*(path.name for path in folder.glob("pck_*.vhd")), "dut.vhd", "replay.vhd"]
    _run(["ghdl", "-a", "--std=08", *sources], folder)
    return _counts(_run(["ghdl", "--elab-run", "--std=08", "replay", "--ieee-asserts=disable"], folder))


def _ports(found: list[tuple], clk: str, trace: dict[str, list[int]]) -> tuple[list[Port], list[Port]]:
    names = {name for name, *_ in found}
    assert names == set(trace) | {clk}, f"ports of the converted unit differ: {names ^ (set(trace) | {clk})}"
    sides: tuple[list[Port], list[Port]] = ([], [])
    for name, kind, width, is_input in found:
        if name != clk:
            side = sides[0 if is_input else 1]
            side.append(Port(name, kind, width, side[-1].high + 1 if side else 0))
    assert sides[0] and sides[1], "The converted unit needs at least one input beside the clock and one output."
    return sides


def _digits(ports: list[Port]) -> int:
    return -(-(ports[-1].high + 1) // 4)


def _write_rows(folder: Path, inputs: list[Port], outputs: list[Port], trace: dict[str, list[int]]) -> int:
    for file_name, ports in (("stimulus.hex", inputs), ("expected.hex", outputs)):
        columns = [trace[p.name] for p in ports]
        places = [((1 << p.width) - 1, p.low) for p in ports]
        digits = _digits(ports)
        rows = (
            sum((value & mask) << low for value, (mask, low) in zip(row, places, strict=True))
            for row in zip(*columns, strict=True)
        )
        (folder / file_name).write_text("".join(f"{row:0{digits}x}\n" for row in rows))
    return len(columns[0])


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(command)}\n{output[-4000:]}"
    return output


def _counts(output: str) -> dict[str, int]:
    errors = re.search(r"ERRORS (\d+)", output)
    assert errors, f"The replay did not reach its end.\n{output[-4000:]}"
    assert errors[1] == "0", f"{errors[1]} outputs differ from MyHDL.\n{output[:4000]}"
    return {name: int(count) for name, count in re.findall(r"COUNT (\w+) (\d+)", output)}


def _verilog(clk: str, inputs: list[Port], outputs: list[Port], cycles: int) -> str:
    declare, compare, report = [], [], []
    for p in inputs:
        declare.append(f"wire [{p.width - 1}:0] {p.name} = row_in[{p.high}:{p.low}];")
    for p in outputs:
        declare.append(f"wire [{p.width - 1}:0] {p.name}; integer count_{p.name} = 0;")
        expected = f"row_out[{p.high}:{p.low}]"
        compare.append(f"""
        if ((^{p.name} === 1'bx) ? count_{p.name} != 0 : {p.name} !== {expected}) begin
            errors = errors + 1;
            if (errors <= {SHOWN_ERRORS}) $display("cycle %0d: {p.name} = %h, expected %h", i, {p.name}, {expected});
        end
        if (^{p.name} !== 1'bx) count_{p.name} = count_{p.name} + 1;""")
        report.append(f'        $display("COUNT {p.name} %0d", count_{p.name});')
    connections = ", ".join(f".{p}({p})" for p in [clk, *(p.name for p in inputs), *(p.name for p in outputs)])
    newline = "\n"
    return f"""`timescale 1ns/10ps
module replay;
reg {clk} = 0;
integer i, errors = 0;
reg [{4 * _digits(inputs) - 1}:0] stimulus [0:{cycles - 1}];
reg [{4 * _digits(outputs) - 1}:0] expected [0:{cycles - 1}];
wire [{4 * _digits(inputs) - 1}:0] row_in = stimulus[i];
wire [{4 * _digits(outputs) - 1}:0] row_out = expected[i];
{newline.join(declare)}
dut dut ({connections});
initial begin
    $readmemh("stimulus.hex", stimulus);
    $readmemh("expected.hex", expected);
    for (i = 0; i < {cycles}; i = i + 1) begin
        #5;{"".join(compare)}
        {clk} = 1;
        #5 {clk} = 0;
    end
{newline.join(report)}
    $display("ERRORS %0d", errors);
    $finish;
end
endmodule
"""


def _vhdl(clk: str, inputs: list[Port], outputs: list[Port]) -> str:
    signals, drive, variables, compare, report = [], [], [], [], []
    for p in [*inputs, *outputs]:
        kind = p.kind if p.kind == "std_logic" else f"{p.kind}({p.width - 1} downto 0)"
        signals.append(f"    signal {p.name} : {kind};")
    for p in inputs:
        field = f"row_in({p.low})" if p.kind == "std_logic" else f"{p.kind}(row_in({p.high} downto {p.low}))"
        drive.append(f"            {p.name} <= {field};")
    for p in outputs:
        wanted = f"row_out({p.low})" if p.kind == "std_logic" else f"{p.kind}(row_out({p.high} downto {p.low}))"
        shown = f"std_logic'image({p.name})" if p.kind == "std_logic" else f"to_hstring(std_logic_vector({p.name}))"
        known = f"not is_x({p.name})" if p.kind == "std_logic" else f"not is_x(std_logic_vector({p.name}))"
        variables.append(f"        variable count_{p.name} : integer := 0;")
        compare.append(f"""
            if {known} then
                count_{p.name} := count_{p.name} + 1;
                wrong := {p.name} /= {wanted};
            else
                wrong := count_{p.name} /= 0;
            end if;
            if wrong then
                errors := errors + 1;
                if errors <= {SHOWN_ERRORS} then
                    say("cycle " & integer'image(cycle) & ": {p.name} = " & {shown});
                end if;
            end if;""")
        report.append(f'        say("COUNT {p.name} " & integer\'image(count_{p.name}));')
    connections = ", ".join(f"{p} => {p}" for p in [clk, *(p.name for p in inputs), *(p.name for p in outputs)])
    newline = "\n"
    return f"""library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.textio.all;
entity replay is end entity;
architecture test of replay is
    signal {clk} : std_logic := '0';
{newline.join(signals)}
begin
    unit: entity work.dut port map ({connections});
    play: process
        file stimulus : text open read_mode is "stimulus.hex";
        file expected : text open read_mode is "expected.hex";
        variable text_line : line;
        variable row_in : std_logic_vector({4 * _digits(inputs) - 1} downto 0);
        variable row_out : std_logic_vector({4 * _digits(outputs) - 1} downto 0);
        variable errors, cycle : integer := 0;
        variable wrong : boolean;
{newline.join(variables)}
        procedure say(message : string) is
            variable out_line : line;
        begin
            std.textio.write(out_line, message);
            writeline(output, out_line);
        end procedure;
    begin
        while not endfile(stimulus) loop
            readline(stimulus, text_line);
            hread(text_line, row_in);
            readline(expected, text_line);
            hread(text_line, row_out);
{newline.join(drive)}
            wait for 5 ns;{"".join(compare)}
            {clk} <= '1';
            wait for 5 ns;
            {clk} <= '0';
            cycle := cycle + 1;
        end loop;
{newline.join(report)}
        say("ERRORS " & integer'image(errors));
        wait;
    end process;
end architecture;
"""
