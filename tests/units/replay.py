"""Replay of a recorded trace on converted HDL: writes the testbench, runs the simulator, returns the counts.

The VHDL testbench does what the Verilog one of ``cosim/speed/replay.py`` does.
"""

import re
import subprocess
from pathlib import Path

from radit.cosim.speed.replay import SHOWN_ERRORS, Columns, Port, digits, place, verilog_testbench, write_rows

VERILOG_PORT = re.compile(r"^(input|output|inout)\s+(?:signed\s+)?(?:\[(\d+):0\]\s*)?(\w+);", re.MULTILINE)
VHDL_PORT = re.compile(
    r"^\s+(\w+)\s*:\s*(in|out|inout|buffer)\s+(std_logic_vector|std_logic|unsigned|signed)\s*(?:\((\d+) downto 0\))?",
    re.MULTILINE,
)


def run_icarus(folder: Path, text: str, clk: str, trace: Columns) -> dict[str, int]:
    ports = VERILOG_PORT.findall(text)
    found = [(n, "vector" if w else "bit", int(w or 0) + 1, d == "input") for d, w, n in ports]
    inputs, outputs = _ports(found, clk, trace)
    cycles = write_rows(folder, inputs, outputs, trace)
    (folder / "replay.v").write_text(verilog_testbench(clk, inputs, outputs, cycles))
    _run(["iverilog", "-g2005", "-o", "replay.vvp", "replay.v", "dut.v"], folder)
    return _counts(_run(["vvp", "replay.vvp"], folder))


def run_ghdl(folder: Path, text: str, clk: str, trace: Columns) -> dict[str, int]:
    header = text[text.index("entity") : text.index("end entity")]
    found = [(n, kind, int(w or 0) + 1, d == "in") for n, d, kind, w in VHDL_PORT.findall(header)]
    inputs, outputs = _ports(found, clk, trace)
    write_rows(folder, inputs, outputs, trace)
    (folder / "replay.vhd").write_text(_vhdl(clk, inputs, outputs))
    sources = [*(path.name for path in folder.glob("pck_*.vhd")), "dut.vhd", "replay.vhd"]
    _run(["ghdl", "-a", "--std=08", *sources], folder)
    return _counts(_run(["ghdl", "--elab-run", "--std=08", "replay", "--ieee-asserts=disable"], folder))


def _ports(found: list[tuple], clk: str, trace: Columns) -> tuple[list[Port], list[Port]]:
    names = {name for name, *_ in found}
    assert names == set(trace) | {clk}, f"ports of the converted unit differ: {names ^ (set(trace) | {clk})}"
    sides = place(port for port in found if port[0] != clk)
    assert sides[0] and sides[1], "The converted unit needs at least one input beside the clock and one output."
    return sides


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(command)}\n{output[-4000:]}"
    return output


def _counts(output: str) -> dict[str, int]:
    errors = re.search(r"ERRORS (\d+)", output)
    assert errors, f"The replay did not reach its end.\n{output[-4000:]}"
    assert errors[1] == "0", f"{errors[1]} outputs differ from MyHDL.\n{output[:4000]}"
    return {name: int(count) for name, count in re.findall(r"COUNT (\w+) (\d+)", output)}


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
        variable row_in : std_logic_vector({4 * digits(inputs) - 1} downto 0);
        variable row_out : std_logic_vector({4 * digits(outputs) - 1} downto 0);
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
