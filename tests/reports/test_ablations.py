"""The ablation: variants at equal MACs, their errors over ours, what their detectors are charged, the page's table."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from radit.cli import main
from radit.model.dit.sampler import Sampler
from radit.model.errors import UserError
from radit.model.files import read_model
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.ablation import variants as ablation_variants
from radit.reports.ablation.ablations import compared, ratio_spread
from radit.reports.ablation.schema import AblationPoint, Ablations, error_at
from radit.reports.ablation.table import ablation_table
from radit.reports.ablation.variants import OURS, VARIANTS, chosen, crossing
from radit.reports.frontier import measure as frontier_measure
from radit.reports.frontier.candidates import Candidate
from radit.reports.frontier.measure import Settings, counts_of

ROOT = Path(__file__).parents[2]
STEPS = 10
SIX = Sampler(6)
VARIED = "static,miss"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder, images = tmp_path_factory.mktemp("ablations"), ablation_variants.IMAGES
    ablation_variants.IMAGES = 4
    options = ["--samples", "4", "--steps", str(STEPS), "--jobs", "1", "--reductions", "1.6,2", "--out", str(folder)]
    assert main(["ablate", *options, "--variants", VARIED]) == 0
    ablation_variants.IMAGES = images
    return folder


@pytest.fixture(scope="module")
def result(out) -> Ablations:
    return Ablations.model_validate(json.loads((out / "ablations.json").read_text()))


def made_up(label: str, wanted: float, reduction: float, error: float) -> AblationPoint:
    costs = {f"{name}_reduction": reduction for name in ("cycle", "mac", "energy", "external_bytes")}
    quality = {"fd": 5.0, "accuracy": 1.0, "mse": error}
    needs = dict.fromkeys("stored_bits operations bit_operations detection_bytes branch_bytes threshold".split(), 1.0)
    names = {"policy": "codes", "settings": "", "saturations": 0, "group": "detector", "label": label}
    return AblationPoint(**names, **costs, **quality, **needs, wanted=wanted)


def test_files_hold_the_same_points(out, result):
    rows = list(csv.DictReader((out / "ablations.csv").open()))
    assert [float(row["error"]) for row in rows] == [point.error for point in result.points]
    assert (out / "ablations.svg").read_bytes()[:5] == b"<?xml" and (out / "ablations.png").read_bytes()[1:4] == b"PNG"


def test_points_compute_what_was_wanted(result):
    """Ours is always among them; a whole number of timesteps is what fixed ones can do."""
    found = {(point.label, point.wanted): point for point in result.points}
    assert len(found) == 6 and {label for label, _ in found} == {OURS.label, "none: fixed timesteps", *_labels("miss")}
    assert found["none: fixed timesteps", 1.6].mac_reduction == STEPS / 6
    assert found["none: fixed timesteps", 2.0].mac_reduction == STEPS / 5
    for wanted in (1.6, 2.0):
        ours = found[OURS.label, wanted]
        assert ours.ratio == 1.0 and ours.ratio_spread == 0.0
        assert ours.mac_reduction == pytest.approx(wanted, rel=0.1)
    assert any(point.ratio_spread > 0 for point in result.points)


def _labels(text: str) -> list[str]:
    return [variant.label for variant in VARIANTS if variant.text == text]


def test_costs(result):
    """A detector that looks at sub-block 0 alone reads and writes 4 bits of it; a fixed schedule moves none."""
    ours, fixed = (next(p for p in result.points if p.label.startswith(name)) for name in ("4-bit", "none"))
    values = 64 * 64
    read, written = (STEPS - 1) / STEPS, 1 / ours.mac_reduction
    assert ours.detection_bytes == pytest.approx(values / 2 * (read + written) / 12, rel=0.01)
    assert fixed.detection_bytes == 0 and fixed.branch_bytes > 2 * values / 12


def test_a_second_call_runs_nothing(out, result, monkeypatch):
    monkeypatch.setattr(ablation_variants, "IMAGES", 4)
    monkeypatch.setattr(frontier_measure, "_piece", lambda *task: pytest.fail(f"ran {task}"))
    options = ["--samples", "4", "--steps", str(STEPS), "--jobs", "1", "--reductions", "1.6,2", "--out", str(out)]
    assert main(["ablate", *options, "--variants", VARIED]) == 0
    assert Ablations.model_validate(json.loads((out / "ablations.json").read_text())) == result


def test_what_detectors_are_charged():
    integer, settings = frontier_measure.integer_of("digits", SIX), Settings("digits", samples=4, cfg=1.5, seed=0)
    computed = np.ones((1, 6, 12, 2), bool)
    computed[0, 3:5] = False
    record = DecisionRecord(computed)

    def paid(text: str) -> dict[str, int]:
        return counts_of(settings, Candidate(text, SIX), integer, record)[2]

    ours, path, order = paid("codes"), paid("path"), paid("codes:order=2")
    assert paid("codes:scope=sub-block")["history_reads"] == 12 * ours["history_reads"] > 0
    assert (
        paid("l1")["history_reads"] == 2 * ours["history_reads"] and paid("l1")["code_reads"] == 2 * ours["code_reads"]
    )
    assert path["code_reads"] == path["history_reads"] == 2 * ours["history_reads"] > 2 * ours["code_reads"]
    assert order["slope_reads"] == 2 * ours["slope_reads"] > 0 and order["cache_reads"] == ours["cache_reads"]
    miss = paid("miss")
    branches = paid("codes:scope=timestep")  # as those that it looks at
    assert miss["history_reads"] == 0 and miss["slope_reads"] - branches["slope_reads"] == branches["cache_writes"]
    assert branches["cache_writes"] == 6 * ours["cache_writes"]
    assert Candidate("codes:order=2", SIX).costs.cached_results == 3
    assert Candidate("codes:gain=0", SIX).costs.cached_results == 1


def test_errors_at_exactly_the_reduction():
    """A power law through the two points: from 2.4 to 3.6 the error grows by 1.5 ** 3."""
    points = [made_up("a", 2.5, 2.4, 1e-4), made_up("a", 3.33, 3.6, 1e-4 * 1.5**3), made_up("b", 2.5, 2.6, 7e-4)]
    assert error_at(points, points[0]) == pytest.approx(1e-4 * (2.5 / 2.4) ** 3)
    assert error_at(points, points[1]) == pytest.approx(1e-4 * (3.33 / 2.4) ** 3)
    assert error_at(points, points[2]) == 7e-4


def test_ratios():
    points = [made_up(OURS.label, 2.5, 2.5, 2e-4), made_up("b", 2.5, 2.5, 3e-4)]
    ours, other = compared(points, [np.array([1e-4, 3e-4]), np.array([2e-4, 4e-4])])
    assert (ours.ratio, ours.ratio_spread) == (1.0, 0.0)
    assert other.ratio == pytest.approx(1.5) and other.ratio_spread == pytest.approx(0.23, abs=0.02)
    assert ratio_spread(np.full(9, 6.0), np.full(9, 2.0)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("power, start", [(0.5, 0.01), (0.5, 0.9), (3.0, 0.2)])
def test_a_search_by_runs(power, start):
    tried = []

    def reduction(threshold: float) -> float:
        tried.append(threshold)
        return 1.0 + 4.0 * threshold**power

    found = crossing(reduction, start, 2.5)
    assert 1.0 + 4.0 * found**power == pytest.approx(2.5, rel=0.03) and len(tried) <= ablation_variants.TRIALS


def test_a_search_ends_at_the_largest_threshold():
    assert crossing(lambda threshold: 1.0 + threshold, 0.5, 3.0) == 1.0


def test_variants():
    assert chosen([]) == [OURS] and chosen(["all"]) == list(VARIANTS)
    assert [one.text for one in chosen(["l1"])] == ["codes", "l1", "l1"]
    assert len({(one.group, one.label) for one in VARIANTS}) == len(VARIANTS) == len(set(VARIANTS))
    assert all(one.method.name for one in VARIANTS)
    with pytest.raises(UserError, match="--variants is 'l2': choose all, or of codes, "):
        chosen(["l2"])


def test_table(result):
    lines = [line for line in ablation_table(result).splitlines() if line.startswith("|")]
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1
    ours = next(point for point in result.points if (point.label, point.wanted) == (OURS.label, 2.0))
    assert f"{ours.error / 1e-4:.2f} (1.00 +- 0.00) | {ours.cycle_reduction:.2f} |" in lines[2]


def test_ours_is_the_measure_of_the_stored_result():
    stored = read_model(Ablations, ROOT / "docs" / "results" / "ablations.json", "ablations", "")
    assert math.isclose(stored.points[0].ratio, 1.0)
