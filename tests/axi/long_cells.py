"""Cells of the wrapper alone, its buffers apart, beside those of the accelerator; `tox run -e axi`."""

import json
import re
from pathlib import Path

import pytest
from myhdl import block

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import AxiTopPorts
from radit.accel.axi.top import axi_shell
from radit.accel.config import BuildConfig
from radit.accel.export.convert import forgotten_signals, start_numbering, write_hdl
from radit.accel.interfaces.top_ports import TopPorts
from radit.model.system.processes import in_thread
from radit.reports.area.synthesis import INSTALLED_LIBERTY, MAPPING
from tests.formal.prove import run

LARGEST_SHARE = 0.05
OBSERVERS = "observation"
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results" / "area.json"
ARRAY = re.compile(r"reg \[(\d+):0\] (\w+word_ram\d+_memory) \[0:(\d+)-1\];\n")
RAM = re.compile(
    r"always @\(posedge clk\) begin: \w+\n    if \((\w+)\) begin\n        (\w+_memory)\[(\w+)\] <= ([^;]+);\n    end\n"
    r"    if \((\w+)\) begin\n        (\w+) <= \2\[(\w+)\];\n    end\nend"
)
BLACK_BOX = """
(* blackbox *)
module ram(input clk, input write, input [A-1:0] waddr, input [B-1:0] wdata, input read, input [A-1:0] raddr,
           output [B-1:0] q);
parameter B = 1, A = 1;
endmodule
"""


def accelerator_cells() -> int:
    """Of the 16x16 build in docs/results.md, without what only observes."""
    arrays = json.loads(RESULTS.read_text())["arrays"]
    (parts,) = (each["parts"] for each in arrays if each["array"] == {"rows": 16, "cols": 16})
    return sum(part["logic"]["cells"] for name, part in parts.items() if name != OBSERVERS)


class Sides:
    """The accelerator's ports, without the taps."""

    def __init__(self, reg, busy, run, m, s) -> None:
        self.reg, self.busy, self.run, self.m, self.s = reg, busy, run, m, s


@block
def shell(config, bus, clk, aresetn, core_resetn, reg, busy, run, m, s, s_axil, m_axi, irq):
    """The wrapper with the accelerator's ports at its own boundary."""
    return axi_shell(
        clk=clk, aresetn=aresetn, core_resetn=core_resetn, inner=Sides(reg, busy, run, m, s), s_axil=s_axil,
        m_axi=m_axi, irq=irq, config=config, bus=bus,
    )  # fmt: skip


def convert_shell(config: BuildConfig, bus: BusConfig, folder: Path) -> Path:
    start_numbering()
    with forgotten_signals():
        inner, outer = TopPorts(config), AxiTopPorts(config, bus)
        top = shell(
            config, bus, outer.clk, outer.aresetn, inner.aresetn, inner.reg, inner.busy, inner.run, inner.m,
            inner.s, outer.s_axil, outer.m_axi, outer.irq,
        )  # fmt: skip
        return write_hdl(top, "verilog", folder, "shell", "shell")


def without_memories(verilog: str) -> tuple[str, int]:
    """Every on-chip memory as a black box; also their bits."""
    sizes = {name: (int(high) + 1, int(depth)) for high, name, depth in ARRAY.findall(verilog)}

    def box(match: re.Match) -> str:
        write, name, waddr, wdata, read, rdata, raddr = match.groups()
        bits, depth = sizes[name]
        ports = f"clk, {write}, {waddr}, {wdata}, {read}, {raddr}, {name}_q"
        widths = f"#({bits}, {(depth - 1).bit_length()})"
        return f"wire [{bits - 1}:0] {name}_q; always @* {rdata} = {name}_q;\nram {widths} {name}_box({ports});"

    text, count = RAM.subn(box, ARRAY.sub("", verilog))
    assert count == len(sizes) > 0
    return text + BLACK_BOX, sum(bits * depth for bits, depth in sizes.values())


def cells_of(config: BuildConfig, bus: BusConfig, folder: Path) -> tuple[int, int]:
    """Standard cells, and bits of the buffers."""
    text, bits = without_memories(in_thread(convert_shell, config, bus, folder).read_text())
    source, found = folder / "boxed.v", folder / "stat.json"
    source.write_text(text)
    run(
        "yosys", "-q", "-p",
        f"read_verilog {source}; hierarchy -top shell; proc -norom; opt_expr; opt_clean; "
        f"synth -flatten -noabc -top shell; dfflibmap -liberty {INSTALLED_LIBERTY}; opt -fast; "
        f"abc -liberty {INSTALLED_LIBERTY} -script {MAPPING}; opt_clean; tee -q -o {found} stat -json",
    )  # fmt: skip
    kinds = json.loads(found.read_text())["modules"]["\\shell"]["num_cells_by_type"]
    return sum(count for kind, count in kinds.items() if "ram" not in kind), bits


@pytest.mark.needs("yosys")
@pytest.mark.skipif(not INSTALLED_LIBERTY.is_file(), reason="needs Debian's qflow-tech-osu018")
def test_the_wrapper_is_small(tmp_path):
    """At most a twentieth of the 16x16 accelerator, without what only observes, as docs/results.md has it."""
    cells, bits = cells_of(BuildConfig(), BusConfig(), tmp_path)
    accelerator = accelerator_cells()
    print(f"{cells:,} cells of {accelerator:,}, {cells / accelerator:.1%}; {bits:,} bits of buffers")
    assert cells <= LARGEST_SHARE * accelerator
