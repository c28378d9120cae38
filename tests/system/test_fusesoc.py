"""The exported folder as a FuseSoC core: its targets run as they are, and fail where something is wrong."""

import os
import shutil
import subprocess
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.accel.export.constraints import constraint_texts
from radit.accel.export.export_folder import export_build
from radit.accel.export.fusesoc import CORE_FILE, core_text
from radit.cosim.engines.toolchain import find_verilator

SMALL = BuildConfig(rows=4, cols=4, max_hidden=8, max_mlp=8, max_tokens=16, max_sub_blocks=2)
TOPS = {"radit_top": None, "radit_axi": BusConfig(data_bits=64)}

pytestmark = pytest.mark.needs("fusesoc")


@pytest.fixture(scope="module")
def cores(tmp_path_factory):
    """The folder of each top."""
    made = {}
    for top, bus in TOPS.items():
        made[top] = tmp_path_factory.mktemp(top)
        with redirect_stderr(StringIO()):
            export_build(SMALL, ["verilog"], made[top], bus)
    return made


@pytest.fixture
def fusesoc(tmp_path):
    """``fusesoc(folder, top, target)``: status and all that it says, in a home of its own without network."""
    tool, programs = find_verilator(), tmp_path / "programs"
    programs.mkdir()
    variables = " ".join(f"{name}={value}" for name, value in tool.environment)
    (programs / "verilator").write_text(f'#!/bin/sh\n{variables} exec {tool.command} "$@"\n')
    (programs / "verilator").chmod(0o755)
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "CACHE", "DATA")}
    environment = {**os.environ, **homes, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def run(folder: Path, top: str, target: str) -> tuple[int, str]:
        command = ["fusesoc", "--cores-root", folder, "run", "--target", target, f"radit:accelerator:{top}"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=600,
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize("top", TOPS)
def test_lint_is_silent(cores, fusesoc, top):
    status, said = fusesoc(cores[top], top, "lint")
    assert status == 0 and "%Warning" not in said and "verilator -f" in said, said


@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("top", TOPS)
def test_simulation_checks_itself(cores, fusesoc, top):
    status, said = fusesoc(cores[top], top, "sim")
    assert status == 0 and "12 registers hold what they should" in said, said


@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("top", TOPS)
def test_simulation_fails_on_a_wrong_value(cores, fusesoc, top, tmp_path):
    folder = tmp_path / "wrong"
    shutil.copytree(cores[top], folder)
    bench = folder / f"{top}_registers_tb.v"
    before = bench.read_text()
    bench.write_text(before.replace("32'h00000008", "32'h00000009", 1))
    assert bench.read_text() != before
    status, said = fusesoc(folder, top, "sim")
    assert status != 0 and "reads 00000008, not 00000009" in said, said


def test_lint_fails_without_the_waivers(cores, fusesoc, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(cores["radit_top"], folder)
    (folder / "waivers.vlt").write_text("`verilator_config\n")
    status, said = fusesoc(folder, "radit_top", "lint")
    assert status != 0 and "%Warning" in said


def test_the_core_lists_what_is_there():
    plain = core_text(["radit_top.v", "waivers.vlt", "radit_top.sdc"])
    assert "sim:" not in plain and "radit_top.sdc" in plain and ".lpf" not in plain
    names = ["radit_top.v", "waivers.vlt", "radit_top_registers_tb.v", "radit_top_tb.v", "images/weights.hex"]
    text = core_text(names)
    assert "toplevel: radit_top_tb\n" in text and "images/weights.hex: {file_type: user" in text
    assert "registers_tb" not in text


@pytest.mark.parametrize("mhz, period", [(50, "20.000"), (80, "12.500"), (62.5, "16.000")])
def test_constraints_name_the_clock(cores, mhz, period):
    texts = constraint_texts("radit_top", mhz)
    assert all(f"create_clock -name clk -period {period} [get_ports clk]" in texts[end] for end in ("sdc", "xdc"))
    assert texts["lpf"] == f'FREQUENCY PORT "clk" {mhz:g} MHZ;\n'
    names = {path.name for path in cores["radit_top"].iterdir()}
    assert {"radit_top.sdc", "radit_top.xdc", "radit_top.lpf", CORE_FILE} <= names
