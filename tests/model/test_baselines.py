"""Published policies that reuse residuals or forecast from many results: decisions and streams by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from radit.model.baselines.anchor import Anchor
from radit.model.baselines.base import Sight
from radit.model.baselines.magcache import magnitude_ratios, reuse_plan
from radit.model.comparison.catalogue import parse_method
from radit.model.comparison.compared_reference import MethodReference
from radit.model.comparison.residual import ResidualReference
from radit.model.comparison.running import reference_of
from radit.model.comparison.taylor import TaylorReference, factors
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.exact_float64 import Tally
from radit.model.integer.generate import Host, generate
from radit.model.integer.quantize import quantize

STEPS, IMAGES = 12, 2
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)
SUBS = 2 * SMALL.depth


@pytest.fixture(scope="module")
def dit():
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit):
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


def run(dit, integer, text):
    """Streams in front of every sub-block and behind the last (steps, S + 1, N, ..), and computed (steps, S, N)."""
    reference = reference_of(integer, parse_method(text))
    host, streams, computed = Host(dit, integer, Y, NOISE, 1.5, SMALL.tokens), [], []
    reference.start(IMAGES)
    for index in range(STEPS):
        captures = []
        x, _ = reference.step(host.enter(), index, host.tables, captures)
        host.leave(x, index)
        streams.append(torch.stack([*(one.x.double() for one in captures), x]))
        computed.append(torch.stack([one.computed for one in captures]))
    return torch.stack(streams), torch.stack(computed)


@pytest.mark.parametrize(
    "text",
    ["teacache:threshold=0.08", "fbcache:threshold=0.2", "dbcache:threshold=0.2", "dbprune:threshold=0.2", "magcache"],
)
def test_a_reused_span_adds_what_it_last_added(text, dit, integer):
    streams, computed = run(dit, integer, text)
    reuses = 0
    for span in parse_method(text).spans(SUBS):
        for image, context in ((i, c) for i in range(IMAGES) for c in (0, 1)):
            last = None
            for index in range(STEPS):
                into, behind = (streams[index, s, image, context] for s in (span.start, span.stop))
                there = computed[index, span, image, context]
                assert there.all() == there.any(), "one decision"
                if there.all():
                    last = behind - into
                else:
                    assert last is not None and torch.equal(behind, into + last)
                    reuses += 1
    assert reuses > 0 and parse_method(text).spans(SUBS)


def test_bwcache_takes_the_stream_itself(dit, integer):
    streams, computed = run(dit, integer, "bwcache:threshold=0.3")
    reused = [index for index in range(STEPS) if not computed[index].any()]
    assert reused
    for index in reused:
        before = max(i for i in range(index) if i not in reused)
        assert torch.equal(streams[index, -1], streams[before, -1])
        assert not torch.equal(streams[index, 0], streams[before, 0])


def test_per_branch_reuse_is_another_result(dit, integer):
    for name in ("teacache:threshold=0.08", "fbcache:threshold=0.2"):
        one, other = (reference_of(integer, parse_method(f"{name}:residual={residual}")) for residual in (True, False))
        assert isinstance(one, ResidualReference) and type(other) is MethodReference
        assert not torch.equal(*(generate(each, dit, Y, NOISE)[0] for each in (one, other)))


def test_a_residual_saturates(integer):
    """Both the residual and the sum are clamped to 16 bits, and counted."""
    reference = reference_of(integer, parse_method("teacache"))
    reference.start(1, contexts=1)
    shape = (1, 1, SMALL.tokens, SMALL.hidden_size)
    low, high, tally = torch.full(shape, -30000.0), torch.full(shape, 30000.0), Tally()
    span = range(SUBS)
    reference._head, reference._computed = low, torch.tensor([[True]])
    assert torch.equal(reference._bridged(span, high.clone(), tally), high)
    reference._head, reference._computed = high, torch.tensor([[False]])
    assert (reference._bridged(span, high.clone(), tally) == 32767).all()
    assert tally.saturated["residual"] == 2 * high.numel()


def test_an_anchor_by_hand():
    """Changes of 10, 30 and 10 % from the last computation; 0 and 1 warm up; two in a row at most."""
    values = [100.0, 100.0, 110.0, 130.0, 143.0, 142.0, 141.0, 130.0]
    anchor = Anchor(1, threshold=0.2, warm_up=2, longest=2)
    found = [bool(anchor.near(torch.full((1, 4), value), index)) for index, value in enumerate(values)]
    # 110 of 100 | 130 of 100 computes | 143, 142 of 130 | the third in a row computes | 130 of 141
    assert found == [False, False, True, False, True, True, False, True]
    plain = Anchor(1, threshold=0.2)
    assert [bool(plain.near(torch.full((1, 4), v), i)) for i, v in enumerate((100.0, 120.0, 119.0))] == [
        False, False, True,
    ]  # fmt: skip


def test_first_blocks_decide_for_the_middle(integer):
    """What two blocks add, seen in front of sub-block 2; those at the ends are always computed."""
    rule = parse_method("dbcache:threshold=0.2:warm_up=0").rule(integer, 2)
    decided = []
    for index, moved in enumerate((100.0, 110.0, 130.0)):
        both = torch.stack([torch.full((1, 2, 3), moved), torch.full((1, 2, 3), 7.0)])
        for s in range(SUBS):
            rule.observe(Sight(s, index, torch.zeros(2, 1, 2, 3), both))
        decided.append([rule.decide(s, index).tolist() for s in range(SUBS)])
    assert decided[0] == [[False] * 2] * 4 and decided[1] == [[False] * 2] * 2 + [[True] * 2] * 2
    assert decided[2][2:] == [[False, True]] * 2
    assert parse_method("dbcache:first=2:last=1").spans(12) == (range(4, 10),)
    assert parse_method("dbprune:first=2:last=1").spans(12) == (range(4, 6), range(6, 8), range(8, 10))


def test_each_block_decides_by_the_stream_that_enters_it(integer):
    rule = parse_method("dbprune:threshold=0.2:warm_up=0").rule(integer, 1)
    decided = []
    for index, entering in enumerate((100.0, 110.0, 130.0, 129.0)):
        rule.passed(0, index, torch.full((1, 1, 2, 3), 1.0 + index))  # within block 0: no matter
        rule.passed(1, index, torch.full((1, 1, 2, 3), entering))
        decided.append([bool(rule.decide(s, index)) for s in range(SUBS)])
    assert [one[2] for one in decided] == [one[3] for one in decided] == [False, True, False, True]
    assert not any(any(one[:2]) for one in decided)


@pytest.mark.parametrize("name", ["dbcache", "dbprune"])
def test_blocks_at_the_ends_must_leave_some(name, integer):
    with pytest.raises(UserError, match=f"Policy {name} has first 2 and last 0: give fewer than 2 together"):
        reference_of(integer, parse_method(f"{name}:first=2"))


def test_bwcache_by_hand(integer):
    """Outputs change by 50, 50, 10, .. %: k = 4 timesteps, then reuse R = 1 and compute one, the last 2 computed; an
    image that never settles computes everything."""
    method = parse_method("bwcache:threshold=0.2")
    rule, outputs = method.rule(integer, 2), [100.0, 150.0, 225.0, 247.5]
    decided = []
    for index in range(STEPS):
        decided.append(rule.decide(0, index).tolist())
        calm, wild = outputs[min(index, 3)], 2.0**index
        for s in range(SUBS):
            rule.passed(s, index, torch.tensor([calm, wild]).view(2, 1, 1, 1).expand(2, 1, 2, 3).clone())
    assert [one[0] for one in decided] == [False] * 4 + [True, False, True, False, True, False] + [False, False]
    assert not any(one[1] for one in decided)


def test_bwcache_reuses_a_share_of_the_timesteps(dit, integer):
    _, computed = run(dit, integer, "bwcache:threshold=9:share=0.25")  # R = 3, from k = 2 on, the last one computed
    assert [index for index in range(STEPS) if computed[index].all()] == [0, 1, 5, 9, 11]


def test_magcache_by_hand():
    """Ratios of 0.9: errors .1, then .1 + .19; K = 2; the second context is steadier and is stopped by K alone."""
    ratios = torch.tensor([[1.0, 1.0]] + [[0.9, 0.999]] * 7)
    plan = reuse_plan(ratios, threshold=0.25, longest=2, retention=0.25)
    assert plan[:, 0].tolist() == [False, False, True, False, True, False, True, False]
    assert plan[:, 1].tolist() == [False, False, True, True, False, True, True, False]
    assert not reuse_plan(ratios, 0.0, 2, 0.25).any() and not reuse_plan(ratios, 9.0, 2, 0.0)[0].any()


def test_magnitude_ratios_by_hand():
    """Mean over images and tokens of ratios of norms, for each context."""
    residuals = torch.ones(3, 2, 2, 2, 4)
    residuals[1, :, 0] = 2.0
    residuals[1, 0, 1, 0] = 5.0
    residuals[2] = 4.0
    found = magnitude_ratios(residuals).tolist()
    assert found[0] == [1.0, 1.0] and found[1] == pytest.approx([2.0, 2.0])
    assert found[2] == pytest.approx([2.0, (0.8 + 3 * 4) / 4])


def test_a_context_of_its_own_plan(dit, integer):
    """Without guidance there is one context, the first."""
    record = generate(reference_of(integer, parse_method("magcache")), dit, Y, NOISE, cfg=1.0)[1]
    guided = generate(reference_of(integer, parse_method("magcache")), dit, Y, NOISE)[1]
    assert np.array_equal(record.decisions.computed[..., 0], guided.decisions.computed[..., 0])


def differences(values, steps, order):
    """Forecast by the rule's own recursion, from values by timestep, in fractions."""
    kept, before = None, None
    for index, value in sorted(values.items()):
        found = [Fraction(value)]
        for i in range(order if kept else 0):
            if i < len(kept):
                found.append((found[i] - kept[i]) / (index - before))
        kept, before = found, index
    factorial = (1, 1, 2, 6, 24)
    return sum(part * Fraction(steps) ** i / factorial[i] for i, part in enumerate(kept))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_factors_are_the_published_recursion(order):
    rng = np.random.default_rng(order)
    for steps in (1, 3):
        at = [0, 1, 5, 9, 13][-order - 1 :]
        values = dict(zip(at, rng.integers(-127, 128, len(at)).tolist(), strict=True))
        latest = [values[i] for i in at[::-1]]
        gaps = tuple(late - early for early, late in zip(at, at[1:], strict=False))[::-1]
        found = latest[0] + sum(c * (a - b) for c, a, b in zip(factors(steps, gaps), latest, latest[1:], strict=False))
        assert (
            abs(found - differences(values, steps, order))
            <= sum(abs(a - b) for a, b in zip(latest, latest[1:], strict=False)) / 256
        )


def test_factors_by_hand():
    """Gaps 3 and 1, one timestep on: d1 = (F - F') / 3, d2 = (d1 - (F' - F'')) / 3; F + d1 + d2 / 2."""
    assert factors(1, (3, 1)) == (int(256 * (1 / 3 + 1 / 18)) / 256, -43 / 256)
    assert factors(3, (3,)) == (1.0,) and factors(2, ()) == ()


def test_taylorseer_of_order_four(dit, integer):
    """Forecasts recomputed from the run's own branches, with as many differences as there are; the first result of a
    warm-up of three does not count."""
    method = parse_method("taylorseer:interval=2:warm_up=3")
    reference = reference_of(integer, method)
    assert isinstance(reference, TaylorReference)
    branches, genuine = [], reference._branch

    def watched(a, computed, codes, s, *rest):
        branch = genuine(a, computed, codes, s, *rest)
        branches.extend([branch.clone()] if s == 1 else [])
        return branch

    reference._branch = watched
    _, record = generate(reference, dit, Y, NOISE)
    at = [index for index in range(STEPS) if record.decisions.computed[0, index].all()]
    assert at == [0, 1, 2, 4, 6, 8, 10]
    for index, known in ((3, [1, 2]), (5, [1, 2, 4]), (7, [1, 2, 4, 6]), (9, [1, 2, 4, 6, 8]), (11, [2, 4, 6, 8, 10])):
        gaps = tuple(late - early for early, late in zip(known, known[1:], strict=False))[::-1]
        rows = [branches[i] for i in known[::-1]]
        wanted = rows[0] + sum(c * (a - b) for c, a, b in zip(factors(1, gaps), rows, rows[1:], strict=False))
        assert torch.equal(branches[index], (wanted + 0.5).floor().clamp(-127, 127)), index
