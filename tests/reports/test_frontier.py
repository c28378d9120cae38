"""The frontier: points on the integer model, kept between calls; costs as the accounts count them; who wins."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from radit.cli import main
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.skip_policy import forecast
from radit.reports.frontier import measure as frontier_measure
from radit.reports.frontier.candidates import FEWER, SWEEPS, Candidate, candidates
from radit.reports.frontier.frontier import run_frontier, worst_mse
from radit.reports.frontier.measure import Measured, Settings, costs_of, key, measure
from radit.reports.frontier.schema import Frontier, FrontierPoint, winners

SETTINGS = Settings("digits", samples=4, cfg=1.5, seed=0)
POLICIES = "fewer-steps:steps=3,fora:interval=2,taylorseer:interval=2:warm_up=2,"
POLICIES += "teacache:threshold=0.3,radit:threshold=0.5,sketch:threshold=0.3"


def made_up(policy: str, reduction: float, error: float, base: int = 50) -> FrontierPoint:
    costs = {f"{name}_reduction": reduction for name in ("cycle", "mac", "energy", "external_bytes")}
    quality = {"fd": 5.0, "accuracy": 1.0, "mse": error, "psnr": 40.0, "ssim": 1.0, "worst5_mse": error}
    return FrontierPoint(policy=policy, settings="", base_steps=base, saturations=0, **costs, **quality)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frontier")
    options = ["--samples", "4", "--steps", "6,4", "--jobs", "1", "--policies", POLICIES, "--out", str(folder)]
    assert main(["frontier", *options]) == 0
    return folder


@pytest.fixture(scope="module")
def result(out) -> Frontier:
    return Frontier.model_validate(json.loads((out / "frontier.json").read_text()))


def test_files_hold_the_same_points(out, result):
    rows = list(csv.DictReader((out / "frontier.csv").open()))
    assert [row["settings"] for row in rows] == [point.settings for point in result.points]
    assert [float(row["mse"]) for row in rows] == [point.mse for point in result.points]
    assert (out / "frontier.svg").read_bytes()[:5] == b"<?xml" and (out / "frontier.png").read_bytes()[1:4] == b"PNG"


def test_points(result):
    """Each policy once per base, fewer steps of the largest alone; the costs of fewer steps are known by hand."""
    found = [(point.policy, point.base_steps) for point in result.points]
    assert len(found) == len(set(found)) == 11 and result.reference_steps == 6
    fewer = result.points[found.index((FEWER, 6))]
    assert fewer.mac_reduction == fewer.external_bytes_reduction == 2.0
    assert fewer.cycle_reduction == pytest.approx(2.0, rel=1e-3)
    halved = result.points[found.index(("fora", 6))]
    assert halved.mac_reduction == 2.0 and 1.2 < halved.cycle_reduction < 2.0
    assert all(p.mse > 0 and p.worst5_mse >= p.mse and p.cycles_are == "modelled" for p in result.points)


def test_a_second_call_runs_nothing(out, result, monkeypatch):
    """Not even the first piece of anything; and another set of policies runs only what it lacks."""
    ran = []
    genuine = frontier_measure._piece
    monkeypatch.setattr(frontier_measure, "_piece", lambda *task: ran.append(task) or genuine(*task))
    options = {"model": "digits", "samples": 4, "steps": [6, 4], "cfg": 1.5, "seed": 0, "jobs": 1, "out": out}
    again = run_frontier(policies=POLICIES.split(","), **options)
    assert again == result and ran == []
    run_frontier(policies=["fora:interval=2", "fora:interval=3"], **{**options, "steps": [6]})
    assert [task[1].text for task in ran] == ["fora:interval=3"]


def test_a_calibrated_policy_is_what_forecast_starts_from():
    """All its points and no others; their files are others than those of the defaults."""
    ours = forecast(first_dense=1, max_streak=9)
    found = candidates(["forecast", "forecast:reach=2", "radit:threshold=0.5"], [6, 4], ours)
    for one in found:
        assert one.policy.max_streak == (9 if one.name == "forecast" else 3)
    assert [one.policy.threshold for one in found[: len(SWEEPS["forecast"][1])]] == list(SWEEPS["forecast"][1])
    plain = candidates(["forecast:reach=2"], [6])[0]
    assert plain.policy == forecast(reach=2.0) and key(SETTINGS, plain) != key(SETTINGS, replace(plain, ours=ours))


def test_another_setting_is_another_file(tmp_path):
    one, other = Candidate("fora:interval=2", 6), Candidate("fora:interval=3", 6)
    keys = {key(SETTINGS, one), key(SETTINGS, other), key(SETTINGS, Candidate("fora:interval=2", 4))}
    keys |= {key(Settings("digits", 4, 1.5, 1), one), key(Settings("digits", 5, 1.5, 0), one)}
    assert len(keys) == 5


def test_pieces_do_not_change_a_point(tmp_path, monkeypatch):
    one = Candidate("blockl1:threshold=0.3", 6)
    whole = measure(SETTINGS, [one], tmp_path / "whole", 1)[one]
    monkeypatch.setattr(frontier_measure, "PIECE", 3)
    cut = measure(SETTINGS, [one], tmp_path / "cut", 1)[one]
    assert np.array_equal(whole.images, cut.images) and np.array_equal(whole.cycles, cut.cycles)
    assert whole.counters == cut.counters


def rewritten(path, **changed):
    with np.load(path) as stored:
        np.savez(path, **dict(stored) | changed)


def saved_as_another(path):
    other = path.with_name("other.npz")
    Measured.load(path).save(other)
    return other


DAMAGE = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "no archive": lambda path: path.write_bytes(b"[]"),
    "images of another type": lambda path: rewritten(path, images=np.load(path)["images"].astype(np.float64)),
    "counters below zero": lambda path: rewritten(
        path, counters=np.array(str(np.load(path)["counters"]).replace(": ", ": -"))
    ),
    "counters that are none": lambda path: rewritten(path, counters=np.array("[]")),
    "another point": lambda path: saved_as_another(path).replace(path),
    "as earlier versions": lambda path: rewritten(path, sha256=np.array("")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_point_is_measured_again(damage, tmp_path):
    one = Candidate("blockl1:threshold=0.3", 4)
    first = measure(SETTINGS, [one], tmp_path, 1)[one]
    (kept,) = tmp_path.iterdir()
    assert Measured.load(kept).counters == first.counters
    DAMAGE[damage](kept)
    assert Measured.load(kept) is None
    again = measure(SETTINGS, [one], tmp_path, 1)[one]
    assert np.array_equal(first.images, again.images) and first.counters == again.counters
    assert Measured.load(kept).counters == first.counters


def test_detection_is_paid_for_what_is_watched():
    integer = frontier_measure.integer_of("digits", 6)
    computed = np.ones((1, 6, 12, 2), bool)
    computed[0, 1::2] = False
    texts = ("fora:interval=2", "teacache:threshold=0.1", "blockl1:threshold=0.1", "radit:threshold=0.1")
    paid = [
        costs_of(SETTINGS, Candidate(text, 6), integer, DecisionRecord(computed))[2]["history_reads"] for text in texts
    ]
    assert paid[0] == 0 and [part / paid[3] for part in paid[1:]] == [1 / 12, 1 / 2, 1]


def test_a_forecast_reads_two_branches():
    integer = frontier_measure.integer_of("digits", 6)
    computed = np.ones((1, 6, 12, 2), bool)
    computed[0, 3] = False
    fora, taylor = (
        costs_of(SETTINGS, Candidate(t, 6), integer, DecisionRecord(computed))[2] for t in ("fora", "taylorseer")
    )
    assert taylor["slope_reads"] == taylor["cache_reads"] == fora["cache_reads"] > fora["slope_reads"] == 0


def test_sweeps():
    everything = candidates(["all"], [50, 20])
    assert {one.name for one in everything} == set(SWEEPS)
    assert len(everything) == len(set(everything))
    assert {one.base_steps for one in everything if one.name == FEWER} == {50}
    for base, every in ((50, 1), (20, 2)):
        found = [one.policy.threshold for one in everything if (one.name, one.base_steps) == ("forecast", base)]
        assert found == list(SWEEPS["forecast"][1][::every])
    assert [one.text for one in candidates(["l1", "l1:gain=0.5"], [50])] == ["l1", "l1:gain=0.5"]
    assert [one.text for one in candidates(["fora"], [50])] == [f"fora:interval={n:g}" for n in SWEEPS["fora"][1]]


def test_winners():
    points = [made_up(FEWER, 2.0, 4e-4), made_up(FEWER, 4.0, 8e-4), made_up("forecast", 1.9, 1e-4)]
    points += [made_up("forecast", 3.1, 4e-4), made_up("fora", 2.6, 2e-4), made_up("fora", 4.2, 9e-4, base=20)]
    found = {one.budget: one for one in winners(points)}
    assert sorted(found) == [2.0, 2.5, 3.0, 3.5, 4.0]
    assert [found[budget].policy for budget in (2.0, 2.5, 3.0, 4.0)] == ["forecast", "fora", "forecast", FEWER]
    assert found[2.5].mse == 2e-4 and found[2.5].forecast_mse == pytest.approx(2.5e-4)
    assert found[2.0].fewer_steps_over_forecast == pytest.approx(4e-4 / 1.25e-4)
    assert found[4.0].forecast_mse is None and found[4.0].fewer_steps_over_forecast is None


def test_a_better_point_further_on_counts():
    points = [made_up("fora", 2.0, 9e-4), made_up("fora", 3.0, 1e-4)]
    assert winners(points, (1.5, 2.0))[0].mse == 1e-4


def test_schema_refuses_what_it_does_not_know():
    good = made_up("fora", 2.0, 1e-4).model_dump()
    for bad in ({"mse": float("nan")}, {"cycles_are": "guessed"}, {"lpips": 0.1}):
        with pytest.raises(ValidationError):
            FrontierPoint.model_validate(good | bad)


def test_worst_images():
    images = np.zeros((40, 1, 2, 2))
    images[7], images[9] = 2.0, 4.0
    assert worst_mse(images, np.zeros_like(images)) == 10.0
    assert worst_mse(images[:9], np.zeros((9, 1, 2, 2))) == 4.0


def test_bad_input(capsys):
    with pytest.raises(UserError, match="--policies is 'deltadit': choose all, fewer-steps, fora"):
        candidates(["deltadit"], [50])
    with pytest.raises(UserError, match="--policies is 'fewer-steps', of which 3 steps leave no point: give more"):
        candidates(["fewer-steps"], [3])
    for text in ("0", "50,x", "1001", ""):
        assert main(["frontier", "--steps", text]) == 2
        assert f"--steps is '{text}'" in capsys.readouterr().err
