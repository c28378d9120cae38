"""Long runs: the simulator is compiled a second time, by a profile, and is the same machine."""

import pytest

import radit
from radit.cosim import prepare
from radit.cosim.engines import toolchain, verilate
from radit.cosim.engines.verilate import ProfiledBuild

GCC = [
    "g++ (Debian 12.2.0-14+deb12u1) 12.2.0",
    "x86_64-linux-gnu-g++-14 (Ubuntu 14.2.0-4ubuntu2) 14.2.0",
    "c++ (GCC) 15.1.1",
]
OTHERS = ["Debian clang version 14.0.6", "Apple clang version 15.0.0 (clang-1500.3.9.4)", "icpx (oneAPI) 2025", "g++"]


@pytest.mark.parametrize("version", [*GCC, *OTHERS])
def test_only_gcc_profiles(version, monkeypatch):
    monkeypatch.setattr(toolchain, "compiler_version", lambda compiler: version)
    assert toolchain.is_gcc("any") == (version in GCC)


@pytest.mark.needs("verilator")
def test_a_long_run_is_compiled_by_a_profile_and_equal(monkeypatch):
    if not toolchain.is_gcc(toolchain.find_compiler()):
        pytest.skip("the compiler is not GCC")
    monkeypatch.setattr(verilate, "FAST", "-O1")  # compiles sooner
    made = []

    def built(build, *cache):
        made.append((build, folder := make(build, *cache)))
        return folder

    make = verilate.built
    monkeypatch.setattr(verilate, "built", built)
    plain, profiled = (run(monkeypatch, longest) for longest in (prepare.LONG_RUN, 0.0))
    assert profiled.passed and profiled["radit"].counters == plain["radit"].counters
    assert (profiled["radit"].images == plain["radit"].images).all()
    libraries = {isinstance(build, ProfiledBuild): library for build, library in made}
    assert libraries[True].read_bytes() != libraries[False].read_bytes()
    left = {path.suffix for path in libraries[True].parent.iterdir()}
    assert ".so" in left and not left & {".o", ".gcda"}, "only the library and its sources are kept"


def run(monkeypatch, longest):
    monkeypatch.setattr(prepare, "LONG_RUN", longest)
    return radit.cosimulate("digits", ["radit"], array="4x4", blocks=1, steps=2)
