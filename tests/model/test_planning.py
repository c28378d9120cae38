"""Plans by dynamic programming, and what they are made from."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from radit.model.comparison.catalogue import parse_method
from radit.model.comparison.running import reference_of
from radit.model.detectors.dense_streams import (
    Grams,
    best_slope,
    fitted_slopes,
    forecast_error,
    grams_of,
    inner_products,
)
from radit.model.detectors.noise_effects import noise_effects
from radit.model.detectors.planned import best_plan
from radit.model.detectors.planning import run_cost, schedules
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize

STEPS, IMAGES = 8, 3
TIME = "difference=False:slope=time"
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)


@pytest.fixture(scope="module")
def dit():
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit):
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


def gram_of(*vectors: tuple[float, ...]) -> torch.Tensor:
    values = torch.tensor(vectors, dtype=torch.float64)
    return values @ values.T


def test_errors_and_weights_from_inner_products():
    """h = 0, 1, 3 on a line: from 1 a slope of 1 leaves 1, 2 is right; against the direction nothing is taken."""
    gram = gram_of((0.0,), (1.0,), (3.0,), (-1.0,))
    assert forecast_error(gram, 0, 1, 2, 1.0) == pytest.approx(1.0) and forecast_error(gram, 0, 1, 2, 2.0) == 0.0
    assert best_slope(gram, 0, 1, 2) == 512 and best_slope(gram, 0, 1, 3) == 0 and best_slope(gram, 0, 0, 1) == 0
    table = fitted_slopes(gram)
    assert table[2, 1, 1] == 512 and table[3, 1, 2] == 0 and table[0].sum() == table[1].sum() == 0


def test_a_weight_is_the_least_squares_one():
    rows = torch.randn(3, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows[2] = rows[1] + 0.7 * (rows[1] - rows[0]) + 0.1 * rows[2]
    wanted = torch.linalg.lstsq((rows[1] - rows[0]).unsqueeze(1), (rows[2] - rows[1]).unsqueeze(1)).solution
    assert best_slope(rows @ rows.T, 0, 1, 2) == round(float(wanted) * 256)


def test_streams_are_taken_apart_by_context():
    streams = torch.randn(4, 2, 2, 3, 5, generator=torch.Generator().manual_seed(2))
    found = inner_products(streams)
    label, null = (streams.double()[:, :, c].flatten(1) / streams.double().std() for c in (0, 1))
    assert torch.allclose(found.label, label @ label.T / 30) and torch.allclose(found.null, null @ null.T / 30)
    assert torch.allclose(found.difference, (null - label) @ (null - label).T / 30)


@pytest.mark.parametrize("allowed", [range(8), (0, 1, 3, 4, 6)])
def test_the_best_schedule_is_found(allowed):
    """Among all of them, for costs that depend on the last two computed timesteps."""
    costs = torch.rand(9, 9, 9, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    cost = run_cost(lambda i, j, target: float(costs[i, j, target]))
    found = schedules(cost, 8, allowed)
    for count, (least, times) in found.items():
        every = [(0, *more) for more in combinations(sorted(set(allowed) - {0}), count - 1)]
        spent = {each: total(cost, each, 8) for each in every}
        assert least == pytest.approx(min(spent.values())) and spent[times] == pytest.approx(least)
    assert set(found) == set(range(1, len(tuple(allowed)) + 1))


def total(cost, times, steps) -> float:
    found, before = 0.0, -1
    for latest, following in zip(times, (*times[1:], steps), strict=True):
        found += cost(before, latest, following)
        before = latest
    return found


def test_long_runs_are_left_out():
    found = schedules(run_cost(lambda *_: 1.0), 30, range(30))
    assert min(found) == 4 and all(later - one <= 8 for _, times in found.values() for one, later in pairs(times, 30))


def pairs(times, steps):
    return zip(times, (*times[1:], steps), strict=True)


def jump(*at: int, steps: int = 8) -> torch.Tensor:
    """Inner products of a stream that stands still but for jumps."""
    places = 1.0 + sum((torch.arange(steps) >= each).double() for each in at)
    return torch.outer(places, places)


def test_a_plan_computes_where_something_happens():
    """The label's stream jumps at 3 and 5, the difference at 3; that is computed only with the label's."""
    grams = Grams(label=jump(3, 5), null=jump(4), difference=jump(3))
    method = parse_method("planned:slope=time:share=0.3125:gain=0")
    assert [each.nonzero().flatten().tolist() for each in best_plan(method, grams, torch.ones(8)).T] == [
        [0, 3, 5],
        [0, 3],
    ]
    apart = best_plan(parse_method(f"planned:{TIME}:share=0.3125:gain=0"), grams, torch.ones(8))
    assert [each.nonzero().flatten().tolist() for each in apart.T] == [[0, 3, 5], [0, 4]]
    alike = best_plan(parse_method(f"planned:{TIME}:share=0.5:shared=True:gain=0"), grams, torch.ones(8))
    assert [each.nonzero().flatten().tolist() for each in alike.T] == [[0, 3, 4, 5]] * 2


def test_the_number_of_the_label_s_timesteps_can_be_given():
    grams = Grams(label=jump(3, 5), null=jump(4), difference=jump(3))
    for labels in (4, 5):
        method = parse_method(f"planned:slope=time:share=0.5:gain=0:labels={labels}")
        assert best_plan(method, grams, torch.ones(8))[:, 0].sum() == labels
    with pytest.raises(UserError, match="labels 8 of 8 timesteps: give a larger share, .* or leave labels out"):
        best_plan(parse_method(f"planned:{TIME}:share=0.5:labels=8"), grams, torch.ones(8))


def test_weights_of_timesteps_decide():
    """Where an error has no effect, nothing is computed."""
    effects = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    curved = gram_of(*((float(t) ** 2,) for t in range(8)))
    plan = best_plan(parse_method(f"planned:{TIME}:share=0.625:guidance=1"), Grams(curved, curved, curved), effects)
    assert plan[:5, 0].all() and not plan[5:].any()


def test_a_share_that_is_too_small():
    gram = jump(5, steps=20)
    with pytest.raises(UserError, match="planned has share 0.1 and labels 0 of 20 timesteps: give a larger share"):
        best_plan(parse_method(f"planned:{TIME}:share=0.1"), Grams(gram, gram, gram), torch.ones(20))


def test_effects_of_errors(integer):
    """Those of the last timestep are the solver's own: DDIM's last noise counts sqrt((1 - ab) / ab) in the image."""
    found = noise_effects(integer, 1.5)
    assert found.shape == (STEPS,) and bool((found > 0).all()) and float(found[-1]) < float(found.max())


def test_grams_are_symmetric(integer):
    gram = grams_of(integer, 1.5, 4).label
    assert torch.allclose(gram, gram.T) and bool((gram.diagonal() > 0).all())


def test_the_plan_is_what_runs(dit, integer):
    method = parse_method(f"planned:{TIME}:share=0.625")
    reference = reference_of(integer, method)
    _, record = generate(reference, dit, Y, NOISE)
    computed = record.decisions.computed
    assert (computed == computed[:1, :, :1]).all() and computed[0, :, 0].sum() == 10
    assert method.watched(4) == () and method.cost(1).operations == 0


def test_surprise_only_adds(dit, integer):
    settings = ("share=0.5", "share=0.5:threshold=0.05", "share=1:threshold=0.05")
    runs = [generate(reference_of(integer, parse_method(f"planned:{TIME}:{each}")), dit, Y, NOISE) for each in settings]
    plain, added, every = (record.decisions.computed for _, record in runs)
    assert (added >= plain).all() and plain.sum() < added.sum() < every.sum() == every.size
    dense, _ = generate(reference_of(integer, parse_method("fora:interval=1")), dit, Y, NOISE)
    assert torch.equal(runs[-1][0], dense)
