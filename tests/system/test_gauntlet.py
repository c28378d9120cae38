"""The gauntlet without a defect: the machine passes it on both builds, from any state at power-up.

``python -m tools.mutations`` sends mutants of the hardware through the same course.
"""

from pathlib import Path

import pytest

from radit.accel.config import BuildConfig
from radit.cosim.engines.open import exported_verilog
from tests.system.cosimulate import OUT
from tests.system.gauntlet import BUILDS, COURSE, OBSTACLES, TEXT_BUILDS, TEXT_OBSTACLES, meet
from tests.system.quick_build import SEED, quick_library, using

pytestmark = pytest.mark.needs("verilator")


def library(build: BuildConfig) -> Path:
    """Compiled once."""
    return quick_library(build, exported_verilog(build, OUT / "rtl"), OUT / "verilated")


@pytest.mark.parametrize("obstacle", COURSE)
@pytest.mark.parametrize("build", BUILDS)
def test_it_is_passed(build, obstacle):
    with using(library(BUILDS[build])):
        assert meet(obstacle, BUILDS[build]) == []


@pytest.mark.parametrize("power_up", range(2, 6))
@pytest.mark.parametrize("obstacle", ["forecasts", "a clip", "a stream", "planned, by differences"])
def test_what_it_held_at_power_up_reaches_nothing(obstacle, power_up, monkeypatch):
    """`--power-up` has all tests of this folder start so."""
    monkeypatch.setenv(SEED, str(power_up))
    name = next(iter(BUILDS))
    with using(library(BUILDS[name])):
        assert meet(obstacle, BUILDS[name]) == []


@pytest.mark.parametrize("obstacle", TEXT_OBSTACLES)
@pytest.mark.parametrize("build", TEXT_BUILDS)
def test_it_is_passed_with_text(build, obstacle):
    with using(library(TEXT_BUILDS[build])):
        assert meet(obstacle, TEXT_BUILDS[build]) == []


def test_a_build_with_text_runs_models_without():
    """By registers alone."""
    build = TEXT_BUILDS["4x8x2 with text"]
    with using(library(build)):
        assert {name: problems for name in OBSTACLES if (problems := meet(name, build))} == {}
