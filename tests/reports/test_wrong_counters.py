"""Counters of the RTL that are wrong, by however much, end in the verdict that they differ, with results written."""

import copy

import numpy as np
import pytest

import radit
from radit.reports.run import runs
from radit.reports.run.summary import SUMMARY_FILE, load_summary
from radit.terminal.run import show_run

pytestmark = pytest.mark.needs("verilator")


@pytest.fixture(scope="module")
def good():
    return radit.cosimulate("digits", ["dense", "radit"], array="8x8", images=1, steps=4)


@pytest.mark.parametrize(
    "policy, name, change",
    [
        (1, "fc1_array", 1),
        (0, "cycles", 1),
        (1, "cycles", None),
        (0, "array_cycles", 10**9),
        (1, "weight_writes", 5),
        (1, "history_reads", 2**63),
    ],
)
def test_wrong_counters_differ(good, monkeypatch, tmp_path, capsys, policy, name, change):
    """`change` is added to a counter; None: it is 0."""
    found = copy.deepcopy(good.outcome.runs)
    counters = found[policy].results[0].counters
    counters[name] = 0 if change is None else counters[name] + change
    monkeypatch.setattr(runs, "run", lambda *_: found)
    outcome = runs.run_policies(good.prepared, [one.policy for one in found])
    assert not outcome.equal and not outcome.summary.check.counters_equal
    assert any(f"{name} is" in problem or "add up to" in problem for problem in outcome.problems)
    runs.write_run(tmp_path, outcome)
    show_run(outcome.summary, outcome.equal, tmp_path, 0.0)
    told = capsys.readouterr().out
    assert "counters DIFFER" in told and "NOT EQUAL" in told
    again = load_summary(tmp_path / SUMMARY_FILE)
    assert again.model_copy(update={"arrays_digest": outcome.summary.arrays_digest}) == outcome.summary
    if again.ratios:
        assert "CHECK FAILED" in (tmp_path / "report.html").read_text()
        assert runs.rerun_report(run=tmp_path, table="default", readme=None).is_file()


def test_right_counters_are_equal(good):
    assert good.passed and np.all([good[name].result.mac_utilization <= 1 for name in ("dense", "radit")])
