"""Quality of clips: who judges which model, what is measured, and that digits get exactly what they had."""

import json

import pytest
import torch

from radit.model.dit.checkpoint import load_model, save_checkpoint
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.seeded import seeded_dit
from radit.model.errors import UserError
from radit.model.policy.skip_policy import parse_policy
from radit.model.quality import garment_classifier, judge, quality_run
from radit.model.quality.classifier import train_classifier
from radit.model.quality.clip_classifier import ClipClassifier, FrameClassifier
from radit.model.quality.judge import ClipJudge, DigitJudge, GarmentJudge, PromptedJudge, judge_of
from radit.model.quality.measures import squared_errors
from radit.model.quality.prompted_quality import measure_prompted, spelled_by
from radit.model.quality.quality_run import BEHIND, Settings, run_quality, stored_or_measured, stored_path
from radit.model.quality.quality_schema import ClipMeasures, Quality
from radit.model.quality.video_quality import Judges
from radit.model.source_code import code_digest
from radit.model.training.digits import split_digits
from radit.model.training.moving_digits import moving_digits
from radit.model.training.pictures import Pictures, to_pixels

TINY = DiTConfig(input_size=4, patch_size=2, hidden_size=16, depth=2, num_heads=2, frames=4, num_classes=3)
SHARES = ("accuracy", "accuracy_frames", "same_class", "straight")


class Stub(DigitJudge):
    """Of the tiny model's clips: the mean pixel is all that it sees."""

    shape = TINY.sample_shape
    samples = 4

    def __init__(self, cache):
        assert cache == quality_run.CACHE

    def measure(self, samples, labels):
        assert samples.shape == (4, *self.shape) and labels.tolist() == [0, 1, 2, 0]
        return {"fd": abs(float(samples.mean())), "accuracy": 0.5}


class ClipStub(Stub):
    """The same with what clips have."""

    def measure(self, samples, labels):
        return dict.fromkeys(ClipMeasures.model_fields, 0.5) | super().measure(samples, labels)

    def of_data(self, count, seed):
        assert (count, seed) == (4, 0)
        return dict.fromkeys(("fd", "accuracy", *ClipMeasures.model_fields), 0.25)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A checkpoint file of the tiny model; measured in this process, two clips at a time."""
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, seeded_dit(TINY))
    monkeypatch.setattr(quality_run.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(quality_run, "PIECE", 2 * TINY.frames)
    monkeypatch.setattr(quality_run, "CACHE", tmp_path / "cache")
    return str(path)


def test_clips_of_other_classes_are_refused(tmp_path):
    path = tmp_path / "cats.safetensors"
    cats = NAMED_MODELS["moving-digits"].model_copy(update={"num_classes": 3, "depth": 2})
    save_checkpoint(path, seeded_dit(cats))
    with pytest.raises(UserError, match="with 8 x 1 x 16 x 16 clips of 3 classes: quality .* `radit cosim`"):
        judge_of(str(path))


def test_the_model_chooses_the_judge():
    assert judge_of("digits") is DigitJudge and judge_of("moving-digits") is ClipJudge
    assert (DigitJudge.samples, ClipJudge.samples) == (1000, 512)
    for model in ("dit-s-2", "latte-xl-2"):
        with pytest.raises(UserError, match="use 'digits', 'prompted-digits', 'fashion', 'moving-digits' or a file"):
            judge_of(model)
    assert Settings("digits").samples == DigitJudge.samples


def test_code_of_clips_is_hashed_for_clips_alone():
    digits, clips = (code_digest(*BEHIND, *judge.modules) for judge in (DigitJudge, ClipJudge))
    assert clips != digits == code_digest(*BEHIND)


def test_quality_of_clips(tiny, monkeypatch):
    monkeypatch.setattr(quality_run, "judge_of", lambda model: ClipStub)
    result = run_quality(model=tiny, samples=None, sampler=Sampler(4), cfg=1.5, seed=0, force=False)
    quality = Quality(**result)
    found = quality.by_policy
    assert quality.samples == 4
    assert list(found) == ["float", "dense", "radit", "forecast", "fewer_steps", "30_of_50", "data"]
    assert quality.data.straight == 0.25
    assert all(found[name].clips and found[name].fd for name in ("data", "float", "dense", "radit", "forecast"))
    assert found["dense"].fd != found["float"].fd and found["dense"].mse_to_dense == 0
    assert found["radit"].mac_reduction >= 1 and parse_policy(found["radit"].text).name == "radit"
    assert (found["fewer_steps"].same_macs_as, found["30_of_50"].steps) == ("forecast", 2)
    assert all(0 < one.to_converged.median < 1 for name, one in found.items() if name != "data")
    assert all(found[name].mse_spread for name in ("radit", "fewer_steps", "forecast", "30_of_50"))
    spread, mean = found["30_of_50"].mse_spread, found["30_of_50"].mse_to_dense
    assert 0 < spread.median < 2 * mean and 0 < spread.standard_error < mean  # of four clips
    assert json.loads(stored_path(tiny).read_text())["result"] == result
    again = stored_or_measured(tiny, Sampler(4), 1.5)
    assert "stored with the checkpoint" in again.pop("origin") and again == result


def test_what_is_stored_of_images_has_no_clip_fields(tiny, monkeypatch):
    monkeypatch.setattr(quality_run, "judge_of", lambda model: Stub)
    result = run_quality(model=tiny, samples=4, sampler=Sampler(2), cfg=1.5, seed=0, force=False)
    shipped = json.loads(stored_path("digits").read_text())["result"]
    assert list(result) == list(shipped)
    names = set(result["by_policy"]) & set(shipped["by_policy"])
    assert names == {"float", "dense", "radit", "fewer_steps"}
    assert all(set(result["by_policy"][name]) == set(shipped["by_policy"][name]) for name in names)


def test_clips_are_measured_beside_the_data(monkeypatch):
    """Untrained classifiers: every measure is there and in its range, and those of motion need no training."""
    monkeypatch.setattr("radit.model.quality.video_quality.REFERENCE_CLIPS", 70)
    torch.manual_seed(0)
    untrained = Judges(FrameClassifier().eval(), ClipClassifier().eval())
    monkeypatch.setattr(judge, "load_or_train_judges", lambda cache: untrained)
    eye = ClipJudge(quality_run.CACHE)
    data = eye.of_data(6, seed=0)
    assert data.keys() == {"fd", "accuracy", *ClipMeasures.model_fields} and all(
        0 <= data[name] <= 1 for name in SHARES
    )
    clips = moving_digits(split_digits()[1], 6, 0)
    assert eye.measure(clips.clips, clips.labels) == data
    shuffled = clips.clips[:, torch.tensor([3, 0, 6, 1, 7, 2, 5, 4])]
    assert eye.measure(shuffled, clips.labels)["departure"] > data["departure"]


def test_garments_are_judged_by_a_classifier_of_their_own(tmp_path, monkeypatch):
    """What it was trained on it knows; the data is as far from itself as nothing is."""
    rng, shapes = torch.Generator().manual_seed(0), 40 * torch.arange(6)
    labels = torch.arange(60) % 6
    images = (shapes[labels][:, None, None, None] + torch.randint(0, 20, (60, 1, 28, 28), generator=rng)).to(
        torch.uint8
    )
    for module in (garment_classifier, judge):
        monkeypatch.setattr(module, "load_fashion", lambda part="train": Pictures(images, labels))
    monkeypatch.setattr(garment_classifier, "BATCH_SIZE", 20)
    monkeypatch.setattr(garment_classifier.train_garment_classifier, "__defaults__", (0, 60))
    found = GarmentJudge(tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == [garment_classifier.GARMENT_FILE]
    same = found.measure(to_pixels(images), labels)
    assert same["accuracy"] > 0.9 and same["fd"] < 1e-3 < found.measure(to_pixels(images).flip(0) ** 2, labels)["fd"]
    data = found.of_data(30, 1)
    assert data["accuracy"] > 0.8 and data["fd"] > same["fd"]


def test_who_judges_what():
    assert judge_of("digits") is DigitJudge and judge_of("fashion") is GarmentJudge
    assert judge_of("moving-digits") is ClipJudge and judge_of("prompted-digits") is PromptedJudge


def test_texts_are_read_digit_by_digit(monkeypatch):
    """A digit in the place of another, one too many and one too few: each costs what it should."""
    monkeypatch.setattr(judge, "load_or_train_classifier", lambda cache: train_classifier())
    eye = PromptedJudge(quality_run.CACHE)
    data = eye.of_data(512, seed=0)
    assert data["accuracy"] > 0.95 and 0.9 < data["complete"] < data["accuracy"] and data["fd"] < 4
    train = split_digits()[0]
    texts = ["2026", "7", "40", "123"]
    images = spelled_by(train, texts, 0)
    known = eye.classifier
    assert measure_prompted(images, texts, known) | {"fd": 0} == {"fd": 0, "accuracy": 1, "complete": 1}
    for other, digits, whole in (
        (["2029", "7", "40", "123"], 9 / 10, 3 / 4),
        (["2026", "7", "4", "123"], 1, 3 / 4),
        (["2026", "77", "40", "123"], 10 / 11, 3 / 4),
        (["6202", "4", "71", "312"], 0, 0),
    ):
        found = measure_prompted(images, other, known)
        assert (found["accuracy"], found["complete"]) == (pytest.approx(digits), whole)


def test_another_solver_is_held_against_ddim(tiny, monkeypatch):
    monkeypatch.setattr(quality_run, "judge_of", lambda model: Stub)
    monkeypatch.setattr(quality_run, "CONVERGED", Sampler(6, solver="dpmpp-2m"))
    settings = {"model": tiny, "samples": 4, "cfg": 1.5, "seed": 0, "force": False}
    found = Quality(**run_quality(sampler=Sampler(4, solver="unipc", spacing="quadratic"), **settings)).by_policy
    assert list(found) == ["float", "dense", "radit", "forecast", "fewer_steps", "ddim_50"]
    assert found["ddim_50"].steps == 50 and found["ddim_50"].mse_to_dense is None
    assert found["ddim_50"].to_converged.mean != found["dense"].to_converged.mean
    errors = squared_errors(*(sample_of(tiny, steps, solver) for steps, solver in ((4, "unipc"), (6, "dpmpp-2m"))))
    assert found["float"].to_converged.mean == pytest.approx(float(errors.mean()), rel=1e-5)


def sample_of(tiny, steps, solver):
    dit = load_model(tiny)
    noise, labels = make_noise(dit.config, 4, 0), torch.arange(4) % 3
    spacing = "quadratic" if solver == "unipc" else "uniform"
    return sample(dit, noise, labels, Sampler(steps, solver=solver, spacing=spacing), 1.5)
