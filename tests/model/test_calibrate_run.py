"""`radit calibrate` on a tiny model: what it stores is what it found, and is used; other files are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from radit.model.dit.checkpoint import find_checkpoint, load_model, save_checkpoint
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibration_path, load_calibration, load_or_calibrate, observe
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy import policy_file
from radit.model.policy.policy_file import StoredPolicy, load_policy, policy_of, policy_path, read_policy
from radit.model.policy.skip_policy import Policy, dense, forecast, parse_policy, radit
from radit.model.system.workers import local_workers
from radit.model.tuning import calibrate_run
from radit.model.tuning import skipping_ranges as ranges_module
from radit.model.tuning.calibrate_run import BASELINES, Bench, Images, _achieved, _baseline, run_calibrate
from radit.model.tuning.search import Point, Target, hit
from radit.model.tuning.skipping_ranges import skipping_ranges, widened

STEPS, IMAGES = 12, 4
HERE = local_workers(1)
WAY = Sampler(STEPS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_checkpoint(path, seeded_dit())
    return str(path)


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory):
    """No cache of this repository is read or written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("work"))
        yield


@pytest.fixture(scope="module")
def stored(checkpoint: str) -> StoredPolicy:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate_run, "AGAIN", ())
        patch.setattr("radit.model.tuning.search.KNOTS", 3)
        return calibrated(checkpoint)


def calibrated(model: str, **options: object) -> StoredPolicy:
    usual = dict(target="speedup=2.5", images=IMAGES, seed=1000, sampler=WAY, cfg=1.5, workers=HERE, out=None)
    return run_calibrate(model=model, **(usual | options))


@pytest.fixture(scope="module")
def integer(checkpoint: str) -> IntegerDiT:
    return quantized(checkpoint, STEPS)


def quantized(model: str, steps: int) -> IntegerDiT:
    dit = load_model(model)
    return quantize(dit, load_or_calibrate(dit, find_checkpoint(model), Sampler(steps)), Sampler(steps))


def test_what_is_stored_is_what_was_found(checkpoint: str, stored: StoredPolicy, integer: IntegerDiT):
    assert policy_path(checkpoint).name == "small.policy.json"
    assert load_policy(checkpoint, integer) == stored == read_policy(policy_path(checkpoint))
    assert stored.achieved.mac_reduction >= 2.5 and len(stored.policy.schedule) == 3
    assert stored.integer_model == integer.quantization_digest() and set(stored.tried) == {"as calibrated", "widened"}
    bench = Bench(Images(checkpoint, WAY, 1.5, IMAGES, 1000), HERE, lambda point: None)
    for policy, achieved in ((stored.policy, stored.achieved), (stored.radit, stored.radit_achieved)):
        point = bench.evaluate(policy)
        assert point.mse == pytest.approx(achieved.mse, rel=1e-3)
        assert point.mac_reduction == pytest.approx(achieved.mac_reduction, abs=1e-4)
    assert stored.radit in [replace(one, threshold=stored.radit.threshold) for one in BASELINES]
    assert stored.radit_achieved.mse <= stored.achieved.mse


def test_the_baseline_is_the_one_that_saves_most(checkpoint: str):
    """Of both shapes the one that saves more at a generous error; at none, nothing is saved."""
    bench = Bench(Images(checkpoint, WAY, 1.5, IMAGES, 1000), HERE, lambda point: None)
    generous = _baseline(bench, Target("error", 1.0))
    points = [hit(bench.evaluate, one, Target("error", 1.0)) for one in BASELINES]
    assert generous.mac_reduction == max(point.mac_reduction for point in points) > 1.0
    none = _baseline(bench, Target("error", 0.0))
    assert none.mse == 0.0 and none.mac_reduction == 1.0


def test_the_threshold_alone_moves_to_another_target(checkpoint: str, stored: StoredPolicy, tmp_path: Path):
    out = tmp_path / "moved.json"
    moved = calibrated(checkpoint, target="speedup=1.8", threshold_only=True, out=out)
    assert moved == read_policy(out) and moved.policy.threshold < stored.policy.threshold
    assert replace(moved.policy, threshold=stored.policy.threshold) == stored.policy
    assert 1.8 <= moved.achieved.mac_reduction < stored.achieved.mac_reduction
    assert (moved.widened, moved.tried, moved.integer_model) == (stored.widened, stored.tried, stored.integer_model)


def test_another_solver_of_as_many_steps(checkpoint: str, stored: StoredPolicy, tmp_path: Path):
    """The stored policy is of the same model; a calibration follows the solver's timesteps and stores which."""
    way, dit, out = Sampler(STEPS, None, "unipc", "quadratic"), load_model(checkpoint), tmp_path / "unipc.json"
    integer = quantize(dit, load_or_calibrate(dit, find_checkpoint(checkpoint), way), way)
    assert integer.digest() != stored.integer_model and load_policy(checkpoint, integer) == stored
    moved = calibrated(checkpoint, target="speedup=1.8", threshold_only=True, sampler=way, out=out)
    assert (moved.solver, moved.spacing, moved.steps) == ("unipc", "quadratic", STEPS)
    assert moved.integer_model == integer.digest() and moved.achieved.mac_reduction >= 1.8
    moved.check(out, integer)
    with pytest.raises(UserError, match="was calibrated for another model"):
        moved.model_copy(update={"integer_model": stored.integer_model}).check(out, integer)


def test_the_search_starts_where_it_is_told_to(checkpoint: str, stored: StoredPolicy, tmp_path: Path):
    out = tmp_path / "started.json"
    started = calibrated(checkpoint, target="speedup=1.8", threshold_only=True, start="forecast:max_streak=2", out=out)
    assert started == read_policy(out) and started.start == "forecast:max_streak=2" and stored.start is None
    threshold = started.policy.threshold
    assert started.policy == forecast(threshold, max_streak=2) != replace(stored.policy, threshold=threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate_run, "search", lambda evaluate, policy, target, *sweeps: hit(evaluate, policy, target))
        searched = calibrated(checkpoint, target="speedup=1.8", start="forecast:max_streak=2:reach=2.5", out=out)
    assert (searched.policy.max_streak, searched.policy.reach) == (2, 2.5)


def test_a_baseline_that_is_given_is_measured_as_it_is(checkpoint: str, tmp_path: Path):
    out, text = tmp_path / "given.json", "radit:threshold=1.0:max_streak=1:last_dense=0:scope=timestep"
    options = {"target": "speedup=1.8", "threshold_only": True}
    trials: list[Policy | None] = []
    given = calibrated(
        checkpoint, **options, radit=text, out=out,
        on_point=lambda point, expected: trials.append(point and point.policy),
    )  # fmt: skip
    assert trials[0] is None and trials.count(given.radit) == 1
    moved = calibrated(checkpoint, **options, out=tmp_path / "moved.json")
    assert given == read_policy(out) and given.radit == parse_policy(text) and given.policy == moved.policy
    bench = Bench(Images(checkpoint, WAY, 1.5, IMAGES, 1000), HERE, lambda point: None)
    assert given.radit_achieved == _achieved(bench.evaluate(given.radit)) != moved.radit_achieved


@pytest.mark.parametrize(
    ("option", "text", "complaint"),
    [
        (
            "start",
            "radit",
            "--start is 'radit': give policy forecast or planned, with settings such as",
        ),
        ("start", "fast", "--start is 'fast': choose dense, radit, forecast"),
        ("start", "forecast:speed=3", "--start setting is 'speed=3': give one of"),
        ("radit", "forecast", "--radit is 'forecast': give policy radit, with settings such as radit:max_streak=3"),
        ("start", "", "--start is '': choose dense, radit, forecast"),
        ("radit", "radit:threshold=nan", "--radit setting threshold is 'nan': give a number from 0 to 1"),
        ("radit", "radit:max_streak=x", "--radit setting max_streak is 'x': give a whole number"),
    ],
)
def test_bad_policies_are_refused(checkpoint: str, tmp_path: Path, option: str, text: str, complaint: str):
    out = tmp_path / "none.json"
    with pytest.raises(UserError, match=complaint):
        calibrated(checkpoint, **{option: text}, out=out)
    assert not out.exists()


def test_the_stored_policies_are_those_of_this_model_alone(checkpoint: str, stored: StoredPolicy, integer: IntegerDiT):
    assert policy_of("forecast", checkpoint, integer) == stored.policy != forecast()
    assert policy_of("radit", checkpoint, integer) == stored.radit != radit()
    for name in ("dense", "radit", "forecast"):
        assert policy_of(name, None, integer) == parse_policy(name)
    assert policy_of("dense", checkpoint, integer) == dense()
    changed = policy_of("forecast:reach=2", checkpoint, integer)
    assert changed == replace(stored.policy, reach=2.0)
    again = policy_of(changed.text, checkpoint, integer)
    assert again == changed, "written in full: not the defaults of forecast, nor the stored ones"
    other = policy_of("forecast:max_streak=6:first_dense=2", checkpoint, integer)
    assert policy_of(other.text, checkpoint, integer) == other


def test_another_sampler_has_the_defaults(checkpoint: str, stored: StoredPolicy):
    assert policy_of("forecast", checkpoint, quantized(checkpoint, 6)) == forecast() != stored.policy


def test_neither_processes_nor_the_number_of_images_change_an_image(checkpoint: str, stored: StoredPolicy):
    few, many = (
        Bench(Images(checkpoint, WAY, 1.5, count, 1000), local_workers(jobs), lambda point: None)
        for count, jobs in ((2, 1), (5, 2))
    )
    assert torch.equal(few.evaluate(stored.policy).errors[:1], many.evaluate(stored.policy).errors[:1])


def test_other_seeds_are_other_images(checkpoint: str, stored: StoredPolicy):
    one, other = (Bench(Images(checkpoint, WAY, 1.5, 2, seed), HERE, lambda point: None) for seed in (1000, 1001))
    assert not torch.equal(one.evaluate(stored.policy).errors, other.evaluate(stored.policy).errors)
    with pytest.raises(UserError, match="--seed is 999: give a whole number from 1000 to"):
        calibrated(checkpoint, seed=999)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"weights": "0"}, "small.policy.json was calibrated for another model .*: run `radit calibrate --model"),
        ({"integer_model": "0"}, "was calibrated for another model or another quantization"),
        ({"version": 2}, "does not fit .field version is 2: .*: run `radit calibrate` again, or remove it"),
        ({"seed": 5}, "does not fit .field seed is 5: "),
        ({"surprise": 1}, "does not fit .field surprise is unknown"),
        ({"policy": {"name": "forecast", "reach": -1.0}}, "does not fit .field policy: .*reach is -1.0"),
    ],
)
def test_stale_foreign_and_damaged_files_are_refused(
    checkpoint: str, stored: StoredPolicy, integer: IntegerDiT, tmp_path: Path, monkeypatch, change, words
):
    path = tmp_path / "small.policy.json"
    path.write_text(json.dumps(stored.model_dump(mode="json") | change))
    monkeypatch.setattr(policy_file, "policy_path", lambda model: path)
    with pytest.raises(UserError, match=words) as found:
        policy_of("forecast", checkpoint, integer)
    assert "\n" not in str(found.value)
    path.write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        policy_of("forecast", checkpoint, integer)


def test_unknown_models_and_bad_targets_are_refused(checkpoint: str):
    with pytest.raises(UserError, match="Model nobody is unknown"):
        calibrated("nobody")
    with pytest.raises(UserError, match="--target is 'fast'"):
        calibrated(checkpoint, target="fast")


@pytest.mark.parametrize(
    "target, alone, words",
    [
        ("speedup=11.9", True, "this model reaches [0-9.]+ at most; ask for less"),
        ("speedup=11.9", False, "this model reaches [0-9.]+ at most; ask for less"),
        ("error=1e-12", True, "this model skips nothing under it; ask for more"),
    ],
)
def test_a_target_out_of_reach_stores_nothing(
    checkpoint: str, stored: StoredPolicy, target: str, alone: bool, words: str
):
    """Not over what was found earlier, either."""
    folder = policy_path(checkpoint).parent
    before = {path: path.read_bytes() for path in folder.iterdir()}
    start = "forecast:threshold=0.5:first_dense=2" if alone else None
    with pytest.raises(UserError, match=f"^--target is '{target}': {words}"):
        calibrated(checkpoint, target=target, threshold_only=alone, start=start)
    assert policy_path(checkpoint) in before and {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_calibration_may_make_no_error(checkpoint: str, tmp_path: Path, monkeypatch):
    """Of images that come out as the dense ones."""
    monkeypatch.setattr(calibrate_run, "squared_errors", lambda images, dense: torch.zeros(len(images)).double())
    out = tmp_path / "none.json"
    found = calibrated(checkpoint, target="error=1e-3", images=1, out=out, threshold_only=True, start="forecast")
    assert found == read_policy(out) and found.achieved.mse == 0.0 and found.achieved.mac_reduction > 1.0


def test_widened_ranges_include_both_ways(checkpoint: str, integer: IntegerDiT, monkeypatch):
    """The float model's own ranges, and streams that only a crude policy visits; the codes keep their scale."""
    dit, y = load_model(checkpoint), torch.tensor([0, 1])
    noise = make_noise(integer.config, 2, 1000)
    crude = forecast(1.0, schedule="linear", first_dense=1, max_streak=20, gain=1.9, reach=8.0, scope="timestep")
    before = load_or_calibrate(dit, find_checkpoint(checkpoint), Sampler(STEPS))
    ranges = skipping_ranges(dit, Reference(integer, crude.tables(integer)), y, noise, 1.5)
    monkeypatch.setattr(ranges_module, "observe", lambda dit, x, modulation, **_: observe(dit, x, modulation))
    images_alone = skipping_ranges(dit, Reference(integer, crude.tables(integer)), y, noise, 1.5)
    assert all(bool((found >= images_alone[name]).all()) for name, found in ranges.items())
    assert bool((ranges["act"] > images_alone["act"]).any())
    after = widened(before, ranges, crude)
    for name, found in ranges.items():
        if name != "act_rms":
            assert torch.equal(getattr(after, name), torch.maximum(getattr(before, name), found))
    assert any(bool((getattr(after, name) > getattr(before, name)).any()) for name in ranges)
    assert torch.equal(after.act_rms, before.act_rms)
    assert after.digest.startswith(before.digest.partition("+")[0] + "+") and after.digest != before.digest


def test_widened_ranges_are_stored_where_they_win(checkpoint: str, tmp_path: Path, monkeypatch):
    """And then belong to the model: its integers are those that the policy was found on."""
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, load_model(checkpoint))
    rounds = calibrate_run._rounds

    def second_wins(*arguments):
        one = rounds(*arguments)
        ranges = calibrate_run._widen(one.bench, replace(one.point.policy, threshold=1.0))
        wider = Bench(replace(one.bench.images, ranges=ranges), HERE, lambda point: None)
        return replace(one, point=wider.evaluate(one.point.policy), bench=wider, ranges=ranges, widened=True)

    monkeypatch.setattr(calibrate_run, "_rounds", second_wins)
    monkeypatch.setattr(calibrate_run, "AGAIN", ())
    monkeypatch.setattr("radit.model.tuning.search.KNOTS", 1)
    found = calibrated(str(path))
    assert found.widened and "+" in load_calibration(calibration_path(path)).digest
    assert policy_of("forecast", str(path), quantized(str(path), STEPS)) == found.policy


def test_a_plan_is_chosen_by_the_converged_images(checkpoint: str, tmp_path: Path, monkeypatch):
    """The best of all plans that reach the speedup; a demo of the model then samples as it does."""
    monkeypatch.setattr(calibrate_run, "CONVERGED", Sampler(24, solver="dpmpp-2m", spacing="log-snr"))
    points: list[Point] = []
    out, way = tmp_path / "plan.json", Sampler(8, solver="unipc", spacing="quadratic")
    found = calibrated(
        checkpoint, target="speedup=1.6", sampler=way, start="planned", radit="radit", out=out,
        on_point=lambda point, expected: points.append(point) if point else None,
    )  # fmt: skip
    assert found == read_policy(out) and found.sampler == way and found.judge == "converged"
    plans = {point.policy: point for point in points if point.policy.name == "planned"}
    assert len(plans) > 1 and found.policy == min(plans, key=lambda policy: plans[policy].root)
    assert len(found.policy.plan) == 8 and found.achieved.mac_reduction >= 1.6
    assert found.tried["dense"].mac_reduction == 1.0 and found.tried["dense"].mse > 0
    with pytest.raises(UserError, match="--target is 'error=1e-3': a plan is made for a speedup, give speedup=FACTOR"):
        calibrated(checkpoint, target="error=1e-3", start="planned", out=out)
