"""Clock, control and leakage: sizes are those that were synthesized, energies those of the table."""

import json
from pathlib import Path

import pytest

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.memory_plan import MemoryPlan
from radit.reports.energy.standing import CONTROL, CONTROL_GATES, FLIP_FLOPS, GATES, memory_bits, standing_pj

AREA = json.loads((Path(__file__).parents[2] / "docs" / "results" / "area.json").read_text())
PLAN = MemoryPlan.placing((1000, 128), (500, 64), 512)


def size(array: dict, field: str, parts) -> float:
    return sum(array["parts"][name]["logic"][field] for name in parts)


@pytest.mark.parametrize("array", AREA["arrays"], ids=lambda array: f"{array['array']['rows']}")
def test_sizes_are_those_of_the_synthesis(array):
    """Within half a per cent: lines through both builds, rounded."""
    build = BuildConfig(array["array"]["rows"], array["array"]["cols"])
    seen = [name for name in array["parts"] if name != "observation"]
    assert GATES.of(build) == pytest.approx(size(array, "gates", seen), rel=0.005)
    outside = [name for name in seen if name != "array"]
    assert FLIP_FLOPS.of(build) == pytest.approx(size(array, "flip_flops", outside), rel=0.005)
    assert CONTROL_GATES.of(build) == pytest.approx(size(array, "gates", CONTROL), rel=0.005)


def test_idle_cycles_cost_as_much_and_leakage_follows_the_clock():
    table, build = load_table(), BuildConfig(16, 16)
    counters = dict.fromkeys(COUNTERS, 0) | {"cycles": 1000}
    busy = standing_pj(table, build, PLAN, counters)
    idle = standing_pj(table, build, PLAN, counters | {"cycles": 400}, idle_cycles=600)
    slow = standing_pj(table, build, PLAN, counters, clock_mhz=250)
    assert idle == busy and slow["clock_and_control"] == busy["clock_and_control"]
    assert slow["leakage"].nominal == pytest.approx(2 * busy["leakage"].nominal)
    clocked = table.energy_pj("clock_register").nominal * FLIP_FLOPS.of(build)
    moving = table.energy_pj("control_gate").nominal * CONTROL_GATES.of(build)
    assert busy["clock_and_control"].nominal == pytest.approx(1000 * (clocked + moving))


def test_memories_that_a_run_never_touches_are_off():
    build, counters = BuildConfig(16, 16), dict.fromkeys(COUNTERS, 0)
    dense = memory_bits(build, PLAN, counters)
    assert memory_bits(build, PLAN, counters | {"cache_writes": 1}) == dense + 8000
    assert memory_bits(build, PLAN, counters | {"cache_writes": 1, "code_reads": 1}) == dense + 12000
    outside = PLAN.replaced(0)
    assert memory_bits(build, outside, counters | {"cache_writes": 1, "code_reads": 1}) == dense
