"""Forecasts of whole timesteps: slopes that follow the input, fitted ones, and contexts by their difference."""

from __future__ import annotations

import pytest
import torch

from radit.model.comparison.catalogue import parse_method
from radit.model.comparison.forecasts import ForecastReference, ratio_of
from radit.model.comparison.running import reference_of
from radit.model.detectors.dense_streams import fitted_slopes, grams_of
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize

STEPS, IMAGES = 8, 3
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)
PLAN = "planned:share=0.69:slope=time"


@pytest.fixture(scope="module")
def dit():
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit):
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


def test_ratios():
    """6 codes changed after 4: 1.5, which is 384 / 256; bounds are half and one and a half of k / gap."""
    change, before = torch.tensor([6.0, 1.0, 90.0, 6.0]), torch.tensor([4.0, 4.0, 4.0, 0.0])
    assert ratio_of(change, before, torch.full((4,), 300)).tolist() == [384, 150, 450, 300]


def streams_of(text: str, dit, integer, contexts: int = 2, y=Y, noise=NOISE):
    """Streams (steps, N, contexts, T, D) at the end of every timestep, images and record of a run."""
    reference, seen = reference_of(integer, parse_method(text)), []
    genuine = reference._settle

    def watched(x, computed, index, tally):
        seen.append(genuine(x, computed, index, tally))
        return seen[-1]

    reference._settle = watched
    images, record = generate(reference, dit, y, noise, cfg=1.5 if contexts == 2 else 1.0)
    return torch.stack(seen), images, record.decisions.computed[:, :, 0], reference


def test_the_null_class_follows_the_label_by_their_difference(dit, integer):
    """Every reused stream is recomputed from the computed ones of the run."""
    streams, _, computed, reference = streams_of(f"{PLAN}:reach=8", dit, integer)
    assert isinstance(reference, ForecastReference)
    apart, checked = streams[:, :, 1] - streams[:, :, 0], {True: 0, False: 0}
    for index in range(STEPS):
        label, null = computed[0, index]
        assert label or not null
        past = [i for i in range(index) if computed[0, i, 1]][-2:]
        if null or len(past) < 2:
            continue
        before, latest = (apart[i] for i in past)
        k, gap = index - past[1], past[1] - past[0]
        wanted = streams[index, :, 0] + latest + k / gap * (latest - before)
        assert (streams[index, :, 1] - wanted).abs().max() < 2.0 + (latest - before).abs().max() * 2**-7
        checked[bool(label)] += 1
    assert min(checked.values()) > 0


def test_without_reuse_nothing_changes(dit, integer):
    dense, _ = generate(reference_of(integer, parse_method("fora:interval=1")), dit, Y, NOISE)
    for extra in ("difference=True", "slope=codes", "slope=fitted:difference=True", "slope=l1"):
        images, _ = generate(reference_of(integer, parse_method(f"codes:threshold=0:{extra}")), dit, Y, NOISE)
        assert torch.equal(images, dense)


def test_without_guidance_there_is_no_difference(dit, integer):
    with_it, without = (
        streams_of(f"codes:threshold=0.5:difference={value}", dit, integer, contexts=1)[1] for value in (True, False)
    )
    assert torch.equal(with_it, without)


@pytest.mark.parametrize("slope", ["codes", "l1"])
def test_slopes_follow_the_input(slope, dit, integer):
    """Within half and one and a half of the timesteps' ratio, not all at it, and the forecast is made with them."""
    text = f"static:threshold=0.2:schedule=1:images=4:reach=8:slope={slope}"
    reference, seen = reference_of(integer, parse_method(text)), []
    genuine = reference._slopes

    def watched(s, index, computed):
        found, state = genuine(s, index, computed), reference.state[s]
        usual = 256 * state.streak / state.gap.clamp(min=1) * (state.gap > 0) * ~computed
        seen.extend(zip(found.flatten().tolist(), usual.flatten().tolist(), strict=True))
        return found

    reference._slopes = watched
    generate(reference, dit, Y, NOISE)
    forecasts = [(found, usual) for found, usual in seen if usual]
    assert len(forecasts) > 10 and any(abs(found - usual) > 8 for found, usual in forecasts)
    assert all(0.5 * usual - 2 <= found <= 1.5 * usual + 2 for found, usual in forecasts)
    assert all(found == 0 for found, usual in seen if not usual)


def test_fitted_slopes_are_the_table_s(dit, integer):
    reference = reference_of(integer, parse_method("planned:share=0.69:reach=8:slope=fitted"))
    reference.start(1, 2)
    reference.state[0].streak[:], reference.state[0].gap[:] = 2, 3
    found = reference._slopes(0, 6, torch.zeros(1, 2, dtype=torch.bool))
    grams = grams_of(integer, 1.5)
    wanted = [int(fitted_slopes(each)[6, 2, 3]) for each in (grams.label, grams.difference)]
    assert found[0].tolist() == [min(each, 2047) for each in wanted]


@pytest.mark.parametrize("text", [f"{PLAN}:threshold=0.1", "codes:threshold=0.5:slope=codes:null=3"])
def test_an_image_does_not_depend_on_its_batch(text, dit, integer):
    together, record = generate(reference_of(integer, parse_method(text)), dit, Y, NOISE)
    alone, single = generate(reference_of(integer, parse_method(text)), dit, Y[2:], NOISE[2:])
    assert torch.equal(together[2:], alone) and record.decisions.image(2) == single.decisions


def test_the_label_is_computed_with_the_null_class(dit, integer):
    """Though its own threshold, a hundred times as high, would let it be reused."""
    texts = [f"codes:threshold=0.9:schedule=1:null=0.1{extra}" for extra in ("", ":difference=True")]
    apart, joined = (generate(reference_of(integer, parse_method(text)), dit, Y, NOISE)[1] for text in texts)
    for record, never in ((apart, False), (joined, True)):
        computed = record.decisions.computed[:, :, 0]
        assert bool((computed[..., 1] > computed[..., 0]).any()) is not never


def test_what_is_kept_of_an_input():
    """Codes, or int8 values, where a slope is measured; a detector that keeps codes keeps them once."""
    texts = ("planned", "planned:slope=codes", "planned:slope=l1", "codes:slope=codes", "codes:slope=l1")
    assert [parse_method(text).kept_bits(64) for text in texts] == [0, 4, 8, 4, 8]
    assert [parse_method(text).watched(4) for text in texts[:2]] == [(), (0,)]


@pytest.mark.parametrize("blocks, always", [(1, (0, 1)), (-1, (2, 3)), (0, ())])
def test_blocks_that_are_always_computed(blocks, always, dit, integer):
    text = f"codes:threshold=0.9:schedule=1:scope=timestep:blocks={blocks}"
    method = parse_method(text)
    _, record = generate(reference_of(integer, method), dit, Y, NOISE)
    computed = record.decisions.computed
    others = [s for s in range(2 * SMALL.depth) if s not in always]
    assert computed[:, :, list(always)].all() and 0.1 < computed[:, :, others].mean() < 0.9
    assert (computed[:, :, others] == computed[:, :, others[:1]]).all()
    assert method.watched(2 * SMALL.depth) == (2 * max(blocks, 0),)


@pytest.mark.parametrize(
    "text, words",
    [
        ("codes:difference=True:scope=timestep", "difference True with scope timestep and order 1: give scope stream"),
        ("codes:slope=codes:order=2", "slope codes with scope stream and order 2: give scope stream and order 1"),
        ("codes:blocks=1", "blocks 1 with scope stream and order 1: give scope timestep"),
        ("codes:slope=best", "slope is 'best': give time, codes, l1, fitted"),
        ("codes:null=0", "null is '0': give a number from 0.1 to 100"),
    ],
)
def test_bad_texts(text, words):
    with pytest.raises(UserError, match=words):
        parse_method(text)


def test_too_many_blocks(integer):
    with pytest.raises(UserError, match="has blocks -2: give a number nearer to 0 than the model's 2"):
        reference_of(integer, parse_method("codes:scope=timestep:blocks=-2")).start(1)
