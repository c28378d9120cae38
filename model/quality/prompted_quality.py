"""How images of prompted digits read: place by place, by the classifier of digits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from radit.model.quality.classifier import DigitClassifier
from radit.model.quality.measures import frechet_to_digits
from radit.model.training.digits import Digits
from radit.model.training.prompted_digits import DIGIT, MOST_DIGITS, PAPER

EMPTY = -0.8  # mean pixel of a place below which nothing stands there; the faintest digit has -0.64


def places_of(images: Tensor) -> Tensor:
    """Return the four places (N, 4, 1, 8, 8) of images (N, 1, 8, 32)."""
    return torch.stack(images.split(DIGIT, dim=-1), 1)


def measure_prompted(images: Tensor, texts: Sequence[str], classifier: DigitClassifier) -> dict[str, float]:
    """Return how images (N, 1, 8, 32) spell their texts.

    Returns:
        ``fd``, the distance of all places that have a digit to the real digits; ``accuracy``, the share of the texts'
        digits that are read at their place; ``complete``, the share of images whose every digit is, the places behind
        being empty.
    """
    places = places_of(images)
    wanted = torch.tensor([[int(digit) for digit in text.ljust(MOST_DIGITS, "0")] for text in texts])
    used = torch.arange(MOST_DIGITS) < torch.tensor([len(text) for text in texts]).unsqueeze(1)
    read = classifier.predict(places.flatten(0, 1)).view_as(wanted) == wanted
    empty = places.flatten(2).mean(2) < EMPTY
    return {
        "fd": frechet_to_digits(places[used], classifier),
        "accuracy": float(read[used].double().mean()),
        "complete": float(torch.where(used, read & ~empty, empty).all(1).double().mean()),
    }


def spelled_by(digits: Digits, texts: Sequence[str], seed: int) -> Tensor:
    """Return images (N, 1, 8, 32) that spell texts with digits drawn by chance."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.full((len(texts), 1, DIGIT, MOST_DIGITS * DIGIT), PAPER)
    for text, image in zip(texts, images, strict=True):
        for digit, place in zip(text, image.split(DIGIT, dim=-1), strict=False):
            known = digits.images[digits.labels == int(digit)]
            place.copy_(known[torch.randint(len(known), (), generator=generator)])
    return images
