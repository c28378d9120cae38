"""Where the redundancy lies: shares by kind and by third, and their words."""

import numpy as np
import pytest

from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.run.redundancy import kind_rows, shape_of

KINDS = ["spatial attention", "MLP", "temporal attention", "MLP"]


def test_kinds_follow_from_the_config():
    video = NAMED_MODELS["moving-digits"]
    assert video.first_blocks(2).sub_block_kinds() == KINDS
    assert len(video.sub_block_kinds()) == len(video.sub_block_macs())
    assert DiTConfig(depth=1).sub_block_kinds() == ["attention", "MLP"]
    assert video.model_copy(update={"attention": "joint", "depth": 1}).sub_block_kinds() == ["attention", "MLP"]


def test_shares_by_kind_and_third():
    """Two samples, seven timesteps (thirds of three, two and two), four sub-blocks, two contexts."""
    reused = np.zeros((2, 7, 4, 2), bool)
    reused[:, 3:5, 2] = True  # the temporal one, in the middle
    reused[0, :3, 0, 1] = True  # one sample and context of the spatial one, at first
    reused[:, 5:, 3] = True  # one of two MLPs, at last
    spatial, mlp, temporal, all_ = kind_rows(DecisionRecord(~reused), KINDS)
    assert (spatial.kind, spatial.thirds, spatial.shape) == ("spatial attention", (0.25, 0, 0), "front-loaded")
    assert (mlp.kind, mlp.thirds, mlp.shape) == ("MLP", (0, 0, 0.5), "back-loaded")
    assert (temporal.kind, temporal.thirds, temporal.shape) == ("temporal attention", (0, 1, 0), "most in the middle")
    assert all_.kind == "all" and all_.share == pytest.approx(reused.mean())
    assert kind_rows(DecisionRecord(~reused[:, :2]), KINDS) == []


@pytest.mark.parametrize(
    "thirds, words",
    [
        ((0.5, 0.51, 0.5), "even"),
        ((0.5, 0.2, 0.4), "least in the middle"),
        ((0.2, 0.5, 0.4), "most in the middle"),
        ((0.5, 0.5, 0.2), "front-loaded"),
        ((0.1, 0.5, 0.5), "back-loaded"),
    ],
)
def test_thirds_in_words(thirds, words):
    assert shape_of(*thirds) == words
