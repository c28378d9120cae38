"""Data, classifier and quality metrics of the digit model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from radit.model.dit.checkpoint import load_model
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.errors import UserError
from radit.model.quality.classifier import CACHE_FILE, DigitClassifier, load_or_train_classifier
from radit.model.quality.measures import accuracy, frechet, frechet_to_digits, mse, psnr, squared_errors, ssim
from radit.model.quality.quality_run import _paired
from radit.model.system.caches import read_tensors
from radit.model.training.digits import all_digits, split_digits


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("classifier")


@pytest.fixture(scope="module")
def classifier(cache: Path) -> DigitClassifier:
    return load_or_train_classifier(cache)


def test_digits_are_scaled_and_split_once_and_for_all() -> None:
    digits, (train, test) = all_digits(), split_digits()
    assert digits.images.shape == (1797, 1, 8, 8) and digits.images.dtype == torch.float32
    assert (digits.images.min(), digits.images.max()) == (-1.0, 1.0)
    assert (len(train), len(test)) == (1438, 359)
    assert torch.equal(train.images, split_digits()[0].images)
    both = torch.cat([train.images, test.images])
    assert torch.equal(both.sum(dim=0), digits.images.sum(dim=0))


def test_classifier_reads_digits_it_has_not_seen(classifier: DigitClassifier) -> None:
    _, test = split_digits()
    assert accuracy(test.images, test.labels, classifier) > 0.97
    assert classifier.features(test.images).shape == (359, 64)


def test_classifier_is_cached(classifier: DigitClassifier, cache: Path) -> None:
    images = split_digits()[1].images
    assert torch.equal(load_or_train_classifier(cache).features(images), classifier.features(images))


@pytest.mark.parametrize("keep", [0, 1000])
def test_a_damaged_classifier_is_trained_anew(classifier: DigitClassifier, cache: Path, tmp_path: Path, keep) -> None:
    (tmp_path / CACHE_FILE).write_bytes((cache / CACHE_FILE).read_bytes()[:keep])
    again = load_or_train_classifier(tmp_path)
    assert torch.equal(again.head.weight, classifier.head.weight)
    one, other = (read_tensors(folder / CACHE_FILE) for folder in (tmp_path, cache))
    assert one is not None and other is not None and one[1] == other[1] and one[0].keys() == other[0].keys()
    assert all((one[0][name] == other[0][name]).all() for name in one[0])  # the order of a file's metadata varies


def test_frechet_of_known_distributions() -> None:
    features = torch.randn(400, 5, generator=torch.Generator().manual_seed(1)).double()
    shift = torch.tensor([3.0, 0.0, 0.0, 4.0, 0.0])
    assert frechet(features, features) == pytest.approx(0.0, abs=1e-6)
    assert frechet(features, features + shift) == pytest.approx(25.0, rel=1e-6)
    # Same shape, twice as wide about its mean: the sum over the axes of (2 s - s) squared.
    wide = features.mean(dim=0) + 2.0 * (features - features.mean(dim=0))
    assert frechet(features, wide) == pytest.approx(features.var(dim=0).sum().item(), rel=1e-6)


def test_frechet_orders_images_by_damage(classifier: DigitClassifier) -> None:
    images = split_digits()[0].images
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(2))
    distances = [frechet_to_digits(images + level * noise, classifier) for level in (0.0, 0.3, 0.6)]
    assert 0.0 < distances[0] < distances[1] < distances[2]


def test_shipped_model_draws_digits(classifier: DigitClassifier) -> None:
    model, labels = load_model("digits"), torch.arange(20) % 10
    images = sample(model, make_noise(model.config, 20, 3), labels, Sampler(20))
    assert accuracy(images, labels, classifier) > 0.9


def test_paired_errors_of_known_images() -> None:
    reference = split_digits()[1].images
    shifted = reference + 0.2
    assert mse(shifted, reference) == pytest.approx(0.04, rel=1e-5)
    assert psnr(shifted, reference) == pytest.approx(20.0, abs=1e-3)
    assert (mse(reference, reference), psnr(reference, reference)) == (0.0, float("inf"))
    assert ssim(reference, reference) == pytest.approx(1.0)
    assert ssim(reference.flip(3), reference) < 0.9


def test_the_spread_of_known_errors() -> None:
    reference = torch.zeros(4, 2, 1, 8, 8)  # clips of two frames
    images = torch.tensor([1.0, 2.0, 3.0, 0.0]).reshape(4, 1, 1, 1, 1).expand_as(reference)
    errors = squared_errors(images, reference)
    assert errors.tolist() == [1.0, 4.0, 9.0, 0.0] and errors.mean() == mse(images, reference)
    variance = sum((error - 3.5) ** 2 for error in errors.tolist()) / 3
    spread = {"standard_error": pytest.approx((variance / 4) ** 0.5), "median": 1.0}
    assert _paired(images, reference) == {"mse_to_dense": pytest.approx(3.5), "mse_spread": spread}
    with pytest.raises(UserError, match="give two"):
        squared_errors(images[:3], reference)


def test_bad_arguments_are_named(classifier: DigitClassifier) -> None:
    images = torch.zeros(4, 1, 8, 8)
    with pytest.raises(UserError, match=r"Digits have shape \(4, 1, 9, 9\): give digits of shape \(N, 1, 8, 8\)"):
        classifier.predict(torch.zeros(4, 1, 9, 9))
    with pytest.raises(UserError, match="labels number 3 for 4 images"):
        accuracy(images, torch.zeros(3), classifier)
    with pytest.raises(UserError, match=r"features_b has shape \(1, 3\): give \(N, F\) with N of at least 2"):
        frechet(torch.zeros(4, 3), torch.zeros(1, 3))
    with pytest.raises(UserError, match="features_b has 2 features where features_a has 3"):
        frechet(torch.zeros(4, 3), torch.zeros(4, 2))
    for metric in (mse, psnr, ssim):
        with pytest.raises(UserError, match="give two"):
            metric(images, images[:2])
