"""Digit classifier: the eye of the quality metrics, trained in seconds on the train split.

Its penultimate features are the space of the Frechet distance; its labels give the accuracy of generated digits.
What it shares with the classifiers of clips (`model/quality/clip_classifier.py`) is in `Classifier`, `fit` and
`load_or_train`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from radit.model.errors import UserError
from radit.model.source_code import definitions_digest
from radit.model.system.caches import kept, read_tensors, write_tensors
from radit.model.training.batches import Batches
from radit.model.training.digits import split_digits
from radit.model.training.train import learning_rate

FEATURES = 64
CLASSES = 10
TRAIN_STEPS = 400
BATCH_SIZE = 64
PEAK_RATE = 2e-3
PIXEL_NOISE = 0.1
SEED = 0
MADE_BY = "radit.model.quality.classifier", "radit.model.training.batches", "radit.model.training.digits"
CACHE_FILE = "digit_classifier.safetensors"


class Classifier(nn.Module):
    """Samples (N, *shape), float32, -1 .. 1 -> logits (N, 10): `body` makes the features, `head` the logits.

    Attributes:
        shape: of one sample.
        kind: what samples are called.
    """

    shape: ClassVar[tuple[int, ...]]
    kind: ClassVar[str]

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, samples: Tensor) -> Tensor:
        return self.head(self.body(samples))

    def loss(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return the training loss, a scalar, of samples (N, *shape) with labels (N,)."""
        return functional.cross_entropy(self(samples), labels)

    @torch.no_grad()
    def features(self, samples: Tensor) -> Tensor:
        """Return the penultimate features (N, 64), float32, unitless, of samples (N, *shape)."""
        return self.body(self.check(samples))

    @torch.no_grad()
    def predict(self, samples: Tensor) -> Tensor:
        """Return the labels (N,), int64, 0 .. 9, of samples (N, *shape)."""
        return self(self.check(samples)).argmax(dim=1)

    def check(self, samples: Tensor) -> Tensor:
        """Return samples (N, *shape) unchanged.

        Raises:
            UserError: they have another shape.
        """
        if samples.dim() != len(self.shape) + 1 or tuple(samples.shape[1:]) != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise UserError(
                f"{self.kind.capitalize()} have shape {tuple(samples.shape)}: give {self.kind} of shape (N, {wanted})."
            )
        return samples


class DigitClassifier(Classifier):
    """Convolutional classifier of digits (N, 1, 8, 8)."""

    shape = (1, 8, 8)
    kind = "digits"

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1),
                nn.GELU(),
                nn.Conv2d(16, 32, 3, padding=1),
                nn.GELU(),
                nn.MaxPool2d(2),
                nn.Conv2d(32, 64, 3, padding=1),
                nn.GELU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(256, FEATURES),
                nn.GELU(),
            )
        )


AnyClassifier = TypeVar("AnyClassifier", bound=Classifier)


def train_classifier(seed: int = SEED, steps: int = TRAIN_STEPS) -> DigitClassifier:
    """Return a classifier trained on the train split, a little noise on the pixels; the same for the same seed."""
    train, _ = split_digits()
    generator = torch.Generator().manual_seed(seed)
    return fit(DigitClassifier, Batches(train.images, train.labels, BATCH_SIZE, generator), seed, steps)


def fit(kind: Callable[[], AnyClassifier], source: Batches, seed: int, steps: int) -> AnyClassifier:
    """Return a classifier trained on batches, a little noise on the pixels; weights and noise are the seed's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = kind()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=PEAK_RATE)
    for step in range(steps):
        samples, labels = next(source)
        noise = PIXEL_NOISE * torch.randn(samples.shape, generator=source.generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, PEAK_RATE)
        loss = classifier.loss(samples + noise, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return classifier.eval().requires_grad_(False)


def load_or_train_classifier(cache_dir: str | Path) -> DigitClassifier:
    """Return the classifier cached in `cache_dir`, or train it (seconds) and cache it there; see `load_or_train`."""
    return load_or_train(Path(cache_dir) / CACHE_FILE, DigitClassifier, train_classifier)


def load_or_train(path: Path, kind: Callable[[], AnyClassifier], train: Callable[[], AnyClassifier]) -> AnyClassifier:
    """Return the classifier whose weights `path` holds; where it holds none of this code, train it and keep them."""
    classifier = kind()
    own = type(classifier)
    facts = {"kind": own.__qualname__, "code": definitions_digest(*dict.fromkeys((own.__module__, *MADE_BY)))}

    def read(path: Path) -> AnyClassifier | None:
        found = read_tensors(path)
        if found is None or found[1] != facts:
            return None
        try:
            classifier.load_state_dict({name: torch.from_numpy(array) for name, array in found[0].items()})
        except RuntimeError:  # other weights than its own
            return None
        return classifier

    def write(path: Path, classifier: AnyClassifier) -> None:
        write_tensors(path, {name: tensor.numpy() for name, tensor in classifier.state_dict().items()}, facts)

    return kept(path, read, train, write).eval().requires_grad_(False)
