"""How good generated clips of moving digits are: as clips, frame by frame, and in their motion.

A clip's *path* is the centre of its ink over the frames. Of the data it is a bouncing one: constant velocity, reflected
at two walls. How far a clip departs from the nearest such path tells whether it moves as the data do; every measure of
motion is to be read beside the data's own value, `of_data`. Paired errors and the Frechet distance are those of
`model/quality/measures.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from radit.model.errors import UserError
from radit.model.quality.clip_classifier import (
    ClipClassifier,
    FrameClassifier,
    load_or_train_clip_classifier,
    load_or_train_frame_classifier,
)
from radit.model.quality.measures import accuracy, frechet
from radit.model.training.digits import all_digits, split_digits
from radit.model.training.moving_digits import DIGIT, fold, ink_centres, moving_digits

REFERENCE_CLIPS = 2000
REFERENCE_SEED = 1
STRAIGHT = 0.5  # pixels
SPEEDS = torch.arange(-2.0, 2.01, 0.05)  # pixels per frame
STARTS = 16  # per wall-to-wall distance
CHUNK = 256  # clips


@dataclass(frozen=True)
class MotionMeasures:
    """Motion of clips, means over clips.

    Fields:
        speed: of the ink's centre along the nearest bouncing path, in pixels per frame.
        acceleration: length of the second difference of the path, in pixels per frame squared; bounces count.
        departure: largest distance from the nearest bouncing path, in pixels.
        straight: share of clips, 0 .. 1, that depart by no more than half a pixel.
    """

    speed: float
    acceleration: float
    departure: float
    straight: float


@dataclass(frozen=True)
class Judges:
    """The classifiers that the measures look through."""

    frames: FrameClassifier
    clips: ClipClassifier


def load_or_train_judges(cache_dir: str | Path) -> Judges:
    """Return the classifiers cached in `cache_dir`, or train them (a minute) and cache them there.

    Raises:
        UserError: a cached file does not hold a classifier's weights.
    """
    return Judges(load_or_train_frame_classifier(cache_dir), load_or_train_clip_classifier(cache_dir))


def measure_clips(clips: Tensor, labels: Tensor, judges: Judges) -> dict[str, float]:
    """Return all measures of generated clips (N, F, 1, 16, 16) with labels (N,), by name; see the functions.

    Raises:
        UserError: clips and labels differ in number, or clips are not of the data's shape.
    """
    return {
        "fd": frechet_to_moving_digits(clips, judges.clips),
        "accuracy_clips": accuracy(clips, labels, judges.clips),
        "accuracy_frames": frame_accuracy(clips, labels, judges.frames),
        "same_class": class_consistency(clips, judges.frames),
        **asdict(motion(clips)),
    }


def of_data(count: int, judges: Judges, seed: int = 0) -> dict[str, float]:
    """Return the measures of `count` clips of the test digits: what a perfect generator would reach."""
    data = moving_digits(split_digits()[1], count, seed)
    return measure_clips(data.clips, data.labels, judges)


def frechet_to_moving_digits(clips: Tensor, classifier: ClipClassifier) -> float:
    """Return the Frechet distance, unitless, of clips (N, F, 1, 16, 16) to 2000 moving ones of all real digits."""
    reference = moving_digits(all_digits(), REFERENCE_CLIPS, REFERENCE_SEED).clips
    return frechet(classifier.features(reference), classifier.features(clips))


def frame_accuracy(clips: Tensor, labels: Tensor, classifier: FrameClassifier) -> float:
    """Return the share, 0 .. 1, of all frames of clips (N, F, 1, 16, 16) that are taken for the clips' labels (N,).

    Raises:
        UserError: clips and labels differ in number.
    """
    if len(clips) != len(labels):
        raise UserError(f"labels number {len(labels)} for {len(clips)} clips: give one label per clip.")
    return accuracy(clips.flatten(0, 1), labels.repeat_interleave(clips.shape[1]), classifier)


def class_consistency(clips: Tensor, classifier: FrameClassifier) -> float:
    """Return the share, 0 .. 1, of frames of clips (N, F, 1, 16, 16) of the class of most frames of their clip."""
    seen = classifier.predict(clips.flatten(0, 1)).reshape(clips.shape[:2])
    return float((seen == seen.mode(dim=1, keepdim=True).values).double().mean())


def motion(clips: Tensor) -> MotionMeasures:
    """Return the motion of clips (N, F, 1, H, W), at least three frames each.

    Raises:
        UserError: they have another shape.
    """
    if clips.dim() != 5 or clips.shape[1] < 3 or clips.shape[2] != 1:
        raise UserError(f"Clips have shape {tuple(clips.shape)}: give (N, F, 1, H, W) with 3 frames or more.")
    paths = ink_centres(clips)
    nearest = [nearest_bouncing(part, clips.shape[-1] - DIGIT) for part in paths.split(CHUNK)]
    speed, departure = (torch.cat(parts) for parts in zip(*nearest, strict=True))
    return MotionMeasures(
        speed=float(speed.mean()),
        acceleration=float(paths.diff(n=2, dim=1).norm(dim=2).mean()),
        departure=float(departure.mean()),
        straight=float((departure <= STRAIGHT).double().mean()),
    )


def nearest_bouncing(paths: Tensor, span: float) -> tuple[Tensor, Tensor]:
    """Return speed and departure (N,) of paths (N, F, 2) from the nearest bouncing paths, see `MotionMeasures`.

    Each axis by itself, by least squares over a grid of speeds (0.05 pixels per frame) and starts (a sixteenth of the
    span); where the ink's centre lies within its box is free.

    Args:
        paths: rows and columns, in pixels.
        span: from wall to wall, for the box's corner, in pixels.
    """
    frames = torch.arange(paths.shape[1], dtype=paths.dtype)
    starts = torch.linspace(0.0, span, STARTS + 1, dtype=paths.dtype)
    lines = starts[None, :, None] + SPEEDS.to(paths.dtype)[:, None, None] * frames
    shapes = fold(lines, span).flatten(0, 1)
    shapes = shapes - shapes.mean(dim=1, keepdim=True)
    moves = (paths - paths.mean(dim=1, keepdim=True)).transpose(1, 2)  # (N, 2, F)
    best = torch.cdist(moves, shapes).argmin(dim=2)  # (N, 2)
    departure = (moves - shapes[best]).norm(dim=1).amax(dim=1)
    return SPEEDS.to(paths.dtype)[best // len(starts)].norm(dim=1), departure
