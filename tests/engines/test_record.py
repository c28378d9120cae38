"""The record of the ports: the same in both engines, from the reset on, and no longer than asked for."""

import pytest

from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import RESET_CYCLES, TopPorts
from radit.cosim.engines import Setup
from tests.engines.bench import ENGINES, load, open_engine, random_x

CONFIG = BuildConfig(rows=8, cols=4)


def recorded(name: str, cycles: int) -> dict[str, list[int]]:
    with open_engine(name, CONFIG, Setup()) as engine:
        engine.record(cycles)
        load(engine)
        engine.run_timestep(random_x(CONFIG))
        return engine.take_record()


@pytest.mark.needs("verilator")
def test_both_engines_record_the_same():
    first, second = (recorded(name, 100_000) for name in ENGINES)
    assert first == second
    assert first.keys() == {port.name for port in TopPorts(CONFIG).table()} - {"clk"}
    assert first["aresetn"].index(1) == RESET_CYCLES and sum(first["busy"]) > 100
    words = [data for data, valid in zip(first["m_x_tdata"], first["m_x_tvalid"], strict=True) if valid]
    assert max(words) >> 64, "a word wider than a register of the simulator"


@pytest.mark.parametrize("name", [pytest.param("verilator", marks=pytest.mark.needs("verilator")), "myhdl"])
def test_a_record_ends_when_it_is_full(name):
    whole, part = recorded(name, 100_000), recorded(name, 50)
    assert part == {port: column[:50] for port, column in whole.items()}
