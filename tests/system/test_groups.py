"""Attention over groups of tokens, by registers alone: frames of a video, and one place in all its frames."""

import numpy as np
import pytest

from radit.accel.dims import Group
from radit.cosim.pack import token_order
from radit.model.dit.groups import Groups
from radit.model.policy.skip_policy import dense
from tests.system.cosimulate import ARRAYS, EIGHTH, SKIPPING, Shape, cosimulate, make_task, small_build

VIDEOS = [(2, 16), (2, 32), (4, 32)]  # frames, tokens: one or two supertiles in a frame


def video(frames: int, tokens: int, **fields) -> Shape:
    """Even blocks attend within a frame, odd ones over time. ``VIDEOS`` has tokens for 8 lanes."""
    groups = {"even": Group(keys=tokens // frames), "odd": Group(frames=frames)}
    return Shape(tokens, **({"hidden": 12, "heads": 2, "mlp": 20, "seed": frames} | groups | fields))


def in_frames(frames: int, size: int) -> Groups:
    """A group per frame; token (p, f) is number f * S + p."""
    return Groups.of([[f * size + p for p in range(size)] for f in range(frames)])


def over_time(frames: int, size: int) -> Groups:
    """A group per place of a frame."""
    return Groups.of([[f * size + p for f in range(frames)] for p in range(size)])


@pytest.mark.parametrize("rows, cols", ARRAYS)
@pytest.mark.parametrize("frames, tokens", VIDEOS)
def test_every_token_has_its_lane(rows, cols, frames, tokens):
    build = small_build(rows, cols)
    wide, tokens = build.wide, tokens * build.wide // EIGHTH
    size = tokens // frames
    order = token_order(make_task(video(frames, tokens)).dims, build)
    for f in range(frames):
        for p in range(size):
            lane = (p + f * wide // frames) % wide
            assert order[(f * (size // wide) + p // wide) * wide + lane] == f * size + p


@pytest.mark.needs("verilator")
@pytest.mark.parametrize("rows, cols", ARRAYS)
@pytest.mark.parametrize("frames, tokens", VIDEOS)
def test_a_video_is_exact(rows, cols, frames, tokens):
    build = small_build(rows, cols)
    tokens *= build.wide // EIGHTH
    task = make_task(video(frames, tokens, hidden=24, heads=4, mlp=36))
    size = tokens // frames
    groups = in_frames(frames, size), over_time(frames, size)
    for policy in (dense(), SKIPPING):
        outcome = cosimulate("verilator", build, task, policy, groups=groups)
        outcome.assert_exact()
    assert 0 < np.count_nonzero(outcome.computed) < outcome.computed.size


@pytest.mark.needs("verilator")
@pytest.mark.parametrize("rows, cols", ARRAYS)
def test_even_blocks_may_be_the_temporal_ones(rows, cols):
    build = small_build(rows, cols)
    tokens = 4 * build.wide
    task = make_task(video(2, tokens, even=Group(frames=2), odd=Group()))
    groups = over_time(2, tokens // 2), Groups.single(tokens, tokens)
    cosimulate("verilator", build, task, SKIPPING, groups=groups).assert_exact()


@pytest.mark.needs("verilator")
@pytest.mark.parametrize("rows, cols", ARRAYS)
def test_groups_of_consecutive_tokens(rows, cols):
    build = small_build(rows, cols)
    one, two = build.wide, 2 * build.wide
    task = make_task(video(2, 4 * one, even=Group(keys=one), odd=Group(keys=two)))
    groups = in_frames(4, one), in_frames(2, two)
    cosimulate("verilator", build, task, SKIPPING, groups=groups).assert_exact()


@pytest.mark.needs("verilator")
def test_neighbours_in_time_are_told_from_neighbours_in_space():
    task = make_task(video(4, 32))
    wrong = in_frames(4, 8), Groups.of([[4 * p + f for f in range(4)] for p in range(8)])
    outcome = cosimulate("verilator", small_build(8, 8), task, dense(), groups=wrong)
    assert outcome.check.words_mismatched > 0
    assert "block 1 (attention)" in outcome.problems[0]
