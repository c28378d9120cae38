"""The cycle model of the AXI wrapper on a bus of 256 bits; `tox run -e axi`."""

import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.cosim.drive.simulated import BusTiming, axi_library
from radit.reports.cycles.bus import MET
from tests.drive.test_bus_cycles import MET_CYCLES, phases_behind_axi
from tests.drive.test_drivers import POLICIES
from tests.drive.tiny import BUILD, tiny_prepared

WIDE_BUS = BusConfig(256)

pytestmark = pytest.mark.needs("verilator")


@pytest.mark.parametrize("latency", [1, 20, 100])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_wide_bus_is_met(policy, latency, seed):
    """Exact but for the passes; at a latency of 100 ports meet in the engines of so small a model as well."""
    library = axi_library(tiny_prepared().build, WIDE_BUS, BUILD)
    measured, predicted = phases_behind_axi(policy, BusTiming(latency, seed=seed % 1000), WIDE_BUS, library)
    assert sum(predicted.values()) == pytest.approx(sum(measured.values()), rel=MET)
    if latency <= 20:
        passes = measured.pop("pass"), predicted.pop("pass")
        assert measured == predicted and abs(passes[0] - passes[1]) <= 4 * MET_CYCLES
