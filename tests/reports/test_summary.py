"""summary.json: the contract's fields, checks, and results that survive a failed write."""

import json
import os

import numpy as np
import pytest
from pydantic import ValidationError

from model.errors import UserError
from reports.common.files import file_hash
from reports.run.arrays import Decisions, ReportArrays, load_arrays, load_decisions, write_arrays
from reports.run.run_results import unpredicted_cycles
from reports.run.schema import POLICY_LABELS, SCHEMA_VERSION, CycleModel
from reports.run.summary import all_ratios, load_summary, whole_run, write_summary
from tests.reports import made_up

MEASURED = {"stalls", "gmac_per_second", "cycle_model"}
CONTRACT = {
    "": {"model", "sampler", "engine", "array", "memory", "dense", "radit", "ratios", "check", "quality", "seconds"}
    | MEASURED,
    "sampler": {"steps", "cfg", "images", "seed"},
    "array": {"rows", "cols"},
    "memory": {"latency", "bandwidth", "stall", "seed"},
    "dense": {"cycles", "macs", "mac_utilization", "mac_skip_rate", "energy_uj", "energy_breakdown_uj"} | MEASURED,
    "radit": {"cycles", "macs", "mac_utilization", "mac_skip_rate", "energy_uj", "energy_breakdown_uj"} | MEASURED,
    "ratios": {"cycles", "macs", "energy_nominal"},
    "check": set(
        "words_compared words_mismatched decisions_compared decisions_mismatched images_identical "
        "counters_equal".split()
    ),
    "quality": set(
        "samples fd_float fd_int8 fd_radit fd_noise accuracy_float accuracy_int8 accuracy_radit mse_radit_to_dense "
        "mse_fewer_steps_same_macs".split()
    ),
}


FORECAST = {"fd_forecast", "accuracy_forecast", "mse_forecast_to_dense", "mse_30_of_50", "mac_reduction_forecast"}


@pytest.fixture
def summary(rng):
    return made_up.summary(rng)


@pytest.fixture
def three(rng):
    return made_up.summary(rng, forecast=True)


def test_has_the_contracts_fields(tmp_path, summary):
    write_summary(tmp_path / "summary.json", summary)
    written = json.loads((tmp_path / "summary.json").read_text())
    for part, fields in CONTRACT.items():
        assert (written[part] if part else written).keys() >= fields
    assert written["dense"]["energy_uj"].keys() == {"low", "nominal", "high"}
    assert written["dense"]["mac_skip_rate"] == 0 < written["radit"]["mac_skip_rate"] < 1
    assert written["ratios"]["cycles"] == pytest.approx(written["dense"]["cycles"] / written["radit"]["cycles"])


def test_forecast_is_kept_beside_radit(tmp_path, three):
    write_summary(tmp_path / "summary.json", three)
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written["forecast"].keys() >= CONTRACT["dense"]
    assert written["forecast_ratios"]["macs"] == three.dense.macs / three.forecast.macs
    assert written["ratios"]["macs"] == three.dense.macs / three.radit.macs != written["forecast_ratios"]["macs"]
    assert written["quality"].keys() >= FORECAST and None not in [written["quality"][name] for name in FORECAST]
    loaded = load_summary(tmp_path / "summary.json").comparison()
    assert (
        list(loaded.results) == list(POLICY_LABELS) == list(loaded.cycle_models) and loaded.forecast == three.forecast
    )
    assert list(loaded.dense_over) == ["radit", "forecast"]


def test_forecast_may_be_absent(tmp_path, summary):
    """Summaries written before there was a forecast still load."""
    stored = summary.model_dump()
    for part in (stored, stored["quality"]):
        for name in {"forecast", "forecast_ratios"} | FORECAST:
            part.pop(name, None)
    (tmp_path / "summary.json").write_text(json.dumps(stored))
    loaded = load_summary(tmp_path / "summary.json").comparison()
    assert list(loaded.results) == ["dense", "radit"] and list(loaded.dense_over) == ["radit"]
    assert loaded.forecast is None and loaded.quality.fd_forecast is None


def test_ratios_need_both_runs(three):
    assert all_ratios({"dense": three.dense, "forecast": three.forecast})["ratios"] is None
    assert all_ratios({"radit": three.radit, "forecast": three.forecast}) == {"ratios": None, "forecast_ratios": None}
    three.radit = None
    with pytest.raises(UserError, match="radit is missing"):
        three.comparison()


def test_the_whole_run_is_the_sum_of_its_policies(summary):
    dense, radit = summary.dense, summary.radit
    assert sum(sum(causes.values()) for causes in summary.stalls.values()) == dense.cycles + radit.cycles
    assert summary.stalls["fc1"]["array"] == dense.stalls["fc1"]["array"] + radit.stalls["fc1"]["array"] > 0
    assert summary.cycle_model.measured == dense.cycles + radit.cycles
    assert summary.gmac_per_second == pytest.approx(made_up.GMAC_PER_SECOND)  # both were simulated at this speed
    radit.gmac_per_second *= 2
    seconds = dense.macs / dense.gmac_per_second + radit.macs / radit.gmac_per_second
    assert whole_run([dense, radit])["gmac_per_second"] == pytest.approx((dense.macs + radit.macs) / seconds)
    radit.cycle_model = None
    assert whole_run([dense, radit])["cycle_model"] is None


@pytest.mark.parametrize("change, words", [(1, "stalls add up to"), (None, "must have the phases")])
def test_cycles_that_are_not_accounted_for_are_refused(summary, change, words):
    stalls = summary.radit.stalls["pass"]
    stalls["vector"] += change or 0
    if change is None:
        del stalls["vector"]
    with pytest.raises(ValidationError, match=words):
        summary.model_validate(summary.model_dump())


@pytest.mark.parametrize(
    "bandwidth, stall, error, agrees",
    [(None, 0, 0, True), (None, 0, 1, False), (None, 0.1, 99, True), (32, 0, 99, True), (32, 0, -101, False)],
)
def test_the_cycle_model_must_agree(summary, bandwidth, stall, error, agrees):
    summary.memory.bandwidth, summary.memory.stall = bandwidth, stall
    summary.dense.cycle_model = CycleModel(predicted=10_000, measured=10_000)
    summary.radit.cycle_model = CycleModel(predicted=10_000 + error, measured=10_000)
    told = unpredicted_cycles(summary)
    assert told == [] if agrees else len(told) == 1 and told[0].startswith("radit: the RTL took 10000 cycles")


def test_another_schema_is_named(tmp_path, summary):
    path = tmp_path / "summary.json"
    write_summary(path, summary)
    path.write_text(path.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 1'))
    with pytest.raises(UserError, match="schema_version 1, not 2: run `radit demo` to make it"):
        load_summary(path)


def test_survives_a_round_trip(tmp_path, summary):
    write_summary(tmp_path / "summary.json", summary)
    assert load_summary(tmp_path / "summary.json") == summary


def test_quality_may_be_absent(tmp_path, summary):
    summary.quality = None
    write_summary(tmp_path / "summary.json", summary)
    assert load_summary(tmp_path / "summary.json").quality is None


def test_invalid_summary_leaves_the_earlier_one(tmp_path, summary):
    path = tmp_path / "summary.json"
    write_summary(path, summary)
    before = path.read_bytes()
    summary.ratios.cycles = float("nan")
    with pytest.raises(ValidationError):
        write_summary(path, summary)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["summary.json"]


@pytest.mark.parametrize(
    "text, words",
    [(None, "cannot be read"), ("{", "is not JSON"), ('{"model": 1}', "does not fit (field model is 1")],
)
def test_bad_file_gets_one_sentence(tmp_path, text, words):
    path = tmp_path / "summary.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_summary(path)
    assert words in str(caught.value) and "radit demo" in str(caught.value)


@pytest.mark.parametrize("part, field, value", [("check", "words_mismatched", 1), ("check", "images_identical", False)])
def test_check_fails_on_any_difference(summary, part, field, value):
    assert summary.check.passed
    setattr(getattr(summary, part), field, value)
    assert not summary.check.passed


def test_nothing_compared_is_no_pass(summary):
    summary.check.words_compared = 0
    assert not summary.check.passed


@pytest.mark.parametrize("forecast", [False, True])
def test_arrays_survive_a_round_trip(tmp_path, rng, forecast):
    arrays = made_up.arrays(rng, forecast=forecast)
    write_arrays(tmp_path / "arrays.npz", arrays)
    loaded = load_arrays(tmp_path / "arrays.npz")
    assert list(loaded.images) == ["dense", "radit", *["forecast"] * forecast]
    assert list(loaded.reused) == ["radit", *["forecast"] * forecast]
    assert all(np.array_equal(made, loaded.images[name]) for name, made in arrays.images.items())
    assert all(np.array_equal(made, loaded.reused[name]) for name, made in arrays.reused.items())
    for name, made in arrays.reused.items():
        assert np.array_equal(load_decisions(tmp_path / "arrays.npz", name), made)
    with np.load(tmp_path / "arrays.npz") as stored:
        assert set(stored) >= {"reused", "dense", "radit"}
        assert {"forecast", "forecast_reused"} <= set(stored) or not forecast


@pytest.mark.parametrize("policy", ["radit", "forecast"])
def test_decisions_may_be_alone(tmp_path, rng, policy):
    made = made_up.arrays(rng).reused["radit"]
    write_arrays(tmp_path / "arrays.npz", Decisions({policy: made}))
    for wanted in ("radit", "forecast"):
        assert np.array_equal(load_decisions(tmp_path / "arrays.npz", wanted), made)
    with pytest.raises(UserError, match="lack"):
        load_arrays(tmp_path / "arrays.npz")


def test_broken_arrays_are_named(tmp_path):
    (tmp_path / "arrays.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match="arrays.npz cannot be read"):
        load_arrays(tmp_path / "arrays.npz")
    with pytest.raises(UserError, match="images have shapes"):
        ReportArrays({}, {"dense": np.zeros((1, 1, 8, 8)), "radit": np.zeros((2, 1, 8, 8))})
    with pytest.raises(UserError, match="decisions of forecast are float64"):
        Decisions({"forecast": np.zeros((1, 2, 2, 2))})


def test_hash_depends_on_content_and_order(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    assert file_hash(a, b) != file_hash(b, a) and len(file_hash(a)) == 16
