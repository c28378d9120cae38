"""``radit_regs.h``: a C compiler reads it, and what it says is what the registers are."""

import re
import subprocess

import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_registers import bus_addresses
from radit.accel.config import BuildConfig
from radit.accel.control.registers import (
    ADDRESS,
    CODE,
    COUNTER_ADDRESS,
    REGISTERS,
    TEXT_REGISTERS,
    build_constants,
    stored_registers,
)
from radit.accel.export.c_header import header_text
from radit.cosim.engines.toolchain import find_compiler

BUILDS = {"plain": BuildConfig(4, 8, counters=0), "text": BuildConfig(8, 4, max_text=20, max_contexts=3)}
MACRO = re.compile(r"^#define RADIT_(\w+) (0x[0-9a-f]+|\d+)u?\b", re.MULTILINE)


def macros(text: str) -> dict[str, int]:
    """Name, without its prefix -> value."""
    found = [(name, int(value, 0)) for name, value in MACRO.findall(text)]
    assert len(dict(found)) == len(found) == text.count("#define RADIT_") - 1  # the guard has no value
    return dict(found)


@pytest.mark.parametrize("bus", [None, BusConfig()], ids=["bare", "axi"])
@pytest.mark.parametrize("build", BUILDS)
def test_it_says_what_the_lists_say(build, bus):
    config = BUILDS[build]
    found, scale = macros(header_text(config, bus)), 4 if bus else 1
    addresses = {name[4:].lower(): value for name, value in found.items() if name.startswith("REG_")}
    built = {*stored_registers(config), *(name for name, each in REGISTERS.items() if each.access != "write")}
    assert addresses == {name: scale * ADDRESS[name] for name in built}
    assert bool(config.max_text) == bool(addresses.keys() & set(TEXT_REGISTERS))
    assert {name: found[f"BUILD_{name.upper()}"] for name in build_constants(config)} == build_constants(config)
    assert {name: found[f"ERROR_{name}"] for name in CODE} == CODE
    assert (found["HIDDEN_LOW"], found["HIDDEN_HIGH"], found["HIDDEN_STEP"]) == (1, 64, 4)
    assert (found["CONTROL_ABORT_MASK"], found["STATUS_CODE_MASK"], found["STATUS_CODE_SHIFT"]) == (8, 0xF0, 4)
    if config.counters:
        assert found["COUNTER_CYCLES"] == scale * COUNTER_ADDRESS["cycles"]
    assert ("COUNTER_CYCLES" in found) == bool(config.counters)
    wrapper = {name[4:].lower(): value for name, value in found.items() if re.match("BUS_(?!ERROR_)", name)}
    assert wrapper == (bus_addresses(config) if bus else {})


@pytest.mark.parametrize("bus", [None, BusConfig()], ids=["bare", "axi"])
def test_a_compiler_reads_it(bus, tmp_path):
    text = header_text(BUILDS["text"], bus)
    (tmp_path / "radit_regs.h").write_text(text)
    checks = [f"static_assert(RADIT_{name} == {value}, {name!r});" for name, value in macros(text).items()]
    source = tmp_path / "check.cpp"
    lines = ['#include "radit_regs.h"', '#include "radit_regs.h"', *checks]
    source.write_text("\n".join(lines).replace("'", '"') + "\n")
    command = [*find_compiler().split(), "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
