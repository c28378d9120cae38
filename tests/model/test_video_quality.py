"""Measures of clips, on clips whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from radit.model.errors import UserError
from radit.model.quality import clip_classifier, video_quality
from radit.model.quality.classifier import SEED
from radit.model.quality.clip_classifier import ClipClassifier, FrameClassifier
from radit.model.quality.measures import accuracy, mse, psnr, ssim
from radit.model.quality.video_quality import (
    Judges,
    class_consistency,
    frame_accuracy,
    frechet_to_moving_digits,
    load_or_train_judges,
    measure_clips,
    motion,
    nearest_bouncing,
)
from radit.model.training.digits import split_digits
from radit.model.training.moving_digits import MovingDigits, moving_digits


@pytest.fixture(scope="module")
def judges() -> Judges:
    """Trained for so many steps as it takes to tell good from bad."""
    frames = clip_classifier.train_frame_classifier(SEED, steps=300)
    return Judges(frames, clip_classifier.train_clip_classifier(SEED, steps=120))


@pytest.fixture(autouse=True)
def few_reference_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_quality, "REFERENCE_CLIPS", 300)


@pytest.fixture(scope="module")
def data() -> MovingDigits:
    return moving_digits(split_digits()[1], 100, seed=0)


def shuffled(clips: Tensor) -> Tensor:
    """The frames of every clip in another order."""
    generator = torch.Generator().manual_seed(0)
    orders = torch.stack([torch.randperm(clips.shape[1], generator=generator) for _ in clips])
    return clips[torch.arange(len(clips)).unsqueeze(1), orders]


def noisy(clips: Tensor, level: float) -> Tensor:
    return clips + level * torch.randn(clips.shape, generator=torch.Generator().manual_seed(1))


def straight_clip(start: tuple[float, float], velocity: tuple[float, float]) -> Tensor:
    """Clip (1, 8, 1, 16, 16) of one pixel of ink that goes its way, over whole pixels."""
    clip = torch.full((1, 8, 1, 16, 16), -1.0)
    for number in range(8):
        row, column = (int(at + number * step) for at, step in zip(start, velocity, strict=True))
        clip[0, number, 0, row, column] = 1.0
    return clip


def test_motion_of_known_clips() -> None:
    still, along = motion(straight_clip((4, 5), (0, 0))), motion(straight_clip((4, 5), (0, 1)))
    assert (still.speed, still.straight, along.straight) == (pytest.approx(0.0, abs=1e-6), 1.0, 1.0)
    assert along.speed == pytest.approx(1.0, abs=0.05)
    assert still.acceleration == pytest.approx(0.0, abs=1e-3) and along.acceleration == pytest.approx(0.0, abs=1e-3)
    jump = straight_clip((4, 5), (0, 0))
    jump[:, 4:] = straight_clip((4, 11), (0, 0))[:, 4:]  # one jump of 6 pixels: no bouncing path does that
    found = motion(jump)
    assert found.straight == 0.0 and found.departure > 1.0
    assert found.acceleration == pytest.approx(2.0, abs=1e-2)  # 6 there and 6 back over six second differences


def test_a_bouncing_path_is_found_whatever_its_offset() -> None:
    path = moving_digits(split_digits()[0], 200, seed=2).centres[:, :, 0]
    speed, departure = nearest_bouncing(path + torch.tensor([1.3, -2.1]), 8.0)
    assert departure.max() < 0.5
    assert (speed > 0.2).all() and (speed < 1.65).all()


def test_motion_tells_the_order_of_frames(data: MovingDigits) -> None:
    forward, backward, mixed = (motion(clips) for clips in (data.clips, data.clips.flip(1), shuffled(data.clips)))
    assert forward.straight > 0.99 and backward.straight > 0.99  # a bouncing path is one in both directions of time
    assert mixed.straight < 0.1
    assert mixed.departure > 5 * forward.departure and mixed.acceleration > 5 * forward.acceleration
    assert forward.acceleration == pytest.approx(backward.acceleration)


def test_the_frechet_distance_sees_shape(data: MovingDigits, judges: Judges) -> None:
    """Not motion: with so few clips, frames in another order are no further away (`docs/video.md`)."""
    kept, noise = (frechet_to_moving_digits(clips, judges.clips) for clips in (data.clips, noisy(data.clips, 0.8)))
    assert 0.0 < kept < noise / 10


def test_noise_lowers_the_accuracy(data: MovingDigits, judges: Judges) -> None:
    levels = [frame_accuracy(noisy(data.clips, level), data.labels, judges.frames) for level in (0.0, 0.6, 1.5)]
    assert levels[0] > 0.8 and levels[0] > levels[1] > levels[2]
    assert accuracy(data.clips, data.labels, judges.clips) > accuracy(-data.clips, data.labels, judges.clips)
    wrong = (data.labels + 1) % 10
    assert frame_accuracy(data.clips, wrong, judges.frames) < 0.2


def test_consistency_counts_frames_of_another_class(data: MovingDigits, judges: Judges) -> None:
    mixed = data.clips.clone()
    mixed[:, :3] = data.clips.roll(1, dims=0)[:, :3]
    assert class_consistency(mixed, judges.frames) < class_consistency(data.clips, judges.frames) - 0.2


def test_all_measures_at_once(data: MovingDigits, judges: Judges) -> None:
    found = measure_clips(data.clips, data.labels, judges)
    names = {"fd", "accuracy_clips", "accuracy_frames", "same_class", "speed", "acceleration", "departure", "straight"}
    assert set(found) == names
    assert found["accuracy_frames"] == frame_accuracy(data.clips, data.labels, judges.frames)


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_paired_errors_of_clips_are_those_of_their_frames(metric: Callable, data: MovingDigits) -> None:
    other = noisy(data.clips, 0.1).clamp(-1, 1)
    assert metric(other, data.clips) == pytest.approx(metric(other.flatten(0, 1), data.clips.flatten(0, 1)))


def test_judges_are_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: MovingDigits) -> None:
    for kind in (FrameClassifier, ClipClassifier):
        name = {FrameClassifier: "train_frame_classifier", ClipClassifier: "train_clip_classifier"}[kind]
        monkeypatch.setattr(clip_classifier, name, lambda kind=kind: kind().eval())  # untrained
    first, again = load_or_train_judges(tmp_path), load_or_train_judges(tmp_path)
    assert torch.equal(first.clips.features(data.clips), again.clips.features(data.clips))
    assert torch.equal(first.frames.predict(data.clips[:, 0]), again.frames.predict(data.clips[:, 0]))


def test_bad_clips_are_named(judges: Judges) -> None:
    with pytest.raises(UserError, match=r"Clips have shape \(4, 8, 1, 9, 9\): give clips of shape \(N, 8, 1, 16, 16\)"):
        judges.clips.predict(torch.zeros(4, 8, 1, 9, 9))
    with pytest.raises(UserError, match=r"Frames have shape \(4, 1, 9, 9\)"):
        judges.frames.predict(torch.zeros(4, 1, 9, 9))
    with pytest.raises(UserError, match="labels number 3 for 4 clips"):
        frame_accuracy(torch.zeros(4, 8, 1, 16, 16), torch.zeros(3), judges.frames)
    with pytest.raises(UserError, match=r"Clips have shape \(4, 2, 1, 16, 16\): give .* 3 frames or more"):
        motion(torch.zeros(4, 2, 1, 16, 16))
