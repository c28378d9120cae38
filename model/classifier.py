"""Digit classifier: the eye of the quality metrics, trained in seconds on the train split.

Its penultimate features are the space of the Frechet distance; its labels give the accuracy of generated digits.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from model.data import split_digits
from model.errors import UserError
from model.train import batches, learning_rate

FEATURES = 64
CLASSES = 10
TRAIN_STEPS = 400
BATCH_SIZE = 64
PEAK_RATE = 2e-3
PIXEL_NOISE = 0.1
SEED = 0
CACHE_FILE = "digit_classifier.safetensors"


class DigitClassifier(nn.Module):
    """Convolutional classifier: images (N, 1, 8, 8), float32, -1 .. 1 -> logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
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
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return the penultimate features (N, 64), float32, unitless, of images (N, 1, 8, 8)."""
        return self.body(check_images(images))

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Return the labels (N,), int64, 0 .. 9, of images (N, 1, 8, 8)."""
        return self(check_images(images)).argmax(dim=1)


def check_images(images: Tensor) -> Tensor:
    """Return digit images (N, 1, 8, 8) unchanged.

    Raises:
        UserError: they have another shape.
    """
    if images.dim() != 4 or tuple(images.shape[1:]) != (1, 8, 8):
        raise UserError(f"Images have shape {tuple(images.shape)}: give digits of shape (N, 1, 8, 8).")
    return images


def train_classifier(seed: int = SEED, steps: int = TRAIN_STEPS) -> DigitClassifier:
    """Return a classifier trained on the train split, a little noise on the pixels; the same for the same seed."""
    train, _ = split_digits()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = DigitClassifier()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=PEAK_RATE)
    source = batches(train, BATCH_SIZE, generator)
    for step in range(steps):
        images, labels = next(source)
        noise = PIXEL_NOISE * torch.randn(images.shape, generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, PEAK_RATE)
        loss = functional.cross_entropy(classifier(images + noise), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return classifier.eval().requires_grad_(False)


def load_or_train_classifier(cache_dir: str | Path) -> DigitClassifier:
    """Return the classifier cached in `cache_dir`, or train it (seconds) and cache it there.

    Raises:
        UserError: the cached file does not hold the classifier's weights.
    """
    path = Path(cache_dir) / CACHE_FILE
    if not path.is_file():
        classifier = train_classifier()
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(classifier.state_dict(), path)
        return classifier
    classifier = DigitClassifier()
    try:
        classifier.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).split("\n")[0].rstrip(":.")
        raise UserError(
            f"Classifier file {path} cannot be used ({reason}): delete it, and it is trained anew."
        ) from None
    return classifier.eval().requires_grad_(False)
