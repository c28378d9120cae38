"""What deciding costs: nothing is saved where nothing is compared, and never less than nothing."""

import numpy as np
import pytest

from radit.cosim.support.sizes import build_for
from radit.reports.area.detection import TRAINED, PricedDecisions, _cost, spread
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import FOLLOW, TURN, MemoryModel, predict
from radit.reports.energy.energy_table import load_table
from radit.reports.project.project import config_of
from tests.reports import made_up

LIMITED = MemoryModel(latency=100, bandwidth=32.0)


def cost(decisions):
    return _cost(TRAINED, config_of(TRAINED), decisions, "radit", (16, 16), LIMITED, load_table())


def test_a_run_that_only_follows_pays_its_turns(rng):
    record = made_up.decisions(rng)
    everywhere = np.ones(record.computed.shape[1:3], bool)
    tables = RunTables(True, follow=everywhere)
    found = cost(PricedDecisions(record, tables, "made up"))
    turns = made_up.STEPS * made_up.DIMS.sub_blocks * (FOLLOW + made_up.DIMS.contexts * TURN)
    build = build_for(made_up.DIMS, 16, 16)
    assert found.cycles == predict(made_up.DIMS, build, record, tables, LIMITED).cycles
    assert found.cycles - found.cycles_told == turns and 0 < found.energy_share < 0.005


def test_comparing_costs_more(rng):
    record = made_up.decisions(rng)
    every = cost(PricedDecisions(record, RunTables(policy_on=True), "made up"))
    assert 0.003 < every.cycle_share < 0.1 and 0.003 < every.energy_share < 0.1
    first = np.broadcast_to(np.arange(12) > 0, record.computed.shape[1:3])
    once = cost(PricedDecisions(record, RunTables(True, follow=first), "made up"))
    assert once.cycles_told == every.cycles_told and once.energy_share < every.energy_share / 2


@pytest.mark.parametrize("forecast", [False, True])
def test_spread_decisions_have_the_rate(forecast):
    decisions = spread(0.5, made_up.DIMS, forecast)
    assert abs(decisions.skip_rate(made_up.DIMS) - 0.5) < 0.02
    assert (decisions.tables.follow is not None) == forecast
