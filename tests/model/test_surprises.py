"""Surprise: the distance to the input that a line through the last two computed ones lets expect."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from radit.model.baselines.base import Sight
from radit.model.comparison.catalogue import parse_method
from radit.model.comparison.running import reference_of
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from tests.model.test_detectors import RMS, D, T, flat, made_up  # noqa: F401  a fixture

STEPS, IMAGES = 12, 3
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)


@pytest.fixture(scope="module")
def dit():
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit):
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


def played(text: str, integer, inputs: list[torch.Tensor], computed: set[int]) -> list[float]:
    """Distances of the first context, timestep by timestep, under made-up decisions."""
    rule, seen, past = parse_method(text).rule(integer, 1), [], []
    for index, act in enumerate(inputs):
        sight, where = Sight(0, index, act, None), torch.full(act.shape[:2], index in computed)
        seen.append(float(rule.distance(sight)[0, 0]))
        if index in computed:
            rule.computed(sight, where)
            past.append(index)
        gap = past[-1] - past[-2] if len(past) > 1 else 0
        rule.state[0] = SimpleNamespace(
            streak=torch.full(where.shape, index - past[-1]), gap=torch.full(where.shape, gap)
        )
    return seen


def changed(*counts: int) -> list[torch.Tensor]:
    """Inputs (1, 1, T, D) in which so many channels left their first level, for the negative one, so far."""
    found = []
    for count in counts:
        act = flat(RMS)
        act[..., :count] = -RMS
        found.append(act)
    return found


def test_counts_that_grow_evenly_do_not_surprise(made_up):  # noqa: F811
    """2 of 8 channels changed between the computed timesteps 0 and 2: 1 more per timestep is expected after them."""
    inputs = changed(0, 1, 2, 3, 4, 7)
    seen = played("surprise:threshold=1", made_up, inputs, {0, 2})
    assert seen[3:] == [0.0, 0.0, pytest.approx(2.0 / D)]
    assert seen[1:3] == [1.0 / D, 2.0 / D]  # with one computed input the expected one is the same


@pytest.mark.parametrize("form, unit", [("l1", 1.0 / RMS), ("levels", 4.0)])
def test_a_line_does_not_surprise(form, unit, made_up):  # noqa: F811
    """Inputs on a line through the last two computed ones; then one that stays behind, by a step of the line."""
    levels = {"l1": (0.0, 0.5, 1.0, 1.5, 2.0, 1.5), "levels": (-1.0, 0.1, 1.0, 4.0, 4.0, 4.0)}[form]
    inputs = [flat(level * (1.0 if form == "l1" else RMS)) for level in levels]
    seen = played(f"surprise:form={form}:threshold=1", made_up, inputs, {0, 2})
    if form == "l1":
        assert seen[1:] == pytest.approx([0.5 * unit, unit, 0.0, 0.0, unit])
    else:  # from level -4 by way of 0 to 4: 8, 12 and 16 are expected, 7 is the last level
        assert seen[1:] == pytest.approx([unit, 2 * unit, 1.0, 5.0, 9.0])


def test_a_surprise_is_computed(dit, integer):
    """The smaller the threshold, the more is computed; 0 computes everything, bit for bit as a dense run."""
    shares = []
    for threshold in (0.0, 0.1, 0.9):
        method = parse_method(f"surprise:threshold={threshold}")
        images, record = generate(reference_of(integer, method), dit, Y, NOISE)
        shares.append(record.decisions.reused_share)
        if threshold == 0.0:
            wanted, _ = generate(reference_of(integer, parse_method("fora:interval=1")), dit, Y, NOISE)
            assert torch.equal(images, wanted)
    assert shares[0] == 0.0 < shares[1] < shares[2]


@pytest.mark.parametrize("text", ["surprise:threshold=0.3", "surprise:form=l1:threshold=0.2:slope=codes:null=2"])
def test_an_image_decides_for_itself(text, dit, integer):
    together, record = generate(reference_of(integer, parse_method(text)), dit, Y, NOISE)
    alone, single = generate(reference_of(integer, parse_method(text)), dit, Y[1:2], NOISE[1:2])
    assert torch.equal(together[1:2], alone) and record.decisions.image(1) == single.decisions


def test_costs():
    """One number more than the codes; two signatures in place of one."""
    counts, levels = (parse_method(f"surprise:form={form}").cost(T * D) for form in ("count", "levels"))
    assert counts == parse_method("codes").cost(T * D)
    assert levels.stored_bits == 2 * parse_method("levels").cost(T * D).stored_bits


def test_bad_texts():
    with pytest.raises(UserError, match="form is 'sum': give count, levels, l1"):
        parse_method("surprise:form=sum")
