"""Moving digits: clips of real handwritten digits in synthetic motion, made from `model/training/digits.py` (no
download).

A digit of 8 x 8 pixels goes across a larger square canvas at constant velocity. At the walls it bounces like a ball
(the angle of reflection is that of incidence), or goes on at the opposite side. Positions are real numbers; a digit
between pixels is spread over its neighbours bilinearly. Of two digits at a time the front one names the clip and
covers the other where both have ink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radit.model.errors import UserError, shown
from radit.model.ranges import Range
from radit.model.settings_text import read_settings
from radit.model.training.digits import Digits

FRAMES = 8
CANVAS = 16  # pixels
DIGIT = 8  # pixels


@dataclass(frozen=True)
class Motion:
    """How digits move.

    Fields:
        slowest, fastest: range of the speed, uniform, in pixels per frame; all directions are equally likely.
        bounce: reflect at the walls; otherwise leave on one side and come in on the other.
        digits: digits per clip, 1 or 2.

    Raises:
        UserError: a field is out of range.
    """

    slowest: float = 0.25
    fastest: float = 1.0
    bounce: bool = True
    digits: int = 1

    ranges: ClassVar[Mapping[str, Range]] = {
        "slowest": Range(0, CANVAS, whole=False),  # across the canvas from one frame to the next
        "fastest": Range(0, CANVAS, whole=False),
        "digits": Range(1, 2),
    }

    def __post_init__(self) -> None:
        for name, limits in self.ranges.items():
            object.__setattr__(self, name, limits.check(f"--motion setting {name}", getattr(self, name)))
        if not isinstance(self.bounce, bool):
            raise UserError(f"--motion setting bounce is {shown(self.bounce)}: give True or False.")
        if self.slowest > self.fastest:
            raise UserError(
                f"--motion has slowest {self.slowest} above fastest {self.fastest}: give the lower speed as slowest."
            )


def parse_motion(text: str) -> Motion:
    """Return the motion of a text such as "slowest=0.5:fastest=2:bounce=False:digits=2"; the rest is as by default.

    Raises:
        UserError: a field is unknown, or a value does not fit its field.
    """
    return Motion(**read_settings(text.split(":"), Motion, "--motion", ranges=Motion.ranges))


@dataclass(frozen=True)
class MovingDigits:
    """Clips, what they show and where it is. N clips, F frames, K digits per clip (the front one first).

    Fields:
        clips: (N, F, 1, H, W) float32, -1 (paper) .. 1 (ink) up to rounding.
        labels: (N,) int64, 0 .. 9, of the front digit.
        centres: (N, F, K, 2) float32, row and column of the middle of each digit's 8 x 8 box, in pixels from the middle
            of the corner pixel.
    """

    clips: Tensor
    labels: Tensor
    centres: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def moving_digits(
    digits: Digits, count: int, seed: int, motion: Motion | None = None, frames: int = FRAMES, size: int = CANVAS
) -> MovingDigits:
    """Return `count` clips of randomly chosen digits, the same for the same seed.

    Args:
        digits: where to choose from: train clips from the train digits, test clips from the test digits.
        count: clips.
        seed: of the choice and of the motion.
        motion: by default `Motion()`.
        frames: per clip.
        size: rows and columns of the canvas, in pixels, at least those of a digit.

    Raises:
        UserError: `count`, `frames` or `size` is out of range.
    """
    if count < 1:
        raise UserError(f"Moving digits' field count is {count}: give it at least 1.")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(digits), (count,), generator=generator)
    clips, centres = animate(digits.images[chosen], generator, motion, frames, size)
    return MovingDigits(clips, digits.labels[chosen], centres)


def animate(
    images: Tensor, generator: torch.Generator, motion: Motion | None = None, frames: int = FRAMES, size: int = CANVAS
) -> tuple[Tensor, Tensor]:
    """Return clips (N, F, 1, H, W) and centres (N, F, K, 2), see `MovingDigits`, of digit images (N, 1, 8, 8).

    The second digit of a clip is the front digit of another one.

    Raises:
        UserError: `frames` or `size` is out of range.
    """
    motion = motion or Motion()
    if frames < 1:
        raise UserError(f"Moving digits' field frames is {frames}: give it at least 1.")
    if size < DIGIT:
        raise UserError(f"Moving digits' field size is {size}: give it at least {DIGIT} pixels, those of a digit.")
    paper = torch.zeros(len(images), frames, size, size)
    centres = []
    for index in range(motion.digits):
        ink = images[:, 0] if index == 0 else images[torch.randperm(len(images), generator=generator), 0]
        corners = paths(len(images), frames, size, motion, generator)
        layer = render((ink + 1.0) / 2.0, corners, size, wrap=not motion.bounce)
        paper = paper + (1.0 - paper) * layer
        centres.append(corners + (DIGIT - 1) / 2.0)
    middle = torch.stack(centres, dim=2)
    return (2.0 * paper - 1.0).unsqueeze(2), middle if motion.bounce else middle % size


def paths(count: int, frames: int, size: int, motion: Motion, generator: torch.Generator) -> Tensor:
    """Return the top left corners (count, F, 2) of digits over time: row and column, float32, in pixels."""
    span = float(size - DIGIT if motion.bounce else size)
    start = span * torch.rand(count, 1, 2, generator=generator)
    speed = motion.slowest + (motion.fastest - motion.slowest) * torch.rand(count, generator=generator)
    angle = 2.0 * torch.pi * torch.rand(count, generator=generator)
    velocity = (speed * torch.stack([angle.sin(), angle.cos()])).T.unsqueeze(1)
    line = start + velocity * torch.arange(frames).reshape(1, -1, 1)
    return fold(line, span) if motion.bounce else line % span


def fold(line: Tensor, span: float) -> Tensor:
    """Return positions on an endless line reflected into 0 .. span, in the line's unit; a span of 0 holds them at 0."""
    if span == 0.0:
        return torch.zeros_like(line)
    return span - (span - line % (2.0 * span)).abs()


def render(ink: Tensor, corners: Tensor, size: int, wrap: bool) -> Tensor:
    """Return frames (N, F, size, size), 0 .. 1, of ink (N, 8, 8), 0 .. 1, with top left corners (N, F, 2).

    Bilinear: a source pixel at position p gives 1 - |i - p| of its ink to the pixels i next to it, per axis.
    """
    target = torch.arange(size).reshape(-1, 1)
    offset = target - (corners[..., None, None] + torch.arange(DIGIT))  # (N, F, 2, size, 8)
    if wrap:
        offset = (offset + size / 2.0) % size - size / 2.0
    weight = (1.0 - offset.abs()).clamp(min=0.0)
    return torch.einsum("nfij,njk,nflk->nfil", weight[:, :, 0], ink, weight[:, :, 1])


def ink_centres(clips: Tensor) -> Tensor:
    """Return the centres of ink (N, F, 2) of clips (N, F, 1, H, W): row and column, in pixels.

    A frame without ink has its centre in the middle of the canvas.
    """
    ink = ((clips[:, :, 0] + 1.0) / 2.0).clamp(0.0, 1.0) + 1e-6
    rows, columns = (torch.arange(size, dtype=ink.dtype, device=ink.device) for size in ink.shape[2:])
    row, column = (ink.sum(3) * rows).sum(2), (ink.sum(2) * columns).sum(2)
    return torch.stack([row, column], dim=2) / ink.sum((2, 3)).unsqueeze(2)
