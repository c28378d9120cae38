"""Moving digits: real digits, constant velocity, walls, seeds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radit.model.errors import UserError
from radit.model.training.digits import Digits, all_digits, split_digits
from radit.model.training.moving_digits import Motion, animate, fold, ink_centres, moving_digits, parse_motion

NO_WALL = Motion(slowest=1.0, fastest=1.0, bounce=False)


def ink(clips: Tensor) -> Tensor:
    """Ink per frame (N, F)."""
    return ((clips + 1.0) / 2.0).sum((2, 3, 4))


def test_shapes_and_range() -> None:
    data = moving_digits(split_digits()[0], 20, seed=0)
    assert (data.clips.shape, data.centres.shape) == ((20, 8, 1, 16, 16), (20, 8, 1, 2))
    assert data.clips.dtype == data.centres.dtype == torch.float32
    assert data.clips.abs().max() <= 1.0 + 1e-6
    other = moving_digits(split_digits()[0], 3, seed=0, frames=5, size=24)
    assert other.clips.shape == (3, 5, 1, 24, 24)


def test_the_same_seed_gives_the_same_clips() -> None:
    digits = split_digits()[1]
    first, again, other = (moving_digits(digits, 4, seed) for seed in (1, 1, 2))
    assert torch.equal(first.clips, again.clips) and torch.equal(first.centres, again.centres)
    assert not torch.equal(first.clips, other.clips)


@pytest.mark.parametrize("bounce", [True, False])
@pytest.mark.parametrize("digits", [1, 2])
def test_digits_stay_inside(bounce: bool, digits: int) -> None:
    fast = Motion(slowest=2.0, fastest=9.0, bounce=bounce, digits=digits)
    data = moving_digits(all_digits(), 200, seed=3, motion=fast)
    low, high = (3.5, 11.5) if bounce else (0.0, 16.0)
    assert low <= data.centres.min() and data.centres.max() <= high
    if digits == 1:  # nothing is lost at a wall
        amount = ink(data.clips)
        assert torch.allclose(amount, amount[:, :1].expand_as(amount), rtol=1e-4)


def test_a_digit_on_whole_pixels_is_the_digit_itself() -> None:
    still = Motion(slowest=0.0, fastest=0.0)
    images = all_digits().images[:3]
    clips, centres = animate(images, torch.Generator().manual_seed(0), still, frames=2, size=8)
    assert torch.equal(clips, images.unsqueeze(1).expand(-1, 2, -1, -1, -1))
    assert torch.equal(centres, torch.full((3, 2, 1, 2), 3.5))


def test_the_ink_follows_the_path() -> None:
    """Bilinear rendering keeps the centre of ink at a fixed place in the box, at any fraction of a pixel."""
    data = moving_digits(all_digits(), 50, seed=4)
    offset = ink_centres(data.clips) - data.centres[:, :, 0]
    assert (offset - offset.mean(dim=1, keepdim=True)).abs().max() < 1e-2


def test_motion_is_uniform_between_walls_and_reflected_at_them() -> None:
    data = moving_digits(all_digits(), 300, seed=5, motion=Motion(slowest=1.0, fastest=1.0))
    steps = data.centres[:, :, 0].diff(dim=1)
    turned = (steps[:, 1:] * steps[:, :-1] < 0).any(dim=2)
    free = (data.centres[:, :, 0] > 4.6).all(2) & (data.centres[:, :, 0] < 10.4).all(2)  # no wall within a step
    inside = free[:, 1:-1] & free[:, :-2] & free[:, 2:]
    assert steps.diff(dim=1).abs().amax(2)[inside].max() < 1e-5
    assert inside.any() and turned.any()
    assert steps.norm(dim=2)[free[:, 1:] & free[:, :-1]].sub(1.0).abs().max() < 1e-5


def test_fold_reflects() -> None:
    line = torch.tensor([-1.0, 0.0, 3.0, 8.0, 9.5, 16.0, 17.0])
    assert fold(line, 8.0).tolist() == [1.0, 0.0, 3.0, 8.0, 6.5, 0.0, 1.0]
    assert fold(line, 0.0).tolist() == [0.0] * 7


def test_without_walls_digits_come_in_on_the_other_side() -> None:
    centres = moving_digits(all_digits(), 100, seed=6, motion=NO_WALL).centres[:, :, 0]
    steps = centres.diff(dim=1)
    jumped = steps.abs() > 8.0
    assert jumped.any()
    steps = (steps + 8.0) % 16.0 - 8.0
    assert steps.diff(dim=1).abs().max() < 1e-4


def test_the_front_digit_names_the_clip_and_covers_the_other() -> None:
    images = torch.stack([torch.full((1, 8, 8), 1.0), torch.full((1, 8, 8), 0.0)])  # full and half ink
    data = moving_digits(Digits(images, torch.tensor([3, 7])), 40, seed=7, motion=Motion(digits=2))
    assert data.centres.shape == (40, 8, 2, 2)
    row, column = data.centres[:, 0, 0].round().long().T
    full = data.clips[torch.arange(40), 0, 0, row, column]
    assert (full[data.labels == 3] > 1.0 - 1e-5).all()
    assert (full[data.labels == 7] > -1e-5).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"slowest": 2.0, "fastest": 1.0}, "slowest 2.0 above fastest 1.0"),
        ({"slowest": -1.0}, "slowest is -1.0: give a number from 0 to 16"),
        ({"fastest": float("nan")}, "fastest is nan: give a number from 0 to 16"),
        ({"digits": 3}, "digits is 3: give a whole number from 1 to 2"),
    ],
)
def test_bad_motion_is_named(settings: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Motion(**settings)


def test_motion_is_read_from_a_text() -> None:
    assert parse_motion("bounce=False:digits=2") == Motion(bounce=False, digits=2)
    assert parse_motion("slowest=0.5:fastest=2:bounce=True") == Motion(slowest=0.5, fastest=2.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed=3", "--motion setting is 'speed=3': give one of slowest, fastest, bounce, digits and =VALUE"),
        ("", "--motion setting is '': give one of"),
        ("fastest=far", "--motion setting fastest is 'far': give a number"),
        ("digits=1.5", "--motion setting digits is '1.5': give a whole number"),
        ("bounce=no", "--motion setting bounce is 'no': give True or False"),
        ("slowest=3", "slowest 3.0 above fastest 1.0: give the lower speed"),
    ],
)
def test_bad_motion_texts_are_named(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_motion(text)


@pytest.mark.parametrize(("field", "value"), [("count", 0), ("frames", 0), ("size", 7)])
def test_bad_sizes_are_named(field: str, value: int) -> None:
    with pytest.raises(UserError, match=f"field {field} is {value}"):
        moving_digits(all_digits(), **{"count": 1, "seed": 0, field: value})
