"""Published policies: each rule against a direct computation, switched off they are dense, no reuse before a write."""

from __future__ import annotations

import pytest
import torch

from radit.model.baselines.base import Method, Rule
from radit.model.baselines.smoothcache import branch_errors, calibration_branches, reuse_table
from radit.model.comparison.catalogue import METHODS, parse_method
from radit.model.comparison.compared_reference import MethodReference
from radit.model.comparison.running import reference_of
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.formats import ACT_FRAC
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import Host, generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.ops.reuse import reuse as stand_in
from radit.model.policy.skip_policy import dense

STEPS, IMAGES = 12, 3
TEA = 0.08  # a threshold that is crossed more than once
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)
OFF = "fora:interval=1 taylorseer:interval=1 smoothcache:alpha=0 fbcache:threshold=0 teacache:threshold=0".split()
OFF += "dbcache:threshold=0 dbprune:threshold=0 bwcache:threshold=0 magcache:threshold=0".split()
OFF += ["fbcache:threshold=0:residual=False", "teacache:threshold=0:residual=False"]
EAGER = "fora:interval=99 taylorseer:interval=99:warm_up=1 smoothcache:alpha=99:ahead=99 fbcache:threshold=99".split()
EAGER += "teacache:threshold=99 dbcache:threshold=99:warm_up=0 dbprune:threshold=99:warm_up=0".split()
EAGER += ["bwcache:threshold=99", "magcache:threshold=99:retention=0"]
EAGER += ["fbcache:threshold=99:residual=False", "teacache:threshold=99:residual=False"]
FIRST_REUSE = {"bwcache": 2}  # it compares with a timestep before; the others reuse from timestep 1 on


@pytest.fixture(scope="module")
def dit() -> DiT:
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit: DiT) -> IntegerDiT:
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


@pytest.fixture(scope="module")
def dense_run(dit, integer):
    return generate(Reference(integer, dense().tables(integer)), dit, Y, NOISE)


def watch(dit, integer, text):
    """Everything that a run shows: captures [timestep][sub_block] and the streams that enter the timesteps."""
    reference, captures = reference_of(integer, parse_method(text)), []
    host = Host(dit, integer, Y, NOISE, 1.5, SMALL.tokens)
    reference.start(IMAGES)
    for index in range(STEPS):
        captures.append([])
        x, _ = reference.step(host.enter(), index, host.tables, captures[-1])
        host.leave(x, index)
    return captures


def reused(captures):
    """(steps, S, N) bool; both contexts decide alike."""
    found = ~torch.stack([torch.stack([one.computed for one in step]) for step in captures])
    assert torch.equal(found[..., 0], found[..., 1])
    return found[..., 0]


def real_input(integer, captures, index, s):
    return captures[index][s].act.double() * integer.input_step(index, s) / 2**ACT_FRAC


def change(now, then):
    return float((now - then).abs().sum() / then.abs().sum())


@pytest.mark.parametrize("text", OFF)
def test_switched_off_is_the_dense_image(text, dit, integer, dense_run):
    images, record = generate(reference_of(integer, parse_method(text)), dit, Y, NOISE)
    assert torch.equal(images, dense_run[0]) and record.decisions.computed.all()


@pytest.mark.parametrize("text", EAGER)
def test_nothing_is_reused_before_it_is_written(text, dit, integer):
    _, record = generate(reference_of(integer, parse_method(text)), dit, Y, NOISE)
    first = FIRST_REUSE.get(text.partition(":")[0], 1)
    computed = record.decisions.computed
    assert record.decisions.starts_dense and computed[:, :first].all() and not computed[:, first].all()


def test_an_image_decides_for_itself(dit, integer):
    texts = "fbcache:threshold=0.2 teacache:threshold=0.4 dbcache:threshold=0.2 dbprune:threshold=0.2".split()
    for text in (*texts, "bwcache:threshold=0.15", "magcache:threshold=0.1", "taylorseer", "fbcache:residual=False"):
        reference = reference_of(integer, parse_method(text))
        together, record = generate(reference, dit, Y, NOISE)
        alone, single = generate(reference, dit, Y[1:2], NOISE[1:2])
        assert torch.equal(together[1:2], alone) and record.decisions.image(1) == single.decisions


def test_fora(dit, integer):
    found = reused(watch(dit, integer, "fora:interval=3"))
    assert [index for index in range(STEPS) if not found[index].any()] == [0, 3, 6, 9]
    assert found[1].all()


def test_taylorseer(dit, integer):
    captures = watch(dit, integer, "taylorseer:interval=4:warm_up=3:order=1")
    found = reused(captures)
    assert [index for index in range(STEPS) if not found[index].any()] == [0, 1, 2, 6, 10]
    for index, latest, before in ((3, 2, 1), (5, 2, 1), (9, 6, 2)):
        for s in range(2 * SMALL.depth):
            last, first = (captures[i][s].branch.long() for i in (latest, before))
            wanted = last + (index - latest) * (last - first) / (latest - before)
            assert (captures[index][s].branch - wanted.clamp(-127, 127)).abs().max() <= 1.5
            slope = torch.full((IMAGES, 2), (index - latest) * 256 // (latest - before))
            assert torch.equal(captures[index][s].branch.long(), stand_in(last, first, slope))


def test_smoothcache(dit, integer):
    branches = calibration_branches(integer, 4)
    errors = branch_errors(branches, integer.config.kinds)
    now, later = branches[2, 1::2], branches[5, 1::2]
    direct = [float((a - b).abs().sum() / b.abs().sum()) for a, b in zip(now, later, strict=True)]
    assert float(errors[1, 2, 5]) == pytest.approx(sum(direct) / len(direct), rel=1e-4)
    alpha = float(errors[0, 0, 2]) * 1.0001
    found = reused(watch(dit, integer, f"smoothcache:alpha={alpha}:images=4:ahead=2"))
    table = reuse_table(errors, alpha, 2)
    for index, s in ((i, s) for i in range(STEPS) for s in range(2 * SMALL.depth)):
        assert bool(found[index, s].all()) == bool(found[index, s].any()) == bool(table[s % 2, index])
    assert found[1, 0].all() and found[2, 0].all() and 0 < found.sum() < found.numel()


def test_a_table_of_errors_by_hand():
    """From 0 the end of a row of two is near enough although its middle is not; from 3 only the next; 5 is the last."""
    errors = torch.full((6, 6), 0.9)
    for start, end, error in ((0, 1, 0.5), (0, 2, 0.2), (0, 3, 0.3), (3, 4, 0.1), (4, 5, 0.0)):
        errors[start, end] = error
    table = [reuse_table(errors.unsqueeze(0), 0.2, ahead)[0].tolist() for ahead in (1, 2, 3)]
    assert table == [[False] * 4 + [True, False], *[[False, True, True, False, True, False]] * 2]
    assert reuse_table(torch.zeros(1, 6, 6), 0.0, 3)[0].tolist() == [False, True, True, True, False, False]


def test_a_rule_that_always_reuses_waits_for_the_first_write(dit, integer):
    class Always(Method):
        name = "always"

        def rule(self, integer, images):
            rule = Rule(images)
            rule.decide = lambda s, index: rule.every(True)
            return rule

    _, record = generate(MethodReference(integer, Always()), dit, Y, NOISE)
    assert record.decisions.starts_dense and not record.decisions.computed[:, 1:].any()


def test_a_rule_sees_real_units(dit, integer, monkeypatch):
    seen = {}
    monkeypatch.setattr(Rule, "observe", lambda self, sight: seen.update({(sight.index, sight.s): sight}))
    captures = watch(dit, integer, "fora:interval=2")
    assert len(seen) == STEPS * 2 * SMALL.depth
    for (index, s), sight in seen.items():
        assert torch.equal(sight.act, real_input(integer, captures, index, s))
        if s:
            moved = captures[index][s].x.double() - captures[index][0].x.double()
            assert sight.moved is not None and torch.equal(sight.moved, moved)


@pytest.mark.parametrize("threshold", [TEA, 99.0])
def test_teacache(threshold, dit, integer):
    captures = watch(dit, integer, f"teacache:threshold={threshold}")
    found = reused(captures)
    for image in range(IMAGES):
        path = 0.0
        for index in range(1, STEPS):
            now, then = (real_input(integer, captures, i, 0)[image] for i in (index, index - 1))
            path += change(now, then)
            skip = path < threshold and index != STEPS - 1
            assert bool(found[index, 0, image]) == skip, (image, index)
            path = path if skip else 0.0
    assert not found[-1].any() and 0 < found.sum() and torch.equal(found.all(1), found.any(1))
    computed = (~found[1:-1, 0]).sum(0)
    assert bool((computed >= 2).all()) == (threshold == TEA), "this threshold tests no reset"


def test_fbcache(dit, integer):
    captures = watch(dit, integer, "fbcache:threshold=0.2")
    found = reused(captures)
    added = [step[2].x.double() - step[0].x.double() for step in captures]
    for image in range(IMAGES):
        kept = added[0][image]
        for index in range(1, STEPS):
            skip = change(added[index][image], kept) < 0.2
            assert bool(found[index, 2, image]) == skip, (image, index)
            kept = kept if skip else added[index][image]
    assert not found[:, :2].any() and found[:, 2:].any() and not found[1:, 2:].all()
    assert torch.equal(found[:, 2:].all(1), found[:, 2:].any(1))


def test_texts_and_hashes():
    for name in METHODS:
        method = parse_method(name)
        assert parse_method(method.text) == method and method.text.startswith(name)
    digests = {parse_method(text).digest() for text in [*OFF, *EAGER]}
    assert len(digests) == len(OFF) + len(EAGER)


@pytest.mark.parametrize(
    "text, words",
    [
        ("deltadit", "'deltadit': choose fora"),
        ("fora:n=3", "'n=3': give one of interval"),
        ("fora:interval=2.5", "'2.5': give a whole number"),
        ("fora:interval=0", "interval is '0': give a whole number from 1 to 1000"),
        ("teacache:threshold=-1", "threshold is '-1': give a number from 0 to 1000"),
    ],
)
def test_bad_texts(text, words):
    with pytest.raises(UserError, match=words):
        parse_method(text)
