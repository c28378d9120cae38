"""What deciding costs: nothing is saved where nothing is compared, and never less than nothing."""

import numpy as np
import pytest

from cosim.support.sizes import build_for
from reports.area.detection import TRAINED, Record, _cost, spread
from reports.cost.run_tables import POLICY_ON, Orders
from reports.cycles.cycle_model import FOLLOW, TURN, MemoryModel, predict
from reports.energy.energy_table import load_table
from reports.project.project import config_of
from tests.reports import made_up

LIMITED = MemoryModel(latency=100, bandwidth=32.0)


def cost(record):
    return _cost(TRAINED, config_of(TRAINED), record, "radit", (16, 16), LIMITED, load_table())


def test_a_run_that_only_follows_pays_its_turns(rng):
    computed = made_up.decisions(rng)[None]
    everywhere = np.ones(computed.shape[1:3], bool)
    orders = Orders(True, follow=everywhere)
    found = cost(Record(computed, orders, "made up"))
    turns = made_up.STEPS * made_up.DIMS.sub_blocks * (FOLLOW + made_up.DIMS.contexts * TURN)
    build = build_for(made_up.DIMS, 16, 16)
    assert found.cycles == predict(made_up.DIMS, build, computed[0], orders, LIMITED).cycles
    assert found.cycles - found.cycles_told == turns and 0 < found.energy_share < 0.005


def test_comparing_costs_more(rng):
    computed = made_up.decisions(rng)[None]
    every = cost(Record(computed, POLICY_ON, "made up"))
    assert 0.003 < every.cycle_share < 0.1 and 0.003 < every.energy_share < 0.1
    first = np.broadcast_to(np.arange(12) > 0, computed.shape[1:3])
    once = cost(Record(computed, Orders(True, follow=first), "made up"))
    assert once.cycles_told == every.cycles_told and once.energy_share < every.energy_share / 2


@pytest.mark.parametrize("forecast", [False, True])
def test_spread_decisions_have_the_rate(forecast):
    record = spread(0.5, made_up.DIMS, forecast)
    assert abs(record.skip_rate(made_up.DIMS) - 0.5) < 0.02
    assert (record.orders.follow is not None) == forecast
