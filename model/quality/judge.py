"""Who judges generated samples, digits, prompted ones, garments or clips of digits, by what a model generates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.dit.checkpoint import load_config
from radit.model.dit.config import CHOSEN_TEXTS, DiTConfig
from radit.model.errors import UserError
from radit.model.quality.classifier import CLASSES, load_or_train_classifier
from radit.model.quality.garment_classifier import GarmentClassifier, load_or_train_garment_classifier
from radit.model.quality.measures import accuracy, frechet, frechet_to_digits
from radit.model.quality.prompted_quality import measure_prompted, spelled_by
from radit.model.quality.video_quality import load_or_train_judges, measure_clips, of_data
from radit.model.text.characters import chosen_texts
from radit.model.training.digits import split_digits
from radit.model.training.pictures import load_fashion, to_pixels
from radit.model.training.prompted_digits import DIGIT, MOST_DIGITS


class Judge(ABC):
    """Measures of samples (N, *shape) of one kind.

    Attributes:
        shape: of one sample.
        samples: how many to measure, unless asked otherwise.
        modules: what the measures rest on beside the modules that every kind of sample needs.
    """

    shape: ClassVar[tuple[int, ...]]
    samples: ClassVar[int]
    modules: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def is_for(cls, config: DiTConfig) -> bool:
        """Whether a model generates samples of this kind."""
        return config.sample_shape == cls.shape and config.num_classes == CLASSES

    @abstractmethod
    def __init__(self, cache: Path) -> None:
        """Take the classifiers from a folder, or train them and keep them there.

        Raises:
            UserError: a file in it does not hold a classifier's weights.
        """

    @abstractmethod
    def measure(self, samples: Tensor, labels: Tensor) -> dict[str, float]:
        """Return measures of samples (N, *shape) with labels (N,) by name, `fd` and `accuracy` among them."""

    def of_data(self, count: int, seed: int) -> dict[str, float]:
        """Return the same of `count` samples of the data, where they are to be read beside; else nothing."""
        return {}


class DigitJudge(Judge):
    """Of digits: distance to all real ones, share with the label's class."""

    shape = (1, 8, 8)
    samples = 1000

    def __init__(self, cache: Path) -> None:
        self.classifier = load_or_train_classifier(cache)

    def measure(self, samples: Tensor, labels: Tensor) -> dict[str, float]:
        return {
            "fd": frechet_to_digits(samples, self.classifier),
            "accuracy": accuracy(samples, labels, self.classifier),
        }


class PromptedJudge(Judge):
    """Of prompted digits, whose labels number the texts that a model draws by itself: how they read, see
    `model/quality/prompted_quality.py`."""

    shape = (1, DIGIT, MOST_DIGITS * DIGIT)
    samples = 512  # every text once
    modules = ("radit.model.quality.prompted_quality",)
    alphabet = "0123456789"

    @classmethod
    def is_for(cls, config: DiTConfig) -> bool:
        spells = config.characters == cls.alphabet and config.context_tokens == MOST_DIGITS + 1
        return spells and config.sample_shape == cls.shape

    def __init__(self, cache: Path) -> None:
        self.classifier = load_or_train_classifier(cache)
        self._texts = chosen_texts(self.alphabet, MOST_DIGITS, CHOSEN_TEXTS)  # see `with_texts`

    def measure(self, samples: Tensor, labels: Tensor) -> dict[str, float]:
        return measure_prompted(samples, [self._texts[label] for label in labels.tolist()], self.classifier)

    def of_data(self, count: int, seed: int) -> dict[str, float]:
        """Of test digits side by side: neither model nor classifier has seen them."""
        labels = torch.arange(count) % len(self._texts)
        texts = [self._texts[label] for label in labels.tolist()]
        return self.measure(spelled_by(split_digits()[1], texts, seed), labels)


class GarmentJudge(Judge):
    """Of garments: distance to the 10,000 test images of Fashion-MNIST, share with the label's class."""

    shape = GarmentClassifier.shape
    samples = 512  # each as much work as some eight digits
    modules = ("radit.model.quality.garment_classifier",)

    def __init__(self, cache: Path) -> None:
        self.classifier = load_or_train_garment_classifier(cache)
        self._test = load_fashion(part="test")
        self._features = self.classifier.features(to_pixels(self._test.images))

    def measure(self, samples: Tensor, labels: Tensor) -> dict[str, float]:
        return {
            "fd": frechet(self._features, self.classifier.features(samples)),
            "accuracy": accuracy(samples, labels, self.classifier),
        }

    def of_data(self, count: int, seed: int) -> dict[str, float]:
        """Of as many test images: the classifier was not trained on them."""
        chosen = torch.randperm(len(self._test.labels), generator=torch.Generator().manual_seed(seed))[:count]
        return self.measure(to_pixels(self._test.images[chosen]), self._test.labels[chosen])


class ClipJudge(Judge):
    """Of clips of moving digits: the same, then frame by frame, and how they move; see
    `model/quality/video_quality.py`."""

    shape = (8, 1, 16, 16)
    samples = 512  # as much work as eight images each; of fewer, single clips decide the paired error
    modules = ("radit.model.quality.video_quality",)

    def __init__(self, cache: Path) -> None:
        self.classifiers = load_or_train_judges(cache)

    def measure(self, samples: Tensor, labels: Tensor) -> dict[str, float]:
        return _renamed(measure_clips(samples, labels, self.classifiers))

    def of_data(self, count: int, seed: int) -> dict[str, float]:
        return _renamed(of_data(count, self.classifiers, seed))


def _renamed(measures: dict[str, float]) -> dict[str, float]:
    """The measures with the accuracy under the name that it has for every kind."""
    return {name.replace("accuracy_clips", "accuracy"): value for name, value in measures.items()}


def judge_of(model: str) -> type[Judge]:
    """Return who judges what a model (name or checkpoint file) generates.

    Raises:
        UserError: nobody does; or the model is unknown.
    """
    config = load_config(model)
    for judge in (DigitJudge, PromptedJudge, GarmentJudge, ClipJudge):
        if judge.is_for(config):
            return judge
    raise UserError(
        f"{described(model)}: quality is measured on 8 x 8 digits, prompted digits, 28 x 28 garments and clips of "
        "moving digits, use 'digits', 'prompted-digits', 'fashion', 'moving-digits' or a file of their kind, or run "
        "the model through the hardware alone with `radit cosim`."
    )


def described(model: str) -> str:
    """The option --model and what the model generates, in words."""
    config = load_config(model)
    kind = "images" if config.frames == 1 else "clips"
    shape = " x ".join(map(str, config.sample_shape))
    return f"--model is {model!r} with {shape} {kind} of {config.num_classes} classes"
