"""Skip policies: tables, schedules, encoding rules, guards, and errors."""

from __future__ import annotations

import pytest
import torch

from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.formats import ACT_FRAC, BOUNDARY_BITS, CODE_CUT
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.policy_integers import schedule_curve
from radit.model.policy.skip_policy import dense, parse_policy, radit

STEPS = 8
Y, NOISE = torch.tensor([0, 1, 2]), make_noise(SMALL, 3, seed=5)


@pytest.fixture(scope="module")
def dit() -> DiT:
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit: DiT) -> IntegerDiT:
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


def test_schedules():
    linear = schedule_curve("linear", 2.0, 1.0, 5)
    assert linear.tolist() == [2.0, 1.75, 1.5, 1.25, 1.0]
    cosine = schedule_curve("cosine", 2.0, 1.0, 5)
    assert cosine.tolist() == pytest.approx([2.0, 1.8535534, 1.5, 1.1464466, 1.0])
    assert schedule_curve((0.0, 1.0, 0.0), 1.0, 1.0, 5).tolist() == [0.0, 0.5, 1.0, 0.5, 0.0]
    assert schedule_curve((0.5,), 1.0, 1.0, 3).tolist() == [0.5, 0.5, 0.5]


def test_encoding_rules(integer):
    """Ascending, constant in real units over time up to half a step of Q7.3, none beyond its end."""
    found, last = radit(small=0.75, large=1.75).tables(integer).boundaries, (1 << BOUNDARY_BITS) - 1
    assert found.shape == (STEPS, 2 * SMALL.depth, 7)
    assert bool((found.diff(dim=2) >= 0).all()) and int(found.min()) >= 1 and int(found.max()) <= last
    step = integer.act_scale.unsqueeze(2) / 2 ** (ACT_FRAC - CODE_CUT)
    middle = integer.act_rms.reshape(1, -1, 1) * torch.tensor([0.25, 0.5, 0.75, 1.25, 1.75, 1.75 * 2**0.5, 3.5])
    assert bool(((found * step - middle.minimum(last * step)).abs() <= step / 2 * 1.0001).all())


def test_no_streak_is_the_dense_image(integer, dit):
    """Detection and caching alone change no bit."""
    images, record = generate(Reference(integer, dense().tables(integer)), dit, Y, NOISE)
    other, watched = generate(Reference(integer, radit(0.9, max_streak=0).tables(integer)), dit, Y, NOISE)
    assert torch.equal(images, other)
    assert record.decisions.computed.all() and watched.decisions.computed.all() and not record.counts.any()
    assert watched.counts.any()


@pytest.mark.parametrize("max_streak", [1, 3])
def test_guards(integer, dit, max_streak):
    """Dense first and last timesteps, streaks no longer than allowed."""
    policy = radit(
        1.0, schedule="linear", start=2.0, end=2.0, max_streak=max_streak, streak_step=0.0, loose=1.9, tight=1.9
    )
    _, record = generate(Reference(integer, policy.tables(integer)), dit, Y, NOISE)
    computed = record.decisions.computed
    assert computed[:, :2].all() and computed[:, -1:].all()
    assert not computed[:, 2 : 2 + max_streak].any() and computed[:, 2 + max_streak].all()


def test_reuse_before_the_first_write_is_impossible(integer, dit):
    """Even where no timestep is forced."""
    tables = radit(1.0, schedule="linear", start=1.0, end=1.0, max_streak=9).tables(integer)
    tables.force.zero_()
    _, record = generate(Reference(integer, tables), dit, Y, NOISE)
    assert record.decisions.starts_dense and record.decisions.reused_share > 0


def test_a_larger_threshold_skips_more(integer, dit):
    runs = [generate(Reference(integer, radit(t).tables(integer)), dit, Y, NOISE)[1] for t in (0.3, 0.6, 1.0)]
    reductions = [record.mac_reduction(integer) for record in runs]
    assert reductions == sorted(reductions) and reductions[-1] > reductions[0] >= 1.0


def test_policies_are_hashable_and_printable():
    assert len({radit(), radit(), dense(), radit(0.3)}) == 3
    assert radit().digest() == radit().digest() != radit(schedule="linear").digest()
    assert "threshold=0.3" in repr(radit(0.3))


@pytest.mark.parametrize(
    "field, value",
    [
        ("threshold", 1.5),
        ("tight", 2.0),
        ("max_streak", 64),
        ("first_dense", 0),
        ("schedule", "square"),
        ("scope", "image"),
    ],
)
def test_bad_fields_are_named(field, value):
    with pytest.raises(UserError, match=field):
        radit(**{field: value})


TEXTS = [
    "dense",
    "radit",
    "radit:threshold=0.3:first_dense=1:last_dense=0",
    "radit:schedule=1.2/0.9/0.6:max_streak=5",
    "radit:schedule=linear:loose=1.5:scope=timestep",
    "forecast:scope=sub-block",
]


@pytest.mark.parametrize("text", TEXTS)
def test_policies_are_read_as_they_are_written(text):
    policy = parse_policy(text)
    assert parse_policy(policy.text) == policy
    assert all(setting in policy.text.split(":") for setting in text.split(":"))


def test_settings_replace_the_defaults_and_nothing_else():
    assert parse_policy("radit") == radit() and parse_policy("dense") == dense()
    assert parse_policy("radit:threshold=0.3:first_dense=1") == radit(0.3, first_dense=1)


@pytest.mark.parametrize(
    "text, words",
    [
        ("none", "'none': choose dense, radit, forecast"),
        ("dense:threshold=0.3", "dense computes everything and has no settings"),
        ("radit:treshold=0.3", "'treshold=0.3': give one of threshold, schedule"),
        ("radit:name=dense", "'name=dense': give one of"),
        ("radit:threshold", "setting is 'threshold': give one of threshold, .* and =VALUE"),
        ("radit:threshold=", "threshold is '': give a number"),
        ("radit:gain=1:gain=1", "gain is given twice: give it once"),
        ("radit:large=1e16", "large is '1e16': give a number from 0.001 to 4096"),
        ("radit:large=0.4", "small and large are 0.4 and 0.4"),
        ("radit:start=inf", "start is 'inf': give a number from 0 to 65536"),
        ("radit:threshold=high", "threshold is 'high': give a number"),
        ("radit:threshold=nan", "threshold is 'nan': give a number from 0 to 1"),
        ("radit:max_streak=2.5", "max_streak is '2.5': give a whole number"),
        ("radit:schedule=square", "schedule is 'square': give linear, cosine or knots"),
        ("radit:schedule=1/nan", "schedule is '1/nan': give linear, cosine or knots .* each a number from 0 to 65536"),
        ("radit:scope=image", "scope is 'image': give sub-block, timestep, stream"),
        ("radit:first_dense=0", "first_dense is '0': give a whole number from 1 to 1000"),
        ("radit:", "'': give one of threshold"),
    ],
)
def test_bad_texts_are_one_sentence(text, words):
    with pytest.raises(UserError, match=words):
        parse_policy(text)


def test_bad_range_limits_are_named():
    with pytest.raises(UserError, match="small and large"):
        radit(small=2.0, large=1.0)
