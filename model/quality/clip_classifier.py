"""Classifiers of moving digits: the eye of the clips' quality metrics, trained in about a minute and cached.

One looks at single frames; its labels give the accuracy per frame. The other looks at whole clips, first at each frame,
then over time; it learns where the ink's centre is in every frame besides the digit's class. Its penultimate features
are the space of the Frechet distance; with few clips that tells shape, and hardly motion (`docs/video.md`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from radit.model.quality.classifier import BATCH_SIZE, FEATURES, SEED, Classifier, fit, load_or_train
from radit.model.training.batches import Batches
from radit.model.training.digits import split_digits
from radit.model.training.moving_digits import CANVAS, FRAMES, animate, ink_centres

FRAME_STEPS = 800
CLIP_STEPS = 500
PATH_SCALE = 6.0  # pixels; weighs the path against the class
FRAME_FILE = "moving_digit_frames.safetensors"
CLIP_FILE = "moving_digit_clips.safetensors"


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Convolution of 3 x 3 pixels, normalized over the batch."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _frame_layers() -> list[nn.Module]:
    """Layers that make (N, 64, 4, 4) of frames (N, 1, 16, 16)."""
    return [_layer(1, 16), _layer(16, 32, stride=2), _layer(32, 32), _layer(32, 64, stride=2)]


class FrameClassifier(Classifier):
    """Convolutional classifier of single frames (N, 1, 16, 16); where in the frame a digit is hardly matters to it."""

    shape = (1, CANVAS, CANVAS)
    kind = "frames"

    def __init__(self) -> None:
        super().__init__(nn.Sequential(*_frame_layers(), nn.AdaptiveMaxPool2d(1), nn.Flatten()))


class _OverTime(nn.Module):
    """Per-frame convolutions, then convolutions over time: clips (N, 8, 1, 16, 16) -> features (N, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Sequential(*_frame_layers(), nn.Flatten(), nn.Linear(1024, FEATURES), nn.ReLU())
        self.time = nn.Sequential(nn.Conv1d(FEATURES, FEATURES, 3, padding=1), nn.ReLU(), nn.Flatten())
        self.out = nn.Sequential(nn.Linear(FRAMES * FEATURES, FEATURES), nn.ReLU())

    def forward(self, clips: Tensor) -> Tensor:
        frames = self.frame(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        return self.out(self.time(frames.transpose(1, 2)))


class ClipClassifier(Classifier):
    """Space-time classifier of clips (N, 8, 1, 16, 16), and where their ink is."""

    shape = (FRAMES, 1, CANVAS, CANVAS)
    kind = "clips"

    def __init__(self) -> None:
        super().__init__(_OverTime())
        self.path = nn.Linear(FEATURES, FRAMES * 2)

    def loss(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of the class plus the squared error of the ink's path, a scalar."""
        features = self.body(samples)
        centres = (ink_centres(samples) - (CANVAS - 1) / 2.0) / PATH_SCALE
        error = functional.mse_loss(self.path(features), centres.flatten(1))
        return functional.cross_entropy(self.head(features), labels) + error


def train_frame_classifier(seed: int = SEED, steps: int = FRAME_STEPS) -> FrameClassifier:
    """Return a classifier of frames of the moving train digits; the same for the same seed."""
    return fit(FrameClassifier, _source(seed, 1), seed, steps)


def train_clip_classifier(seed: int = SEED, steps: int = CLIP_STEPS) -> ClipClassifier:
    """Return a classifier of clips of the moving train digits; the same for the same seed."""
    return fit(ClipClassifier, _source(seed, FRAMES), seed, steps)


def load_or_train_frame_classifier(cache_dir: str | Path) -> FrameClassifier:
    """Return the classifier cached in `cache_dir`, or train it (seconds) and cache it; see `load_or_train`."""
    return load_or_train(Path(cache_dir) / FRAME_FILE, FrameClassifier, train_frame_classifier)


def load_or_train_clip_classifier(cache_dir: str | Path) -> ClipClassifier:
    """Return the classifier cached in `cache_dir`, or train it (a minute) and cache it there; see `load_or_train`."""
    return load_or_train(Path(cache_dir) / CLIP_FILE, ClipClassifier, train_clip_classifier)


def _source(seed: int, frames: int) -> Batches:
    """Train digits in fresh motion: clips (64, frames, 1, 16, 16), or frames (64, 1, 16, 16) where `frames` is 1."""
    train, _ = split_digits()

    def move(images: Tensor, generator: torch.Generator) -> Tensor:
        clips, _ = animate(images, generator, frames=frames, size=CANVAS)
        return clips[:, 0] if frames == 1 else clips

    return Batches(train.images, train.labels, BATCH_SIZE, torch.Generator().manual_seed(seed), move)
