"""summary.json: the contract's fields, checks, and results that survive a failed write."""

import json
import os

import numpy as np
import pytest
from pydantic import ValidationError

from radit.model.dit.config import DiTConfig
from radit.model.errors import UserError
from radit.model.policy.skip_policy import Policy, dense, forecast, parse_policy, radit
from radit.model.quality.quality_schema import Quality
from radit.reports.common.files import file_hash
from radit.reports.cost.counts import SATURATED
from radit.reports.run.arrays import RunArrays, load_arrays, load_decisions, write_arrays
from radit.reports.run.run_results import unlike_saturations, unpredicted_cycles
from radit.reports.run.schema import SCHEMA_VERSION, CycleModel
from radit.reports.run.summary import all_ratios, load_summary, whole_run, write_summary
from tests.reports import made_up

MEASURED = {"stalls", "gmac_per_second", "cycle_model"}
CONTRACT = {
    "": {"model", "sampler", "engine", "array", "memory", "results", "ratios", "check", "quality", "seconds"}
    | MEASURED,
    "sampler": {"steps", "cfg", "images", "seed"},
    "array": {"rows", "cols"},
    "memory": {"latency", "bandwidth", "stall", "seed"},
    "check": set(
        "words_compared words_mismatched decisions_compared decisions_mismatched images_identical "
        "counters_equal".split()
    ),
    "quality": {"samples", "fd_noise", "by_policy"},
}
RESULT = MEASURED | set(
    "text settings cycles macs mac_utilization mac_skip_rate energy_uj energy_breakdown_uj memory_plan external_bytes "
    "roofline counters host_saturations".split()
)
QUALITY = {"fd", "accuracy", "mac_reduction", "mse_to_dense", "mse_spread"}


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
    results = written["results"]
    assert all(result.keys() == RESULT for result in results.values()) and list(results) == ["dense", "radit"]
    assert results["dense"]["energy_uj"].keys() == {"low", "nominal", "high"}
    assert results["dense"]["mac_skip_rate"] == 0 < results["radit"]["mac_skip_rate"] < 1
    assert written["ratios"].keys() == {"radit"}
    assert written["ratios"]["radit"]["cycles"] == results["dense"]["cycles"] / results["radit"]["cycles"]


def test_a_result_says_exactly_what_was_run(tmp_path, three):
    """The policy can be built again, and the memories are numbers."""
    write_summary(tmp_path / "summary.json", three)
    written = json.loads((tmp_path / "summary.json").read_text())["results"]
    for name, policy in (("dense", dense()), ("radit", radit()), ("forecast", forecast())):
        assert parse_policy(written[name]["text"]) == policy == Policy(name, **made(written[name]["settings"]))
    cache, history = (written["forecast"]["memory_plan"][part] for part in ("cache", "history"))
    assert cache == {"bytes": 2 * 12 * 2 * 64 * 64, "width_bits": 128, "on_chip": True}
    assert history == {"bytes": 12 * 2 * 64 * 64 // 2, "width_bits": 64, "on_chip": True}


def made(settings: dict) -> dict:
    """JSON has lists where fields are tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def test_every_policy_has_its_key(tmp_path, three):
    write_summary(tmp_path / "summary.json", three)
    written = json.loads((tmp_path / "summary.json").read_text())
    assert list(written["results"]) == ["dense", "radit", "forecast"] and list(written["ratios"]) == [
        "radit",
        "forecast",
    ]
    found = written["quality"]["by_policy"]
    assert list(found) == ["float", "dense", "radit", "fewer_steps", "forecast", "30_of_50"]
    assert all(None not in [found[name][field] for field in QUALITY] for name in ("radit", "forecast"))
    loaded = load_summary(tmp_path / "summary.json").compared()
    assert loaded == three and list(loaded.cycle_models) == ["dense", "radit", "forecast"]


def test_ratios_need_a_dense_run(three):
    results = dict(three.results)
    assert list(all_ratios(results)) == ["radit", "forecast"]
    assert all_ratios(results)["forecast"].macs == results["dense"].macs / results["forecast"].macs
    dense_alone = {"dense": results.pop("dense")}
    assert all_ratios(results) == all_ratios(dense_alone) == {}
    with pytest.raises(UserError, match="results holds dense: a report compares .* --policy dense,radit"):
        three.model_copy(update={"results": dense_alone, "ratios": {}}).compared()


def test_quality_needs_what_the_others_are_compared_with(three):
    stored = three.quality.model_dump()
    del stored["by_policy"]["dense"]
    with pytest.raises(ValidationError, match="by_policy lacks the Frechet distance of dense"):
        Quality.model_validate(stored)


def test_the_whole_run_is_the_sum_of_its_policies(summary):
    dense, radit = summary.results["dense"], summary.results["radit"]
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
    stalls = summary.results["radit"].stalls["pass"]
    stalls["vector"] += change or 0
    if change is None:
        del stalls["vector"]
    with pytest.raises(ValidationError, match=words):
        summary.model_validate(summary.model_dump())


@pytest.mark.parametrize(
    "bandwidth, stall, error, failed, told",
    [
        (None, 0, 0, [], []),
        (None, 0, 1, ["cycle model"], []),
        (None, 0.1, 299, [], []),
        (None, 0.1, -301, [], ["3.0% off (tolerance 3%) in this regime: random pauses."]),
        (32, 0, 499, [], []),
        (32, 0, -710, [], ["7.1% off (tolerance 5%) in this regime: limited bandwidth."]),
        (4, 0.3, 999, [], []),
        (4, 0.3, 1110, [], ["11.1% off (tolerance 10%) in this regime: limited bandwidth and random pauses."]),
    ],
)
def test_the_cycle_model_must_agree_where_memory_never_waits(summary, bandwidth, stall, error, failed, told):
    """Elsewhere it has a tolerance, and what is outside it is told but no verdict."""
    summary.memory.bandwidth, summary.memory.stall = bandwidth, stall
    summary.results["dense"].cycle_model = CycleModel(predicted=10_000, measured=10_000)
    summary.results["radit"].cycle_model = CycleModel(predicted=10_000 + error, measured=10_000)
    assert summary.failed == failed and summary.check.passed
    assert summary.imprecise == [f"radit: the cycle model is {words}" for words in told]
    found = unpredicted_cycles(summary)
    assert len(found) == len(failed) and all(one.startswith("radit: the RTL took 10000 cycles") for one in found)


def test_another_schema_is_named(tmp_path, summary):
    path = tmp_path / "summary.json"
    write_summary(path, summary)
    path.write_text(path.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 2'))
    with pytest.raises(
        UserError, match="schema_version 2, not 3: it was written by an earlier version, run `radit demo` or"
    ):
        load_summary(path)


def test_survives_a_round_trip(tmp_path, summary):
    write_summary(tmp_path / "summary.json", summary)
    assert load_summary(tmp_path / "summary.json") == summary


def test_the_models_dimensions_are_kept(tmp_path, summary):
    """Those of a checkpoint that may be gone by then; an earlier summary has none."""
    assert summary.config is None
    for config in (DiTConfig(), DiTConfig(frames=4, attention="joint", samples="latents")):
        write_summary(tmp_path / "summary.json", summary.model_copy(update={"config": config}))
        assert load_summary(tmp_path / "summary.json").config == config
    stored = json.loads((tmp_path / "summary.json").read_text())
    stored["config"]["depth"] = 0
    (tmp_path / "summary.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match="depth is 0"):
        load_summary(tmp_path / "summary.json")


def test_quality_may_be_absent(tmp_path, summary):
    summary.quality = None
    write_summary(tmp_path / "summary.json", summary)
    assert load_summary(tmp_path / "summary.json").quality is None


def test_invalid_summary_leaves_the_earlier_one(tmp_path, summary):
    path = tmp_path / "summary.json"
    write_summary(path, summary)
    before = path.read_bytes()
    summary.ratios["radit"].cycles = float("nan")
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


@pytest.mark.parametrize(
    "part, field, value, failed",
    [
        ("check", "words_mismatched", 1, "words"),
        ("check", "decisions_mismatched", 1, "decisions"),
        ("check", "images_identical", False, "images"),
        ("check", "counters_equal", False, "counters"),
        ("check", "words_compared", 0, "nothing was compared"),
    ],
)
def test_check_fails_on_any_difference(summary, part, field, value, failed):
    assert summary.check.passed and summary.failed == []
    setattr(getattr(summary, part), field, value)
    assert not summary.check.passed and summary.failed == [failed]


def test_nothing_compared_is_no_pass(summary):
    summary.check.words_compared = 0
    assert not summary.check.passed


@pytest.mark.parametrize("forecast", [False, True])
def test_arrays_survive_a_round_trip(tmp_path, rng, forecast):
    arrays = made_up.arrays(rng, forecast=forecast)
    write_arrays(tmp_path / "arrays.npz", arrays)
    loaded, names = load_arrays(tmp_path / "arrays.npz"), ["dense", "radit", *["forecast"] * forecast]
    assert list(loaded.images) == list(loaded.decisions) == names and list(loaded.skipping) == names[1:]
    assert all(np.array_equal(made, loaded.images[name]) for name, made in arrays.images.items())
    assert loaded.decisions == arrays.decisions
    for name in names[1:]:
        assert load_decisions(tmp_path / "arrays.npz", name) == arrays.decisions[name]
    with np.load(tmp_path / "arrays.npz") as stored:
        assert set(stored) == {f"{kind}/{name}" for kind in ("computed", "images") for name in names}
        assert stored["computed/radit"].shape == (10, made_up.STEPS, 12, 2) and stored["computed/dense"].all()


@pytest.mark.parametrize("policy", ["radit", "forecast"])
def test_a_trace_takes_the_policy_that_there_is(tmp_path, rng, policy):
    record = made_up.decisions(rng)
    write_arrays(tmp_path / "arrays.npz", made_up.arrays_of({"dense": record.as_dense(), policy: record}))
    for wanted in ("radit", "forecast"):
        assert load_decisions(tmp_path / "arrays.npz", wanted) == record
    write_arrays(tmp_path / "arrays.npz", made_up.arrays_of({"dense": record.as_dense()}))
    with pytest.raises(UserError, match="hold no decisions of a skipping policy"):
        load_decisions(tmp_path / "arrays.npz")


def test_broken_arrays_are_named(tmp_path, rng):
    path, record = tmp_path / "arrays.npz", made_up.decisions(rng)
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match="arrays.npz cannot be read"):
        load_arrays(path)
    np.savez(path, reused=record.computed, dense=np.zeros((1, 1, 8, 8)))
    for load in (load_arrays, load_decisions):
        with pytest.raises(UserError, match="lack (images|computed)/<policy>: run `radit demo`"):
            load(path)
    both = {"dense": record, "radit": record}
    with pytest.raises(UserError, match="images have shapes"):
        RunArrays(both, {"dense": np.zeros((1, 1, 8, 8)), "radit": np.zeros((2, 1, 8, 8))})
    with pytest.raises(UserError, match="decisions are of dense, radit and images of dense"):
        RunArrays(both, {"dense": np.zeros((1, 1, 8, 8))})


def test_hash_depends_on_content_and_order(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    assert file_hash(a, b) != file_hash(b, a) and len(file_hash(a)) == 16


def test_saturated_words_are_told_by_place(summary):
    result = summary.results["radit"]
    assert result.saturated == "" and result.saturated_words == {}
    result.counters |= {"residual_saturations": 1200, "score_saturations": 45}
    assert result.saturated_words == {"residual": 1200, "score": 45}
    assert result.saturated == "1,245 words in the RTL (residual 1,200, score 45)"
    result.host_saturations = 281
    assert result.saturated == "1,245 words in the RTL (residual 1,200, score 45), 281 values at the host"
    result.counters |= dict.fromkeys(result.counters.keys() & SATURATED, 0)
    assert result.saturated == "281 values at the host"


def test_summaries_from_before_a_saturation_was_counted_are_read(tmp_path, summary):
    for result in summary.results.values():
        for name in ("score_saturations", "gelu_saturations"):
            del result.counters[name]
    write_summary(tmp_path / "summary.json", summary)
    assert load_summary(tmp_path / "summary.json").results["radit"].saturated == ""


def test_ranges_of_another_guidance_scale_are_told(summary):
    assert summary.other_ranges == ""  # not known
    summary.ranges_cfg = summary.sampler.cfg
    assert summary.other_ranges == ""
    summary.sampler.cfg = 4.0
    assert summary.other_ranges == "int8 ranges are those of guidance 1.5, this run's guidance is 4"


@pytest.mark.parametrize(
    "words, values, fits", [(0, 0, True), (2, 2, True), (2, 32, True), (2, 1, False), (2, 33, False), (0, 1, False)]
)
def test_words_of_a_saturation_must_fit_the_clamped_values(words, values, fits):
    """16 values to a word: each word has one of them at least, and no more than 16."""
    counters = dict.fromkeys(SATURATED, 0) | {"score_saturations": words}
    assert (unlike_saturations(counters, {"score": values}, rows=16) == []) == fits
