"""Texts of a model that spells: what its labels number, and that its weights are the same whatever it draws."""

import pytest
import torch

import radit
from radit.model.dit.checkpoint import load_model, save_checkpoint
from radit.model.dit.config import CHOSEN_TEXTS, NAMED_MODELS
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.seeded import seeded_dit
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate, calibration_digest, model_digest
from radit.model.integer.quantize import quantize
from radit.model.policy.policy_file import Achieved, StoredPolicy
from radit.model.policy.skip_policy import forecast
from radit.model.policy.skip_policy import radit as radit_policy
from radit.model.text.characters import chosen_texts, spelled

SMALL = NAMED_MODELS["prompted-digits"].model_copy(
    update={"patch_size": 4, "hidden_size": 16, "depth": 2, "num_heads": 2}
)
STEPS = 3


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("texts") / "small.safetensors"
    save_checkpoint(file, seeded_dit(SMALL))
    return file


def test_texts_are_spelled_with_an_end_mark():
    found = spelled(["2026", "7"], "0123456789", 5)
    assert found.embeddings.tolist() == [[2, 0, 2, 6, 10], [7, 10, 0, 0, 0], [10, 0, 0, 0, 0]]
    assert found.counts.tolist() == [5, 2, 1] and found.has_null and found.names == ("2026", "7")
    texts = chosen_texts("0123456789", 4, 8)
    assert [len(text) for text in texts] == [4, 3, 2, 1] * 2 and texts == chosen_texts("0123456789", 4, 9)[:8]


@pytest.mark.parametrize(("prompt", "sentence"), [("20261", "of 5 characters: give up to 4"), ("2x", "with 'x': give")])
def test_other_texts_are_refused(path, prompt, sentence):
    with pytest.raises(UserError, match=sentence):
        load_model(path, prompt=prompt)
    with pytest.raises(UserError, match=sentence):
        radit.load_model(path, prompt=prompt)
    with pytest.raises(UserError, match="the model has no text: give labels, or a model with text"):
        radit.load_model("digits", prompt=prompt)


def test_what_is_kept_of_a_model_fits_whatever_it_draws(path):
    """Ranges are those of its own texts, a stored policy is for all; images and the records of a run are not."""
    own, other = load_model(path), load_model(path, prompt="2026,,40")
    assert (own.config.num_classes, other.config.num_classes) == (CHOSEN_TEXTS, 3)
    assert model_digest(own) == model_digest(other)
    way = Sampler(STEPS)
    assert calibration_digest(own, way, 1.5, 2, 0.1, 0) == calibration_digest(other, way, 1.5, 2, 0.1, 0)
    integers = [quantize(dit, calibrate(dit, way, images=2), way) for dit in (own, other)]
    assert integers[0].quantization_digest() == integers[1].quantization_digest()
    assert integers[0].digest() != integers[1].digest()
    one = Achieved(mac_reduction=1.0, mse=0.0)
    stored = StoredPolicy(
        model="small", weights=model_digest(own), integer_model=integers[0].quantization_digest(), steps=STEPS, cfg=1.5,
        images=2, seed=1000, target="speedup=2", policy=forecast(), radit=radit_policy(), achieved=one,
        radit_achieved=one,
    )  # fmt: skip
    for integer in integers:
        stored.check(path, integer)
    wider = quantize(own, calibrate(own, way, images=3), way)
    with pytest.raises(UserError, match="another model or another quantization"):
        stored.check(path, wider)


def test_a_program_draws_a_text(path):
    model = radit.load_model(path, prompt="2026")
    assert model.prompt == "2026" and model.config.num_classes == 1
    found = radit.generate(radit.quantize(model, steps=STEPS), "dense", images=2)
    own = load_model(path)
    prompts = own.prompts
    assert prompts is not None and "2026" not in prompts.names[:1]
    noise = make_noise(own.config, 2, 0)
    floats = [
        sample(dit, noise, torch.zeros(2, dtype=torch.int64), Sampler(STEPS), 1.5)
        for dit in (load_model(path, prompt="2026"), own)
    ]
    images = torch.from_numpy(found.images)
    near, far = ((images - each).square().mean() for each in floats)
    assert near < far
