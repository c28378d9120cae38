"""Classifier of garments: the eye of the quality metrics of Fashion-MNIST, trained in a few minutes and cached."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from radit.model.quality.classifier import BATCH_SIZE, FEATURES, SEED, Classifier, fit, load_or_train
from radit.model.training.batches import Batches
from radit.model.training.pictures import FASHION_SIZE, load_fashion, mirrored

GARMENT_STEPS = 3000
GARMENT_FILE = "garment_classifier.safetensors"


class GarmentClassifier(Classifier):
    """Convolutional classifier of garments (N, 1, 28, 28)."""

    shape = (1, FASHION_SIZE, FASHION_SIZE)
    kind = "garments"

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        super().__init__(nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 3 * 3, FEATURES), nn.ReLU()))


def train_garment_classifier(seed: int = SEED, steps: int = GARMENT_STEPS) -> GarmentClassifier:
    """Return a classifier trained on the 60,000 training garments, mirrored by chance; the same for the same seed.

    Raises:
        UserError: Fashion-MNIST is not there.
    """
    garments = load_fashion()
    generator = torch.Generator().manual_seed(seed)
    return fit(
        GarmentClassifier, Batches(garments.images, garments.labels, BATCH_SIZE, generator, mirrored), seed, steps
    )


def load_or_train_garment_classifier(cache_dir: str | Path) -> GarmentClassifier:
    """Return the classifier cached in `cache_dir`, or train it (minutes) and cache it there; see `load_or_train`."""
    return load_or_train(Path(cache_dir) / GARMENT_FILE, GarmentClassifier, train_garment_classifier)
