"""The account of cells: every process has its part, pieces are cut whole, equal ones count alike, sums are sums."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from radit.accel.config import BuildConfig
from radit.accel.export.convert import convert
from radit.accel.export.provenance import convert_marked
from radit.model.errors import UserError
from radit.model.system.processes import in_thread
from radit.reports.area import area
from radit.reports.area.netlist import Netlist
from radit.reports.area.parts import PARTS, part_of, unit_of
from radit.reports.area.schema import ArrayArea, Composition, Logic, PartArea, load_area, write_area
from radit.reports.area.synthesis import SHIPPED_LIBERTY, Cells, Library, Synthesizer, Yosys, find_library, parse_stat
from radit.reports.common.schema_parts import Array
from tests.reports import made_up

SMALL = BuildConfig(rows=4, cols=4, max_text=70, max_frames=2)  # all parts
# Two lanes that register a word, a cell without a line that only lane 1 reads, and the result on its way out.
RTLIL = """
autoidx 9
attribute \\src "top.v:1.1-9.9"
module \\radit_top
  wire input 1 \\clk
  wire width 8 input 2 \\word
  wire width 4 \\one
  wire width 4 \\two
  wire width 4 $moved
  wire width 8 output 3 \\joined
  attribute \\src "top.v:3.1-3.9"
  cell $dff $a
    parameter \\WIDTH 4
    connect \\CLK \\clk
    connect \\D \\word [3:0]
    connect \\Q \\one
  end
  attribute \\src "top.v:0.0-0.0"
  cell $not $b
    parameter \\A_WIDTH 4
    connect \\A \\word [7:4]
    connect \\Y $moved
  end
  attribute \\src "top.v:0.0-0.0|top.v:5.1-5.9"
  cell $dff $c
    parameter \\WIDTH 4
    connect \\CLK \\clk
    connect \\D $moved
    connect \\Q \\two
  end
  connect \\joined { \\two \\one }
end
"""
OWNERS = {3: "x lane0", 5: "x lane1"}


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    return in_thread(convert_marked, SMALL, tmp_path_factory.mktemp("marked"))


def test_marks_change_nothing_else(marked, tmp_path):
    plain = in_thread(convert, SMALL, "verilog", tmp_path).read_text().splitlines()
    lines = [line for line in marked.verilog.splitlines() if not line.startswith("//")]
    assert [line.removeprefix("(* mem2reg *) ") for line in lines] == [line for line in plain if line[:2] != "//"]
    apart = [line for line in lines if line.startswith("(* mem2reg *) ")]
    assert any("mac_row0_acc [" in line for line in apart) and not any("word_ram" in line for line in apart)
    labels = [line.rpartition(" ")[2] for line in lines if "begin: " in line and line.startswith("always")]
    known = {"_".join((*origin.names, origin.process)).lower() for origin in marked.origins}
    assert len(labels) > 300 and set(labels) <= known


def test_lines_know_their_process(marked):
    for line, origin in zip(["", *marked.verilog.splitlines()], marked.of_lines(), strict=True):
        if line.startswith("always") and "begin: " in line:
            assert line.rpartition(" ")[2] == "_".join((*origin.names, origin.process)).lower()


def test_every_process_has_a_part(marked):
    parts = {origin: part_of(origin, marked.top) for origin in marked.origins}
    assert set(parts.values()) == set(PARTS)
    found = {".".join((*origin.names, origin.process)): part for origin, part in parts.items()}
    readers = {name: part for name, part in found.items() if name.endswith("sequence") and "context_reader" in name}
    assert list(readers.values()) == ["cache", "forecast", "history"]
    assert (
        found["cache_traffic0.history_ports0.choose_traffic"] == "history"
        and found["step_mode0.choose_mode"] == "control"
    )
    settings = [part for name, part in found.items() if name.startswith("conditioning0.header_field")]
    assert settings.count("ccu") == 7 and settings.count("loaders") == 10
    host_words = [part for name, part in found.items() if "read_operands0.gated_delay11." in name]
    assert host_words == ["forecast"] * 3 + ["residual"]
    units = {unit_of(origin) for origin, part in parts.items() if part == "ccu"} - {""}
    assert len(units) == SMALL.rows


def test_a_process_without_a_part_is_named(marked):
    path = ("cache_traffic", "cache_writer", "branch_writer")
    origin = next(origin for origin in marked.origins if origin.path[:3] == path)
    stranger = type(origin)(origin.blocks[3:], origin.process)
    assert stranger.path[0] == "stream_fifo" or not stranger.blocks
    with pytest.raises(UserError, match="belongs to no part"):
        part_of(stranger, marked.top)


def test_memories_are_those_of_the_build(marked):
    by_part = Counter()
    for origin, shape in marked.memories().items():
        by_part[part_of(origin, marked.top)] += shape.depth * shape.bits
    assert by_part["residual"] == (SMALL.x_depth + SMALL.fifo_depth) * SMALL.rows * 16
    assert by_part["history"] == (SMALL.x_depth + 32) * SMALL.rows * 4


def test_cells_are_booked_by_line_and_by_their_readers():
    netlist = Netlist(RTLIL)
    netlist.book(OWNERS.get)
    assert [cell.owner for cell in netlist.cells] == ["x lane0", "x lane1", "x lane1"]
    pieces = netlist.pieces()
    one, two = pieces["x lane0"].text, pieces["x lane1"].text
    assert "  wire width 4 output 3 \\w2" in one and "wire width 8 input 2 \\w1" in one
    assert two.count(" input ") == 2 and two.count(" output ") == 1 and "$not" in two and "wire width 4 \\w" in two


def test_what_another_piece_reads_leaves():
    netlist = Netlist(RTLIL.replace('"top.v:0.0-0.0"', '"top.v:4.1-4.9"'))
    netlist.book((OWNERS | {4: "y "}).get)
    pieces = netlist.pieces()
    inner, lane = pieces["y "].text, pieces["x lane1"].text
    assert inner.count(" output ") == 1 and "connect \\Y \\w1" in inner and "output 2 \\w1" in inner
    assert lane.count(" input ") == 2 and "$not" not in lane


def test_equal_pieces_have_equal_texts():
    first, second = (Netlist(RTLIL.replace("one", name)) for name in ("one", "other"))
    for netlist in (first, second):
        netlist.book(OWNERS.get)
    assert first.pieces()["x lane0"].text == second.pieces()["x lane0"].text
    pieces = first.pieces()
    assert pieces["x lane0"].signature != pieces["x lane1"].signature


def test_memories_are_no_pieces():
    netlist = Netlist(RTLIL.replace("cell $not", "cell $mem_v2").replace("\\Y $moved", "\\RD_DATA $moved"))
    netlist.book(OWNERS.get)
    pieces = netlist.pieces()
    assert "$mem" not in pieces["x lane1"].text and pieces["x lane1"].text.count(" input ") == 2


def test_unfit_netlists_are_refused():
    with pytest.raises(UserError, match="two drivers"):
        Netlist(RTLIL.replace("\\Q \\two", "\\Q \\one"))
    with pytest.raises(UserError, match="belong to no process"):
        Netlist(RTLIL).book({}.get)


class Counted:
    """A synthesizer that counts cells of the piece's text instead of making any."""

    library = Library(SHIPPED_LIBERTY)

    def __init__(self):
        self.asked = 0

    def cells(self, text):
        self.asked += 1
        count = text.count("  cell ")
        return Cells(count, 2.0 * count, text.count("$dff"))


def test_one_stands_for_all():
    netlist = Netlist(RTLIL)
    netlist.book(OWNERS.get)
    one, other = (netlist.pieces()[f"x {lane}"] for lane in ("lane0", "lane1"))
    tool = Counted()
    booked = {("array", "row0"): one, ("array", "row1"): one, ("array", ""): other, ("ccu", ""): one}
    sums = area._synthesized(booked, "4x4", tool)
    assert sums["array"] == (Logic(cells=4, gates=8.0, flip_flops=3), 3, 2) and tool.asked == 3
    assert sums["ccu"][1:] == (1, 1) and sums["softmax"] == (Logic(), 0, 0)


def test_shares_leave_out_what_observes():
    parts = {name: PartArea(logic=Logic(), pieces=1, synthesized=1, memory_bits=0) for name in PARTS}
    parts["array"].logic = Logic(cells=90, gates=180.0, flip_flops=9)
    parts["ccu"].logic = Logic(cells=6, gates=10.0, flip_flops=1)
    parts["dtsm"].logic = Logic(cells=3, gates=8.0, flip_flops=1)
    parts["forecast"].logic = Logic(cells=1, gates=2.0, flip_flops=1)
    parts["observation"].logic = Logic(cells=900, gates=900.0, flip_flops=9)
    parts["history"].memory_bits = 64
    one = ArrayArea(array=Array(rows=4, cols=4), parts=parts)
    assert one.machine == Logic(cells=100, gates=200.0, flip_flops=12) and one.logic().cells == 1000
    assert one.share(one.logic("detection")) == (0.09, 0.09)
    assert one.share(one.logic("detection", "reuse"))[0] == 0.1
    assert one.memory_bits("detection") == one.memory_bits() == 64


def test_difference_of_the_pieces_from_the_whole():
    whole, pieces = Logic(cells=100, gates=200.0), Logic(cells=103, gates=190.0)
    cells, gates = Composition(array=Array(rows=4, cols=4), whole=whole, pieces=pieces).difference
    assert (cells, gates) == (pytest.approx(0.03), pytest.approx(-0.05))


@pytest.mark.parametrize("text", ['{"design": {"num_cells_by_type": {"\\\\NAND2": 3}}}',
                                  '{"modules": {"\\\\piece": {"num_cells_by_type": {"NAND2": 3}}}}'])  # fmt: skip
def test_stat_is_read(text):
    assert parse_stat(text) == {"NAND2": 3}


@pytest.mark.parametrize("text", ["", "{}", '{"design": {}}', '{"design": {"num_cells_by_type": {"NAND2": {}}}}'])
def test_strange_stat_is_refused(text):
    with pytest.raises(UserError, match="0.23 or newer"):
        parse_stat(text)


def test_library():
    library = Library(SHIPPED_LIBERTY)
    assert library.gate == 1 and library.areas["XOR2"] == 2.5
    assert library.count({"NAND2": 4, "DFF": 2}) == Cells(6, 16.0, 2)
    with pytest.raises(UserError, match="\\$_DFFE_PP_ was not mapped"):
        library.count({"$_DFFE_PP_": 1})


def test_bad_library_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="none.lib.*give a Liberty file"):
        find_library(tmp_path / "none.lib")
    (tmp_path / "empty.lib").write_text("library(x) { }")
    with pytest.raises(UserError, match="no cell NAND2X1 or NAND2"):
        find_library(tmp_path / "empty.lib")


def test_no_yosys_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match="Yosys is missing: .*apt-get install yosys"):
        Yosys()


def fake_yosys(folder, monkeypatch, does):
    """A program that tells a version, and otherwise does something else."""
    program = folder / "yosys"
    program.write_text(f'#!/bin/sh\nif [ "$1" = -V ]; then echo "Yosys 0.23 (git)"; else {does}; fi\n')
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(program))
    yosys = Yosys()
    assert yosys.version == "Yosys 0.23"
    return yosys


@pytest.mark.parametrize(
    "does, words",
    [
        ("kill -9 $$", "failed on top.v .was ended by signal 9"),
        ("echo 'ERROR: bad'; exit 1", "failed on top.v .ended with status 1: ERROR: bad"),
        ("true", "failed on top.v .it made no file"),
    ],
)
def test_a_yosys_that_fails_says_so(does, words, monkeypatch, tmp_path):
    with pytest.raises(UserError, match=words):
        fake_yosys(tmp_path, monkeypatch, does).elaborate("")


def test_no_path_of_a_user_reaches_the_script(monkeypatch, tmp_path):
    name = "a b'\"; shell touch pwned\n!touch pwned\n.lib"
    shutil.copyfile(SHIPPED_LIBERTY, tmp_path / name)
    answer = '{"design": {"num_cells_by_type": {"NAND2": 1}}}'
    does = f"cp run.ys {tmp_path}/script; ls > {tmp_path}/files; echo '{answer}' > piece.json"
    yosys, library = fake_yosys(tmp_path, monkeypatch, does), Library(tmp_path / name)
    assert yosys.synthesize("", library) == {"NAND2": 1}
    script = (tmp_path / "script").read_text()
    assert "touch" not in script and str(tmp_path) not in script and "-liberty cells.lib" in script
    assert "cells.lib" in (tmp_path / "files").read_text().split()
    assert library.digest == Library(SHIPPED_LIBERTY).digest


def test_account_is_written_and_read(tmp_path):
    account = made_up.area()
    assert load_area(write_area(tmp_path, account)) == account
    (tmp_path / "area.json").write_text("{}")
    with pytest.raises(UserError, match="does not fit .field .* is missing"):
        load_area(tmp_path / "area.json")
    with pytest.raises(UserError, match="run `radit area` to make it"):
        load_area(tmp_path / "none.json")


COUNTER = """
module radit_top (clk, step, at, data, total, word);
input clk, step; input [1:0] at; input [7:0] data; output reg [7:0] total; output [7:0] word;
reg [7:0] memory [0:3];
assign word = memory[at];
// process 0
always @(posedge clk) begin
    if (step) begin total <= total + 1; end
end
// process 1
always @(posedge clk) begin
    memory[at] <= data;
end
endmodule
"""


@pytest.mark.needs("yosys")
def test_a_counter_is_synthesized_and_kept(tmp_path):
    """Eight flip-flops and an incrementer; the memory is no logic. A second time nothing is run."""
    tool = Synthesizer(Yosys(), Library(SHIPPED_LIBERTY), tmp_path)
    netlist = Netlist(tool.yosys.elaborate(COUNTER))
    netlist.book(lambda line: "control " if line < 10 else "operands ")
    assert any(cell.in_memory for cell in netlist.cells)
    text = netlist.pieces()["control "].text
    found = tool.cells(text)
    assert found.flip_flops == 8 and 20 < found.cells < 60 and found.area > 8 * 6
    (kept,) = tmp_path.iterdir()
    assert tool.cells(text) == found and tool.made == 1
    kept.write_text(kept.read_text()[:5])
    assert tool.cells(text) == found and tool.made == 2, "a damaged file is made again"


@pytest.mark.needs("yosys")
def test_a_broken_netlist_is_named(tmp_path):
    with pytest.raises(UserError, match="Yosys .* failed on top.v"):
        Yosys().elaborate("module radit_top (;")
    undriven = "module \\piece\n  wire \\x\n  wire output 1 \\y\n  cell $not $c\n    parameter \\A_SIGNED 0\n"
    undriven += (
        "    parameter \\A_WIDTH 1\n    parameter \\Y_WIDTH 1\n    connect \\A \\x\n    connect \\Y \\y\n  end\nend\n"
    )
    with pytest.raises(UserError, match="failed on piece.il"):
        Yosys().synthesize(undriven, Library(SHIPPED_LIBERTY))


def test_the_shipped_library_is_packaged():
    assert SHIPPED_LIBERTY.exists() and SHIPPED_LIBERTY.parent.name == "tables"
    assert "tables/*" in Path(__file__).parents[2].joinpath("setup.cfg").read_text()
