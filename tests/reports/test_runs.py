"""What the demo runs, how a finished run is priced again, and which record a projection takes."""

from types import SimpleNamespace

import numpy as np
import pytest

from model.skip import parse_policy
from reports import runs
from reports.arrays import write_arrays
from reports.decisions import recorded
from reports.memories import describe_plans, plan_memory
from reports.options import POLICIES
from reports.table import load_table
from tests.reports import made_up


class Stop(Exception):
    pass


def test_the_demo_runs_every_policy(tmp_path, monkeypatch):
    asked = []

    def measure(prepared, policies, with_quality):
        asked.extend(policy.name for policy in policies)
        raise Stop

    prepared = SimpleNamespace(policy=lambda text, max_error: parse_policy(text))
    monkeypatch.setattr(runs, "prepare", lambda request: prepared)
    monkeypatch.setattr(runs, "_measure", measure)
    with pytest.raises(Stop):
        runs.run_demo(
            images=1, steps=2, cfg=1.5, seed=0, array=(8, 8), engine="verilator", memory={}, out=tmp_path
        )  # fmt: skip
    assert tuple(asked) == POLICIES


def test_every_policy_is_priced_again(rng):
    summary = made_up.summary(rng, forecast=True)
    for result in summary.results.values():
        result.energy_uj.nominal = 0.0
    summary.forecast_ratios = summary.ratios = None
    priced = runs._priced(summary, load_table())
    energies = [result.energy_uj.nominal for result in priced.results.values()]
    assert len(energies) == 3 and min(energies) > 0
    assert [each.energy_nominal for each in priced.dense_over.values()] == [energies[0] / e for e in energies[1:]]
    assert "forecast: history" in priced.provenance.memory_plan


def test_plans_are_told_once_or_by_policy():
    one, two = (plan_memory(made_up.DIMS, made_up.BUILD, cached_tensors=n) for n in (1, 2))
    assert describe_plans({"dense": one, "radit": one}) == one.describe()
    text = describe_plans({"dense": one, "radit": one, "forecast": two})
    assert text == f"dense, radit: {one.describe()}. forecast: {two.describe()}"


def test_a_projection_takes_the_record_of_its_policy(tmp_path, rng):
    arrays = made_up.arrays(rng, images=2, forecast=True)
    write_arrays(tmp_path / "arrays.npz", arrays)
    for policy in ("radit", "forecast"):
        found = recorded(tmp_path, made_up.DIMS, made_up.STEPS, policy)
        assert np.array_equal(found, ~arrays.reused[policy])
