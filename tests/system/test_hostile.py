"""Five hundred hostile sequences on the compiled hardware; RADIT_EXAMPLES is a factor, --seed makes others."""

from collections import Counter

import numpy as np
import pytest

from radit.cosim.engines import EngineError, Setup, open_engine
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.setup import MemoryTiming
from tests.mutants import examples
from tests.system.cosimulate import OUT, SKIPPING, Shape, make_task
from tests.system.hostile import MOST_CYCLES, HostileHost, code_of, narrow_build, nothing_moved
from tests.system.quick_build import quick_library, using

pytestmark = pytest.mark.needs("verilator")
SMALL = Shape(5, 8, 2, 8, depth=1, seed=6, motion=("js", "jj"))
SEQUENCES = 500


@pytest.fixture(scope="module")
def hostile():
    build, setup = narrow_build(), Setup(MemoryTiming(3), trace=False, max_cycles=MOST_CYCLES)
    library = quick_library(build, exported_verilog(build, OUT / "rtl"), OUT / "verilated")
    with using(library), open_engine("verilator", build, setup, OUT) as engine:
        yield HostileHost(engine, make_task(SMALL), SKIPPING)


def test_everything_ends_and_what_follows_is_right(hostile, rng):
    """In an error with its code, or harmlessly, within the watchdog's time; a refused start moves nothing."""
    assert hostile.be_right() == ""
    endings: Counter[str] = Counter()
    for number in range(examples(SEQUENCES)):
        ending = hostile.attack(rng)
        place = f"sequence {number}, which ended by {ending.kind} after {ending.cycles} cycles"
        assert ending.cycles < MOST_CYCLES, f"{place}: it is still busy"
        assert ending.kind != "nothing", f"{place}: no one says what happened"
        if ending.kind in ("RANGE", "RELATION"):
            assert nothing_moved(hostile.engine), f"{place}: something moved"
        problem = hostile.be_right()
        assert not problem, f"{place}: {problem}"
        endings[ending.kind] += 1
    few = {kind: endings[kind] for kind in KINDS if endings[kind] < 5}
    assert few == {}, f"rare among {endings}"


def test_an_engine_ends_a_timestep(hostile):
    """In the middle of it; what was on its way is dropped, and the next image is right."""
    assert hostile.be_right() == ""
    assert_it_ends(hostile)


def test_so_does_the_simulation_of_myhdl():
    """The same in Python."""
    setup = Setup(MemoryTiming(3), trace=False, max_cycles=MOST_CYCLES)
    with open_engine("myhdl", narrow_build(), setup) as engine:
        assert_it_ends(HostileHost(engine, make_task(SMALL), SKIPPING))


def assert_it_ends(host: HostileHost) -> None:
    """A timestep is aborted after its first sub-block."""
    for address, value in host.steps[0].registers:
        host.engine._write(address // 4, value)
    host.engine.start_timestep(np.frombuffer(host.steps[0].x_in, np.int16))
    assert host.engine.run_sub_block() == 0
    host.engine.abort()
    assert code_of(host.engine.read_register("status")) == "ABORTED"
    assert host.be_right() == ""


def test_an_engine_says_what_was_refused(hostile):
    """Code and register as a sentence."""
    assert hostile.be_right() == ""
    hostile.engine.write_register("heads", 3)
    with pytest.raises(EngineError, match="did not rise with START: .*does not fit the others.* .hidden."):
        hostile.engine.run_timestep(hostile.streams[0])
    assert hostile.be_right() == ""


KINDS = ("done", "reset", "BUSY", "RANGE", "RELATION", "WATCHDOG", "ABORTED")
