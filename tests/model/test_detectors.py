"""Detectors of the ablation: each rule on made-up inputs with known answers; the first of them is our policy."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from radit.model.baselines.base import Sight
from radit.model.comparison.catalogue import DETECTORS, parse_method
from radit.model.comparison.running import reference_of
from radit.model.comparison.second_order import SecondOrderReference, curved
from radit.model.detectors.detector import Anchored, tiled
from radit.model.detectors.rehearsal import dense_inputs, reduction, rehearsed, rounded_up, threshold_for, translated
from radit.model.detectors.sensitivity import channel_weights, gradients
from radit.model.detectors.signatures import random_signs
from radit.model.detectors.static import MeanRule
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import FORECAST_DEFAULTS, parse_policy

STEPS, IMAGES = 12, 3
T, D = 4, 8
RMS = 2.0
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)


@pytest.fixture(scope="module")
def dit():
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit) -> IntegerDiT:
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


@pytest.fixture
def made_up():
    """As much of an integer model as rules look at; the int8 step doubles after timestep 3, as real ones do."""
    scale = torch.full((STEPS, 2), 0.125, dtype=torch.float64)
    scale[4:] = 0.25
    share = torch.ones(2, D, dtype=torch.float64)
    return SimpleNamespace(
        act_share=share, act_scale=scale, input_step=lambda index, s: scale[index, s] * share[s],
        act_rms=torch.full((2,), RMS, dtype=torch.float64), sampler_steps=STEPS, steps=STEPS,
        branch_scale=torch.ones(2, D, dtype=torch.float64),
        config=SimpleNamespace(tokens=T, hidden_size=D, block_bounds=(0, 2)),
    )  # fmt: skip


def flat(*levels: float) -> torch.Tensor:
    """Inputs (1, contexts, T, D) of one value per context."""
    return torch.tensor(levels, dtype=torch.float64)[None, :, None, None].expand(1, -1, T, D).clone()


def distance_of(text: str, integer, then: torch.Tensor, now: torch.Tensor, at: tuple[int, int] = (2, 3)) -> list[float]:
    """Distance per context at the second of two timesteps, the first computed."""
    rule = parse_method(text).rule(integer, len(now))
    rule.distance(Sight(0, at[0], then, None))
    rule.computed(Sight(0, at[0], then, None), torch.ones(now.shape[:2], dtype=torch.bool))
    return rule.distance(Sight(0, at[1], now, None))[0].tolist()


def test_codes_are_ours(dit, integer):
    """Same images and decisions, bit for bit, whether sub-block 0 decides for all or each for itself."""
    for extra in ("", ":scope=timestep", ":scope=sub-block", ":gain=0.5:reach=0.75"):
        mine = generate(reference_of(integer, parse_method(f"codes:threshold=0.6{extra}")), dit, Y, NOISE)
        ours = parse_policy(f"forecast:threshold=0.6{extra}").tables(integer)
        wanted = generate(Reference(integer, ours), dit, Y, NOISE)
        assert torch.equal(mine[0], wanted[0]) and mine[1].decisions == wanted[1].decisions
        assert 0.1 < mine[1].decisions.reused_share < 0.9


@pytest.mark.parametrize("bits, moved", [(4, 3), (3, 2), (2, 1)])
def test_fewer_bits_see_less(bits, moved, made_up):
    """Boundaries in units of the root mean square: .13 .27 .4 .8 1.2 1.7 2.4; of 3 bits .27 .8 1.7; of 2 bits .8."""
    then, now = flat(0.3 * RMS), flat(0.3 * RMS)
    for column, value in enumerate((0.5, 1.0, 0.35, 0.2)):
        now[..., column] = value * RMS
    assert distance_of(f"codes:bits={bits}", made_up, then, now) == [moved / D]


def test_codes_compare_across_steps_of_other_size(made_up):
    assert distance_of("codes", made_up, flat(1.0, -1.0), flat(1.0, 1.0), (3, 5)) == [0.0, 1.0]


def test_levels(made_up):
    """From level 3 to level -4 is 7, and to 5 it is 2; the share of changed codes would be 1 for both."""
    apart = distance_of("levels", made_up, flat(0.5 * RMS, 0.5 * RMS), flat(-1.0 * RMS, 1.5 * RMS))
    assert apart == [7.0, 2.0]


def test_l1(made_up):
    """In units of the root mean square, from one int8 step size to another; below half a step nothing moves."""
    assert distance_of("l1", made_up, flat(1.0, 1.0), flat(2.5, 1.1), (3, 5)) == [1.5 / RMS, 0.0]
    assert distance_of("l1", made_up, flat(1.0), flat(1.15), (3, 5)) == [0.25 / RMS]


def test_pooled(made_up):
    """What cancels inside a tile is not seen; what does not is."""
    then, now = flat(0.0), flat(0.0)
    now[..., 0::2, :], now[..., 1::2, :] = 1.0, -1.0
    assert distance_of("pooled:tokens=2", made_up, then, now) == [0.0]
    assert distance_of("pooled:tokens=1", made_up, then, now) == [1.0 / RMS]
    assert distance_of("pooled:tokens=4:channels=2", made_up, then, flat(1.0)) == [1.0 / RMS]


def test_tiles():
    values = torch.arange(8.0).reshape(4, 2)
    assert tiled(values, 2, 2).tolist() == [[1.5], [5.5]] and tiled(values, 4, 1).tolist() == [[3.0, 4.0]]
    with pytest.raises(UserError, match="tokens 3 and channels 1: give divisors of the 4 tokens and 2 channels"):
        tiled(values, 3, 1)


def test_sketch(made_up):
    """One value moves every sum by as much; all values by their signs' sum."""
    then, now = flat(0.0), flat(0.0)
    now[..., 1, 1] = 3.0
    assert distance_of("sketch:projections=8", made_up, then, now) == pytest.approx([3.0 / RMS / (T * D) ** 0.5])
    sums = random_signs(8, T * D).sum(1).abs().mean() / (T * D) ** 0.5
    assert distance_of("sketch:projections=8", made_up, then, flat(1.0)) == pytest.approx([float(sums) / RMS])


def test_path(made_up):
    """There and back again: the path is 2 moves long, the distance 0; a computation starts both anew."""
    whole, half = (parse_method(text).rule(made_up, 1) for text in ("path", "path:share=0.25"))
    seen = []
    for index, level in enumerate((1.0, 2.0, 1.0, 3.0)):
        sight = Sight(0, index, flat(level), None)
        seen.append([float(rule.distance(sight)) * RMS for rule in (whole, half)])
        if index in (0, 2):
            for rule in (whole, half):
                rule.computed(sight, torch.ones(1, 1, dtype=torch.bool))
    assert seen == [[0.0, 0.0], [1.0, 1.0], [2.0, 0.5], [2.0, 2.0]]


@pytest.mark.parametrize("text", ["l1", "path:share=0.1"])
def test_the_last_computed_input_is_kept_context_by_context(text, made_up):
    rule = parse_method(text).rule(made_up, 1)
    for index, computed in enumerate(([True, True], [True, False], [False, False])):
        sight = Sight(0, index, flat(float(index), float(index)), None)
        apart = rule.distance(sight)
        rule.computed(sight, torch.tensor([computed]))
    assert (apart * RMS).tolist() == [[1.0, 2.0]]


def play(rule, index: int, branch: float, reuse: bool) -> float:
    """One timestep of a model of two sub-blocks under a made-up decision; the distance seen before."""
    distance = float(rule.distance(Sight(0, index, flat(0.0), None)))
    rule.reused = torch.full((1, 1), reuse)
    state = rule.state.get(0)
    streak = torch.ones(1, 1, dtype=torch.int64) + (state.streak if state else 0)
    rule.state[0] = SimpleNamespace(streak=streak if reuse else torch.zeros(1, 1, dtype=torch.int64))
    for s in (0, 1):
        rule.learn(s, flat(branch))
    return distance


def test_miss(made_up):
    """A branch on a line is not missed; one of 8 that leaves it by 3 in two timesteps is missed by 3 / 16 in each."""
    rule = parse_method("miss").rule(made_up, 1)
    steps = [(1.0, False), (2.0, False), (3.0, False), (3.0, True), (8.0, False), (9.0, True), (9.0, True)]
    seen = [play(rule, index, *step) for index, step in enumerate(steps)]
    assert seen[3] == 0.0 and seen[4] == 0.0
    assert seen[5:] == pytest.approx([3.0 / 8.0 / 2.0, 3.0 / 8.0])


def test_guards_and_contexts(made_up):
    """The first and the last timesteps are computed, and those after the longest streak; contexts share or not."""
    runs = {}
    for text in ("l1:threshold=1", "l1:threshold=0.2", "l1:threshold=0.2:shared=True"):
        rule = parse_method(f"{text}:schedule=1").rule(made_up, 1)
        decided = []
        for index in range(STEPS):
            rule.observe(Sight(0, index, flat(0.0, 0.1 * index), None))
            decided.append(rule.decide(0, index)[0].tolist())
            assert rule.decide(1, index)[0].tolist() == decided[-1]  # it follows
        runs[text] = decided
    everything, each, shared = runs.values()
    first, longest = (FORECAST_DEFAULTS[name] for name in ("first_dense", "max_streak"))
    forced = {*range(first), *range(first + longest, STEPS, longest + 1), STEPS - 1}
    assert {index for index, reuse in enumerate(everything) if reuse == [False, False]} == forced
    assert any(left != right for left, right in each) and all(left == right for left, right in shared)
    apart, joined = ([sum(reuse) for reuse in zip(*run, strict=True)] for run in (each, shared))
    assert apart[0] >= joined[0] > apart[1]


def test_a_translated_schedule_follows_the_other(integer):
    """Of the same detector it is the same; of a distance four times as large it only scales; of others it differs."""
    ours = parse_method("codes:threshold=0.6:schedule=0.5/1.0/0.25")
    assert translated(ours, ours, integer, 4) == ours.schedule
    loud = SimpleNamespace(rule=lambda integer, images: Loud(ours, integer, images))
    assert translated(loud, ours, integer, 4) == ours.schedule
    other = translated(parse_method("pooled:tokens=16"), ours, integer, 4)
    assert len(other) == 3 and max(other) == 1.0 and other != ours.schedule
    still = SimpleNamespace(rule=lambda integer, images: Still(ours, integer, images))
    assert translated(still, ours, integer, 4) == ours.schedule


class Still(Anchored):
    def distance(self, sight):
        return 0.0 * super().distance(sight)


class Loud(Anchored):
    def distance(self, sight):
        return 4.0 * super().distance(sight)


def test_static_is_planned_once_for_all_images(dit, integer):
    method = replace(parse_method("static:images=4:schedule=1"), threshold=0.4)
    _, record = generate(reference_of(integer, method), dit, Y, NOISE)
    computed = record.decisions.computed
    table = torch.from_numpy(~computed[0, :, 0, 0])
    assert (computed == computed[:1, :, :1, :1]).all()
    assert 0 < table.sum() < STEPS - 2 and not table[0] and not table[-1]
    never = generate(reference_of(integer, replace(method, threshold=0.0)), dit, Y, NOISE)[1]
    assert never.decisions.computed.all()
    mean = rehearsed(
        MeanRule(parse_method("codes:threshold=0.4:schedule=1"), integer, 4), integer, dense_inputs(integer, 4)
    )
    assert torch.equal(~table, mean[:, 0, 0]) and torch.equal(mean, mean[:, :1, :1].expand_as(mean))


def test_a_rehearsal_knows_what_a_run_computes(dit, integer):
    method = parse_method("codes")
    threshold = threshold_for(method, integer, 2.0, 6)
    found = replace(method, threshold=threshold)
    assert reduction(found, integer, 6) >= 2.0 > reduction(replace(method, threshold=threshold * 0.98), integer, 6)
    noise = make_noise(SMALL, 6, seed=9)
    _, record = generate(reference_of(integer, found), dit, torch.arange(6) % SMALL.num_classes, noise)
    assert record.mac_reduction(integer) == pytest.approx(2.0, rel=0.08)


@pytest.mark.parametrize("text", ["codes", "l1", "levels", "pooled:tokens=2:channels=2", "sketch"])
def test_signatures_see_equalized_channels(made_up, text):
    """A channel of a quarter of the range, in a quarter of the step, leaves the same signature."""
    act = torch.randn(1, 2, T, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * RMS
    method = parse_method(text)
    whole = method.signature(Sight(0, 0, act, None), made_up)
    made_up.act_share[:, 0] = 0.25
    small = act.clone()
    small[..., 0] *= 0.25
    assert torch.equal(method.signature(Sight(0, 0, small, None), made_up), whole)
    assert not torch.equal(method.signature(Sight(0, 0, act, None), made_up), whole)


@pytest.mark.parametrize(
    "threshold, short", [(0.17693051, 0.177), (0.1769, 0.1769), (0.99991, 1.0), (0.000123401, 0.0001235)]
)
def test_a_threshold_is_rounded_up(threshold, short):
    """Also just above four digits that begin with a one, where a unit of the last is half a thousandth."""
    assert rounded_up(threshold) == short


def test_a_parabola_is_forecast_exactly():
    """Branches t * t at t = 1, 3, 6 (gaps 2 and 3): 2 timesteps on it is 64; with two branches a line, 54."""
    slopes = torch.tensor([2 * 256 // 3 + 1])
    first, second = curved(slopes, torch.tensor([3]), torch.tensor([2]))
    assert float(36 + first * (36 - 9) - second * (9 - 1)) == pytest.approx(64.0, abs=0.3)
    first, second = curved(slopes, torch.tensor([3]), torch.tensor([0]))
    assert float(36 + first * (36 - 9) - second * (9 - 1)) == pytest.approx(54.0, abs=0.1)


def test_second_order_takes_the_branches_of_the_run(dit, integer):
    """A forecast recomputed from the run's own computed branches."""
    method = parse_method("static:threshold=0.1:schedule=1:order=2:images=4:reach=8:scope=timestep")
    reference = reference_of(integer, method)
    assert isinstance(reference, SecondOrderReference)
    branches, reuses = [], []
    genuine = reference._branch

    def watched(a, computed, codes, s, *rest):
        branch = genuine(a, computed, codes, s, *rest)
        if s == 1:
            branches.append(branch.clone())
            reuses.append(not bool(computed[0, 0]))
        return branch

    reference._branch = watched
    generate(reference, dit, Y, NOISE)
    checked = 0
    for index in (i for i, reuse in enumerate(reuses) if reuse):
        at = [i for i in range(index) if not reuses[i]][-3:]
        if len(at) < 3:
            continue
        oldest, before, latest = (branches[i] for i in at)
        h, earlier, k = at[2] - at[1], at[1] - at[0], index - at[2]
        slope, slope_before = (latest - before) / h, (before - oldest) / earlier
        wanted = latest + k * slope + k * (k + h) * (slope - slope_before) / (h + earlier)
        inside = wanted.abs() < 120
        assert (branches[index] - wanted)[inside].abs().max() < 2.5
        checked += 1
    assert checked > 1


def test_weights_follow_the_prediction(dit, integer):
    """Of mean 1; the gradient is that of a direct perturbation of the first stream."""
    weights = channel_weights(integer, 0, 1.0)
    assert weights.shape == (SMALL.hidden_size,) and float(weights.mean()) == pytest.approx(1.0)
    assert torch.allclose(channel_weights(integer, 0, 2.0), weights**2 / (weights**2).mean())
    image, t, y = make_noise(SMALL, 1, 3), torch.tensor([500]), torch.tensor([1])
    squares = gradients(dit, image, t, y, seed=7)
    assert squares.shape == (2 * SMALL.depth, SMALL.hidden_size) and bool((squares > 0).all())
    c, tokens = dit.conditioning(t, y), dit.embed(image).requires_grad_()
    modulation = dit.block_modulation(c)
    prediction = dit.final(dit.run_blocks(tokens, modulation), c)
    probe = torch.randn(prediction.shape, generator=torch.Generator().manual_seed(7))
    (slope,) = torch.autograd.grad((prediction * probe).sum(), tokens)
    spread = tokens.detach().std(-1, keepdim=True, unbiased=False)
    wanted = (slope * spread / (1.0 + modulation[:, 0, 1])).square().mean((0, 1))
    assert torch.allclose(squares[0].float(), wanted, rtol=1e-3)


def test_texts():
    for name in DETECTORS:
        method = parse_method(name)
        assert parse_method(method.text) == method
        assert method.cost(T * D).operations >= 0


@pytest.mark.parametrize(
    "text, words",
    [
        ("codes:bits=5", "bits is '5': give a whole number from 2 to 4"),
        ("codes:order=3", "order is '3': give a whole number from 1 to 2"),
        ("codes:schedule=1/x", "schedule is '1/x': give knots such as"),
        ("codes:schedule=1/-1", "schedule is '1/-1': give knots .* each a number from 0 to 65536"),
        ("codes:shared=yes", "shared is 'yes': give True or False"),
        ("l1:threshold=2", "threshold is '2': give a number from 0 to 1"),
    ],
)
def test_bad_texts(text, words):
    with pytest.raises(UserError, match=words):
        parse_method(text)
