"""The frontier: points on the float and the integer model, kept between calls; what they cost; who wins where."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from radit.cli import main
from radit.model.dit.sampler import Sampler
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.skip_policy import forecast
from radit.model.quality.converged import CHECKS, CONVERGED, PairedErrors
from radit.model.system.workers import local_workers
from radit.reports.frontier import measure as frontier_measure
from radit.reports.frontier.candidates import FLOAT, SWEEPS, Candidate, candidates, dense_samplers
from radit.reports.frontier.costs import costs
from radit.reports.frontier.frontier import Wanted, best_solver, best_spacings, run_frontier
from radit.reports.frontier.measure import Measured, Settings, counts_of, key, measure
from radit.reports.frontier.schema import Frontier, FrontierPoint
from radit.reports.frontier.winners import budgets, curves, error_at, evaluations_for, gains

SETTINGS = Settings("digits", samples=4, cfg=1.5, seed=0)
POLICIES = "fora:interval=2,taylorseer:interval=2:warm_up=2,teacache:threshold=0.3,radit:threshold=0.5,"
POLICIES += "sketch:threshold=0.3"
SOLVERS, SPACINGS, EVALUATIONS = ("ddim", "unipc"), ("uniform", "quadratic"), (6, 4)
SIX, FOUR = Sampler(6), Sampler(4)


def made_up(
    policy: str, evaluations: float, error: float, median: float | None = None, steps: int = 20, solver: str = "unipc",
    arithmetic: str = "int8", spacing: str = "quadratic",
) -> FrontierPoint:  # fmt: skip
    spent = dict.fromkeys(("cycles", "macs", "energy_uj", "external_bytes"), 1.0)
    spread = {"standard_error": 0.0, "median": median or error, "percentile_95": error, "tipped_over": 0.0}
    return FrontierPoint(
        policy=policy, settings="", arithmetic=arithmetic, solver=solver, spacing=spacing, steps=steps, **spent,
        evaluations=evaluations, error=PairedErrors(mean=error, **spread), mse_to_dense=None, fd=5.0, accuracy=1.0,
        saturations=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frontier")
    options = ["--samples", "4", "--steps", "6,4", "--jobs", "1", "--policies", POLICIES, "--out", str(folder)]
    options += ["--sampler", ",".join(SOLVERS), "--spacing", ",".join(SPACINGS), "--no-history"]
    assert main(["frontier", *options]) == 0
    return folder


@pytest.fixture(scope="module")
def result(out) -> Frontier:
    return Frontier.model_validate(json.loads((out / "frontier.json").read_text()))


def test_files_hold_the_same_points(out, result):
    rows = list(csv.DictReader((out / "frontier.csv").open()))
    assert [row["settings"] for row in rows] == [point.settings for point in result.points]
    assert [float(row["error_mean"]) for row in rows] == [point.error.mean for point in result.points]
    assert (out / "frontier.svg").read_bytes()[:5] == b"<?xml" and (out / "frontier.png").read_bytes()[1:4] == b"PNG"


def test_points(result):
    """Every solver in float with every spacing, in int8 with its best; each policy once on each number of steps."""
    on_float = [point for point in result.points if point.arithmetic == "float"]
    assert len(on_float) == 2 * 2 * 2 and all(point.cycles is None for point in on_float)
    dense = [point for point in result.points if (point.policy, point.arithmetic) == ("dense", "int8")]
    assert [(point.solver, point.steps) for point in dense] == [("ddim", 6), ("ddim", 4), ("unipc", 6), ("unipc", 4)]
    for point in dense:
        assert point.evaluations == point.steps and point.mse_to_dense == 0.0
        of_float = [p.error.mean for p in on_float if (p.solver, p.steps) == (point.solver, point.steps)]
        assert [p.error.mean for p in on_float if p.spacing == point.spacing and p.solver == point.solver]
        assert min(of_float) in [p.error.mean for p in on_float if p.spacing == point.spacing]
    others = [point for point in result.points if point.policy != "dense"]
    assert len(others) == 2 * 5 and {f"{p.solver}, {p.spacing}" for p in others} == {result.best_solver}
    halved = next(point for point in others if (point.policy, point.steps) == ("fora", 6))
    assert halved.macs == pytest.approx(dense[0].macs / 2) and 3.0 < halved.evaluations < 5.0
    assert all(point.error.mean > 0 and point.error.percentile_95 >= point.error.median for point in result.points)


def test_costs_of_a_dense_run_grow_with_its_steps(tmp_path):
    found = measure(SETTINGS, [Candidate("dense", SIX), Candidate("dense", Sampler(3))], tmp_path, local_workers(1))
    six, three = (costs(SETTINGS, one, point) for one, point in found.items())
    assert six.macs == 2 * three.macs and six.external_bytes == 2 * three.external_bytes
    assert six.cycles == pytest.approx(2 * three.cycles, rel=1e-3)
    assert 1.7 * three.energy_uj < six.energy_uj < 2 * three.energy_uj  # what the host does once per image is paid once


def test_the_judge_has_converged(result):
    assert result.convergence.sampler == CONVERGED.text and set(result.convergence.checks) == {s.text for s in CHECKS}
    assert max(result.convergence.checks.values()) < 1e-5 < 0.05 < result.convergence.picture_distance
    assert min(point.error.mean for point in result.points) > 10 * max(result.convergence.checks.values())
    assert result.caution.startswith("4 samples are few")


def test_a_second_call_runs_nothing(out, result, monkeypatch):
    """Not even the first piece of anything; and another set of policies runs only what it lacks."""
    ran = []
    genuine = frontier_measure._piece
    monkeypatch.setattr(frontier_measure, "_piece", lambda *task: ran.append(task) or genuine(*task))
    wanted = Wanted(SOLVERS, SPACINGS, EVALUATIONS, tuple(POLICIES.split(",")), history=False)
    assert run_frontier(SETTINGS, wanted, workers=local_workers(1), out=out) == result and ran == []
    more = replace(wanted, policies=("fora:interval=2", "fora:interval=3"), evaluations=(6,))
    run_frontier(SETTINGS, more, workers=local_workers(1), out=out)
    assert [task[1].text for task in ran] == ["fora:interval=3"]


def test_a_calibrated_policy_is_what_forecast_starts_from():
    """All its points and no others; their files are others than those of the defaults."""
    ours = forecast(first_dense=1, max_streak=9)
    found = candidates(["forecast", "forecast:reach=2", "radit:threshold=0.5"], [SIX, FOUR], ours)
    for one in found:
        assert one.policy.max_streak == (9 if one.name == "forecast" else 3)
    assert [one.policy.threshold for one in found[: len(SWEEPS["forecast"][1])]] == list(SWEEPS["forecast"][1])
    plain = candidates(["forecast:reach=2"], [SIX])[0]
    assert plain.policy == forecast(reach=2.0) and key(SETTINGS, plain) != key(SETTINGS, replace(plain, ours=ours))


def test_another_setting_is_another_file():
    one, other = Candidate("fora:interval=2", SIX), Candidate("fora:interval=3", SIX)
    keys = {key(SETTINGS, one), key(SETTINGS, other), key(SETTINGS, Candidate("fora:interval=2", FOUR))}
    keys |= {key(Settings("digits", 4, 1.5, 1), one), key(Settings("digits", 5, 1.5, 0), one)}
    keys |= {key(SETTINGS, Candidate(text, sampler)) for text in ("dense", FLOAT) for sampler in (SIX, FOUR)}
    keys |= {key(SETTINGS, Candidate(FLOAT, Sampler(6, solver=s))) for s in ("unipc", "euler")}
    assert len(keys) == 11


def test_pieces_do_not_change_a_point(tmp_path, monkeypatch):
    wanted = [Candidate("dbprune:threshold=0.3", SIX), Candidate(FLOAT, Sampler(6, solver="unipc"))]
    whole = measure(SETTINGS, wanted, tmp_path / "whole", local_workers(1))
    monkeypatch.setattr(frontier_measure, "PIECE", 3)
    cut = measure(SETTINGS, wanted, tmp_path / "cut", local_workers(1))
    one, other = wanted
    assert np.array_equal(whole[one].images, cut[one].images) and np.array_equal(whole[one].cycles, cut[one].cycles)
    assert whole[one].counters == cut[one].counters
    assert np.allclose(whole[other].images, cut[other].images, atol=1e-5)


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
    one = Candidate("dbprune:threshold=0.3", FOUR)
    first = measure(SETTINGS, [one], tmp_path, local_workers(1))[one]
    (kept,) = tmp_path.iterdir()
    assert Measured.load(kept).counters == first.counters
    DAMAGE[damage](kept)
    assert Measured.load(kept) is None
    again = measure(SETTINGS, [one], tmp_path, local_workers(1))[one]
    assert np.array_equal(first.images, again.images) and first.counters == again.counters
    assert Measured.load(kept).counters == first.counters


def test_detection_is_paid_for_what_is_watched():
    integer = frontier_measure.integer_of("digits", SIX)
    computed = np.ones((1, 6, 12, 2), bool)
    computed[0, 1::2] = False
    texts = ("fora:interval=2", "teacache:threshold=0.1", "dbprune:threshold=0.1", "radit:threshold=0.1")
    paid = [
        counts_of(SETTINGS, Candidate(text, SIX), integer, DecisionRecord(computed))[2]["history_reads"]
        for text in texts
    ]
    assert paid[0] == 0 and [part / paid[3] for part in paid[1:]] == [1 / 12, 5 / 12, 1]


def test_a_forecast_reads_as_many_branches_as_it_takes():
    """Of order 4 all three that were computed before."""
    integer = frontier_measure.integer_of("digits", SIX)
    computed = np.ones((1, 6, 12, 2), bool)
    computed[0, 3] = False
    fora, taylor, high = (
        counts_of(SETTINGS, Candidate(text, SIX), integer, DecisionRecord(computed))[2]
        for text in ("fora", "taylorseer:order=1", "taylorseer:order=4")
    )
    assert taylor["slope_reads"] == taylor["cache_reads"] == fora["cache_reads"] > fora["slope_reads"] == 0
    assert high["slope_reads"] == 2 * taylor["slope_reads"] and high["cache_reads"] == taylor["cache_reads"]


def test_sweeps():
    everything = candidates(["all"], [SIX, FOUR])
    assert {one.name for one in everything} == set(SWEEPS) and len(everything) == len(set(everything))
    found = [one.policy.threshold for one in everything if (one.name, one.sampler) == ("forecast", FOUR)]
    assert found == list(SWEEPS["forecast"][1])
    assert [one.text for one in candidates(["l1", "l1:gain=0.5"], [SIX])] == ["l1", "l1:gain=0.5"]
    assert [one.sampler for one in candidates(["planned:labels=5"], [SIX, FOUR])] == [SIX]  # it has no fifth timestep
    assert [one.text for one in candidates(["fora"], [SIX])] == [f"fora:interval={n:g}" for n in SWEEPS["fora"][1]]


def test_dense_samplers():
    found = dense_samplers(["ddim", "heun"], ["uniform", "log-snr"], [8, 7])
    assert [(one.solver, one.spacing, one.steps) for one in found] == [
        *(("ddim", spacing, steps) for steps in (8, 7) for spacing in ("uniform", "log-snr")),
        *(("heun", spacing, 7) for spacing in ("uniform", "log-snr")),
    ]


def test_which_solver_is_best():
    """Spacing by spacing at each number of steps; over all of them by the mean of the logarithms."""
    on_float = [
        made_up("dense", steps, error, steps=steps, solver=solver, spacing=spacing, arithmetic="float")
        for solver, spacing, errors in (
            ("ddim", "uniform", (9e-4, 1e-4)), ("ddim", "quadratic", (8e-4, 2e-4)), ("unipc", "log-snr", (7e-4, 3e-4)),
        )
        for steps, error in zip((8, 16), errors, strict=True)
    ]  # fmt: skip
    chosen = [(one.solver, one.steps, one.spacing) for one in best_spacings(on_float)]
    assert chosen == [
        ("ddim", 8, "quadratic"), ("ddim", 16, "uniform"), ("unipc", 8, "log-snr"), ("unipc", 16, "log-snr"),
    ]  # fmt: skip
    assert best_solver(on_float) == ("ddim", "uniform")


def test_curves():
    curve = [(8.0, 8e-4), (16.0, 1e-4), (20.0, 2e-4)]
    assert error_at(curve, 7.9) is None and error_at(curve, 8.0) == 8e-4 and error_at(curve, 25.0) == 1e-4
    assert error_at(curve, 8 * 2**0.5) == pytest.approx((8e-4 * 1e-4) ** 0.5)
    assert evaluations_for(curve, 9e-5) is None and evaluations_for(curve, 8e-4) == 8.0
    assert evaluations_for(curve, 2e-4) == pytest.approx(8 * 2 ** (2 / 3))


def test_who_wins():
    points = [made_up("dense", 8, 8e-4, 5e-4, 8), made_up("dense", 16, 1e-4, 1e-4, 16)]
    points += [made_up("dense", 8, 1e-6, steps=8, arithmetic="float"), made_up("fora", 10, 9e-4)]
    points += [made_up("radit", 10, 2e-4, 6e-4), made_up("radit", 14, 1.5e-4)]
    found = {(one.statistic, one.evaluations): one for one in budgets(points, (4, 8, 10, 20))}
    assert sorted(found) == [(s, n) for s in ("mean", "median") for n in (8, 10, 20)]
    assert (found["mean", 8].winner, found["mean", 8].dense) == ("dense", 8e-4)
    assert found["mean", 10].winner == "radit" and found["mean", 10].by_policy == {"radit": 2e-4, "fora": 9e-4}
    assert found["median", 10].winner == "dense" and found["mean", 20].winner == "dense"
    assert found["mean", 10].dense_sampler == "unipc, quadratic"
    needed = {(one.statistic, one.evaluations): one for one in gains(points, (8, 16))}
    assert needed["mean", 8].by_policy == {"dense": 8.0, "radit": 10.0} and needed["mean", 8].error == 8e-4
    assert needed["mean", 16].by_policy == {"dense": 16.0}


def test_what_costs_more_and_errs_no_less_is_no_part_of_a_curve():
    points = [made_up("planned", cost, error) for cost, error in ((8, 3e-4), (9, 5e-4), (10, 2e-4), (11, 2e-4))]
    assert curves(points, "mean")["planned"] == {"20 of unipc, quadratic": [(8, 3e-4), (10, 2e-4)]}


def test_policies_on_two_samplers_are_two_curves():
    points = [made_up("radit", 10, 2e-4), made_up("radit", 8, 3e-4, steps=16), made_up("radit", 9, 3e-4)]
    assert curves(points, "mean")["radit"] == {
        "16 of unipc, quadratic": [(8, 3e-4)], "20 of unipc, quadratic": [(9, 3e-4), (10, 2e-4)],
    }  # fmt: skip


def test_schema_refuses_what_it_does_not_know():
    good = made_up("fora", 2.0, 1e-4).model_dump()
    for bad in ({"fd": float("nan")}, {"cycles_are": "guessed"}, {"lpips": 0.1}, {"solver": "rk45"}):
        with pytest.raises(ValidationError):
            FrontierPoint.model_validate(good | bad)


def test_bad_input(capsys):
    with pytest.raises(UserError, match="--policies is 'deltadit': choose all, fora"):
        candidates(["deltadit"], [SIX])
    for text in ("0", "50,x", "1001", ""):
        assert main(["frontier", "--steps", text]) == 2
        assert f"--steps is '{text}'" in capsys.readouterr().err
    assert main(["frontier", "--sampler", "ddim,rk45"]) == 2
    assert "--sampler is 'rk45': choose ddim or dpmpp-2m" in capsys.readouterr().err
