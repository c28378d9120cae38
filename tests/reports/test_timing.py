"""``radit timing``: delays of a known netlist in a known library, names of registers, buffers, power, sentences."""

import json
from pathlib import Path

import pytest

from radit.model.errors import UserError
from radit.reports.area.netlist import Netlist
from radit.reports.area.synthesis import INSTALLED_LIBERTY, SHIPPED_LIBERTY, Library
from radit.reports.timing import sta as sta_module
from radit.reports.timing.activity import Activity, read_activity
from radit.reports.timing.mapped import Mapped
from radit.reports.timing.paths import Sources
from radit.reports.timing.power import INTERNAL_COUNTED, cell_leakage_nw, clock_energy_pj, parts_of_cells, power_of
from radit.reports.timing.schema import ArrayTiming, TimedPart, Timing, clock_mhz, load_timing, write_timing
from radit.reports.timing.sta import Sta, end_commands, path_commands, read_ends, read_paths
from radit.reports.timing.table import timing_tables

GATE_NS, CLOCK_NS, SETUP_NS = 0.1, 0.2, 0.05
HEAD = (
    'library(small) { delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW";'
    ' current_unit : "1uA"; capacitive_load_unit (1,pf); nom_voltage : 1.8; nom_process : 1; nom_temperature : 25;'
)


def table(name: str, value: float) -> str:
    """One value for every load and slew."""
    return f'{name}(scalar) {{ values ("{value}"); }}'


def edges(delay: float) -> str:
    return "".join(
        table(name, value)
        for name, value in (
            ("cell_rise", delay), ("cell_fall", delay), ("rise_transition", 0.1), ("fall_transition", 0.1)
        )
    )  # fmt: skip


def gate(name: str, area: int, function: str) -> str:
    pins = "".join(f"pin({p}) {{ direction : input; capacitance : 0.01; }}" for p in "AB" if p in function)
    arcs = "".join(
        f'timing() {{ related_pin : "{p}"; timing_sense : negative_unate; {edges(GATE_NS)} }}'
        for p in "AB"
        if p in function
    )
    out = f'pin(Y) {{ direction : output; function : "{function}"; {arcs} }}'
    return f"cell ({name}) {{ area : {area}; cell_leakage_power : 3; {pins} {out} }}"


def flip_flop() -> str:
    setup = table("rise_constraint", SETUP_NS) + table("fall_constraint", SETUP_NS)
    return (
        'cell (DFFPOSX1) { area : 4; cell_leakage_power : 7; ff (I,N) { next_state : "D"; clocked_on : "CLK"; }'
        f" pin(CLK) {{ direction : input; capacitance : 0.05; clock : true; }}"
        ' pin(D) { direction : input; capacitance : 0.01; timing() { related_pin : "CLK"; timing_type : setup_rising;'
        f' {setup} }} }} pin(Q) {{ direction : output; function : "I"; timing() {{ related_pin : "CLK";'
        f" timing_type : rising_edge; {edges(CLOCK_NS)} }} }} }}"
    )


@pytest.fixture
def library(tmp_path) -> Library:
    cells = [gate("INVX1", 1, "(! A)"), gate("BUFX2", 2, "A"), gate("NAND2X1", 1, "(! (A B))"), flip_flop()]
    path = tmp_path / "small.lib"
    path.write_text("\n".join([HEAD, *cells, "}"]))
    return Library(path)


def netlist_text(inverters: int) -> str:
    """first[0] -> so many inverters -> second[0]."""
    cells = {"f": {"type": "DFFPOSX1", "connections": {"CLK": [2], "D": [3], "Q": [4]}}}
    for k in range(inverters):
        cells[f"i{k}"] = {"type": "INVX1", "connections": {"A": [4 + k], "Y": [5 + k]}}
    cells["s"] = {"type": "DFFPOSX1", "connections": {"CLK": [2], "D": [4 + inverters], "Q": [100]}}
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "start": {"direction": "input", "bits": [3]},
        "end": {"direction": "output", "bits": [100]},
    }
    names = {"first": {"hide_name": 0, "bits": [4, 90]}, "second": {"hide_name": 0, "bits": [100]}}
    return json.dumps({"modules": {"piece": {"ports": ports, "cells": cells, "netnames": names}}})


@pytest.mark.needs("opensta")
def test_delays_are_those_of_the_cells(library):
    sta, mapped = Sta(), Mapped(netlist_text(3))
    assert sta.version.startswith("OpenSTA ") and sta.fo4_ns(library) == pytest.approx(GATE_NS)
    verilog = "\n".join([*mapped.verilog(), ""])
    said = sta.run(verilog, path_commands({"all": ["u4/D", "p2_0"]}) + "\n" + end_commands(9), library)
    (path,) = read_paths(said)
    assert path.delay_ns == pytest.approx(CLOCK_NS + 3 * GATE_NS + SETUP_NS)
    assert [step.pin for step in path.steps] == ["u0/Q", "u1/Y", "u2/Y", "u3/Y"]
    assert mapped.register_name(0) == "first[0]" and mapped.register_name(4) == "second"
    ends = read_ends(said)
    assert ends == pytest.approx({"u4/D": 0.55, "p2_0": 0.2, "u0/D": 0.05})


@pytest.mark.needs("opensta")
@pytest.mark.skipif(not INSTALLED_LIBERTY.exists(), reason="needs qflow-tech-osu018")
def test_power_is_that_of_the_library():
    """OpenSTA 2.0 counts both edges' internal energy in every transition: here each once."""
    library, sta, mapped = Library(INSTALLED_LIBERTY), Sta(), Mapped(netlist_text(2))
    clock_pj = 0.006865 + 0.11034 + 0.0279235 * 1.8**2  # rise, fall at the least slew; load
    assert clock_energy_pj(sta, library) == pytest.approx(clock_pj, rel=0.05)
    module = "module piece (a, y);\ninput a;\noutput y;\nBUFX2 u0 (.A(a), .Y(y));\nendmodule\n"
    commands = "set_power_activity -input_ports [get_ports a] -activity 1 -duty 0.5\nreport_power -digits 6"
    internal, _, leakage = sta_module.read_power(sta.run(module, commands, library, clock=False))
    edges_pj = 0.03658 + 0.065076  # rise and fall at the least slew and load
    assert internal * sta_module.PERIOD_NS * 1e3 == pytest.approx(INTERNAL_COUNTED * edges_pj / 2, rel=0.1)
    assert leakage == pytest.approx(0.0660639e-9)
    parts = {0: "ccu", 3: "dtsm"}
    assert parts_of_cells(mapped, parts) == {0: "ccu", 3: "dtsm", 1: "dtsm", 2: "dtsm"}
    power = power_of(mapped, parts, Activity({"first[0]": 1.0, "second": 0.0}, 100), "a test", sta, library)
    still = power_of(mapped, parts, Activity({"first[0]": 0.0, "second": 0.0}, 100), "a test", sta, library)
    assert power.traced == 1 and power.parts["ccu"].activity == 1 and power.parts["dtsm"].activity == 0
    assert power.parts["dtsm"].leakage_nw == pytest.approx(0.160725 + 2 * cell_leakage_nw(library)["INVX1"])
    assert power.parts["dtsm"].data_pj > 0.01 and power.parts["dtsm"].cells == 3
    assert all(part.data_pj == 0 and part.clock_pj > 0.15 for part in still.parts.values())


def test_wide_nets_get_trees_of_buffers():
    text = json.loads(netlist_text(1))
    cells = text["modules"]["piece"]["cells"]
    for k in range(200):
        cells[f"l{k}"] = {"type": "INVX1", "connections": {"A": [4], "Y": [200 + k]}}
    mapped = Mapped(json.dumps(text))
    before = len(mapped.instances)
    added = mapped.buffer("BUFX2", ("A", "Y"), 12)
    assert added == 17 + 2 and len(mapped.instances) == before + added
    loads: dict = {}
    for one in mapped.instances:
        for pin, net in one.pins.items():
            if pin in ("A", "D"):
                loads[net] = loads.get(net, 0) + 1
    assert max(loads.values()) == 12


def test_a_path_is_told_by_its_processes():
    lines = [
        "module \\t", "  wire input 1 \\clk", "  wire \\a", "  wire \\b", "  wire output 2 \\c",
        '  attribute \\src "t.v:1.1-1.2"', "  cell $dff $1", "    connect \\CLK \\clk", "    connect \\D \\c",
        "    connect \\Q \\a", "  end", '  attribute \\src "t.v:2.1-2.2"', "  cell $not $2", "    connect \\A \\a",
        "    connect \\Y \\b", "  end", '  attribute \\src "t.v:3.1-3.2"', "  cell $dff $3",
        "    connect \\CLK \\clk", "    connect \\D \\b", "    connect \\Q \\c", "  end", "end",
    ]  # fmt: skip
    netlist = Netlist("\n".join(lines))
    netlist.book({1: "ccu one.keep", 2: "ccu one.invert", 3: "dtsm two.keep"}.get)
    sources = Sources(netlist)
    assert sources.blocks("a[0]", "c[0]") == ["one.keep", "one.invert", "two.keep"]
    assert sources.part("c[3]") == "dtsm" and sources.part("nowhere[1][2]") == ""


def test_changes_of_a_waveform(tmp_path):
    path = tmp_path / "run.vcd"
    text = [
        "$var wire 1 ! clk $end",
        '$var wire 4 " first [3:0] $end',
        "$var wire 1 # other $end",
        "$enddefinitions $end",
    ]
    for cycle in range(8):
        text += [f"#{cycle * 10}", "1!", f'b{cycle:b} "', f"{cycle & 1}#", f"#{cycle * 10 + 5}", "0!"]
    path.write_text("\n".join(text))
    found = read_activity(path, {"first"})
    assert found.cycles == 7 and found.changes["first[0]"] == 1 and found.changes["first[3]"] == 0
    assert found.changes["first[1]"] == pytest.approx(3 / 7) and "other" not in found.changes
    path.write_text("nothing")
    with pytest.raises(UserError, match="--activity is .*run.vcd.*without a running clock"):
        read_activity(path, {"first"})
    with pytest.raises(UserError, match="--activity .*none.vcd.*cannot be read"):
        read_activity(tmp_path / "none.vcd", {"first"})


def made_up(fo4: float = 50.0) -> Timing:
    part = TimedPart(
        endpoints=3, delay_ns=fo4 / 10, fo4=fo4, cells=9, start="a[0]", end="b[1]", blocks=["one.keep", "two.add"]
    )
    one = ArrayTiming(
        array={"rows": 4, "cols": 4}, counter_bits=64, cells=10, flip_flops=4, buffers=1, area=12.0, endpoints=3,
        near=1, parts={"ccu": part}, seconds=1.0, memory_mib=2.0,
    )  # fmt: skip
    return Timing(
        model="digits", yosys="Yosys 0.23", sta="OpenSTA 2.0.17", library="x.lib", library_hash="0" * 16, fo4_ns=0.1,
        arrays=[one], created="2026-01-01T00:00:00+00:00", command="radit timing", versions={},
    )  # fmt: skip


def test_account_is_kept_and_shown(tmp_path):
    account = made_up()
    assert load_timing(write_timing(tmp_path, account)) == account
    assert account.arrays[0].mhz() == pytest.approx(clock_mhz(50.0)) == pytest.approx(1e6 / (50 * 15))
    text = timing_tables(account, made_up(80.0))
    assert "| CCU | 3 | 5.00 | 50.0 | 80.0 | 1,333 | 800 | 2,000 |" in text
    assert "from a[0] to b[1], 9 cells, through one.keep, two.add" in text.replace("\\_", "_").replace("\n", " ")
    wrong = account.model_dump() | {"fo4_ns": 0.2}
    (tmp_path / "timing.json").write_text(json.dumps(wrong))
    with pytest.raises(UserError, match="fo4 is not its delay over fo4_ns"):
        load_timing(tmp_path / "timing.json")


def test_missing_and_unfit_tools_are_one_sentence(monkeypatch, tmp_path, library):
    with pytest.raises(UserError, match="write_json"):
        Mapped("{}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="OpenSTA .* is missing: apt-get install opensta"):
        Sta()
    program = tmp_path / "sta"
    program.write_text('#!/bin/sh\ncase "$*" in *version*) echo 9.9;; *) exit 3;; esac\n')
    program.chmod(0o755)
    sta = Sta()
    assert sta.version == "OpenSTA 9.9"
    with pytest.raises(UserError, match="OpenSTA 9.9 failed .*ended with status 3.*--liberty"):
        sta.fo4_ns(library)
    program.write_text("#!/bin/sh\necho 'Error: cells.lib, line 3 syntax error'\n")
    with pytest.raises(UserError, match="line 3 syntax error.*give another --liberty"):
        sta.run("", "", library)
    with pytest.raises(UserError, match="no cell INVX1 or INV to measure"):
        bare = tmp_path / "bare.lib"
        bare.write_text("cell (NAND2) { area : 1; }")
        sta.fo4_ns(Library(bare))


@pytest.mark.needs("opensta")
def test_a_library_without_delays_is_refused():
    with pytest.raises(UserError, match="gates.lib.*(states no delays|give another)"):
        Sta().fo4_ns(Library(Path(SHIPPED_LIBERTY)))
