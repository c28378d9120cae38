"""Clips through the hardware: what runs, by registers alone, follows from the model's config."""

import json

import pytest
import torch
from PIL import Image

from radit import cli
from radit.accel.config import BuildConfig
from radit.cosim.pack import groups_of
from radit.cosim.support.sizes import build_for, dims_of
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.groups import attention_groups
from radit.reports.run.arrays import load_arrays

CLIP = DiTConfig(input_size=8, patch_size=2, hidden_size=32, depth=2, num_heads=2, frames=4, num_classes=3)
JOINT = CLIP.model_copy(update={"input_size": 6, "frames": 3, "attention": "joint"})  # 27 tokens, padded to 32
LATTE_WIDE = NAMED_MODELS["latte-xl-2"].model_copy(update={"input_size": 8, "frames": 4})  # 64 tokens


def run(tmp_path, *arguments: str) -> dict:
    """The summary.json of a run in which all is equal."""
    assert cli.main(["cosim", "--steps", "50", "--array", "16x16", *arguments, "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    check = summary["check"]
    assert (check["words_mismatched"], check["decisions_mismatched"]) == (0, 0)
    assert check["images_identical"] and check["counters_equal"]
    return summary


@pytest.mark.parametrize(
    "config, array",
    [(NAMED_MODELS["moving-digits"], 16), (NAMED_MODELS["latte-xl-2"], 64), (CLIP, 16), (JOINT, 16), (DiTConfig(), 8)],
)
def test_reference_and_machine_have_the_same_groups(config, array):
    """One from the config, in tokens; the other from the dimensions that make the registers."""
    dims = dims_of(config, contexts=2)
    build = build_for(dims, array, array)
    for found, wanted in zip(groups_of(dims, build), attention_groups(config, dims.padded_tokens(build)), strict=True):
        assert torch.equal(found.index, wanted.index)
        assert (found.valid is None) == (wanted.valid is None)
        assert found.valid is None or torch.equal(found.valid, wanted.valid)


def test_small_clips_share_a_build_and_images_do_not_use_it():
    video = BuildConfig(16, 16, max_hidden=128, max_mlp=512, max_tokens=128, frame_banks=8)
    for config in (NAMED_MODELS["moving-digits"], NAMED_MODELS["moving-digits"].first_blocks(1), CLIP):
        assert build_for(dims_of(config, 2), 16, 16) == video
    assert build_for(dims_of(JOINT, 2), 16, 16) == BuildConfig()
    assert build_for(dims_of(DiTConfig(input_size=16), 2), 16, 16).frame_banks == 1
    latte = build_for(dims_of(NAMED_MODELS["latte-xl-2"], 2), 64, 64)
    assert (latte.max_hidden, latte.max_tokens, latte.frame_banks) == (1152, 4096, 16)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"input_size": 12}, "group keys of the even blocks is 36 on 16 lanes"),
        ({"input_size": 6}, "group keys of the even blocks is 9 on 16 lanes"),
        ({"frames": 6}, "frames is 6: the machine attends over a power of two of frames"),
        ({"frames": 32}, "group frames of the odd blocks is 32, above the 16 lanes"),
    ],
)
def test_a_clip_that_cannot_be_laid_out_is_refused(tmp_path, monkeypatch, capsys, fields, words):
    monkeypatch.setitem(NAMED_MODELS, "clip", CLIP.model_copy(update=fields))
    assert cli.main(["cosim", "--model", "clip", "--array", "16x16", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not any(tmp_path.iterdir())


@pytest.mark.needs("verilator")
def test_whole_clips_are_exact(tmp_path):
    """A spatial and a temporal block, both contexts, computed, reused and forecast."""
    model = ("--model", "moving-digits", "--blocks", "2", "--timesteps", "3")
    eager = "first_dense=1:last_dense=0:threshold=1:schedule=1/1"
    summary = run(tmp_path, *model, "--policy", f"dense,radit:{eager},forecast:{eager}")
    config = NAMED_MODELS["moving-digits"].first_blocks(2)
    assert summary["results"]["dense"]["macs"] == 3 * 2 * sum(config.sub_block_macs())
    assert summary["results"]["dense"]["mac_utilization"] > 0.9
    assert (
        summary["results"]["dense"]["cycle_model"]["measured"]
        == summary["results"]["dense"]["cycle_model"]["predicted"]
    )
    assert summary["results"]["radit"]["counters"]["cache_reads"] > 0 < summary["results"]["radit"]["mac_skip_rate"]
    assert summary["check"]["words_compared"] > 3 * 2 * 128 * 128 * 10
    arrays = load_arrays(tmp_path / "arrays.npz")
    assert list(arrays.images) == ["dense", "radit", "forecast"]
    clip = arrays.images["dense"]
    assert clip.shape == (1, *config.sample_shape)
    with Image.open(tmp_path / "images" / "forecast_00.gif") as picture:
        assert picture.n_frames == 8 and picture.size == (256, 256)
    assert (tmp_path / "images" / "contact_sheet.png").exists()


@pytest.mark.needs("verilator")
def test_joint_attention_pads_the_last_tokens(tmp_path, monkeypatch):
    monkeypatch.setitem(NAMED_MODELS, "clip", JOINT)
    summary = run(tmp_path, "--model", "clip", "--timesteps", "2", "--policy", "radit:first_dense=1:threshold=1")
    assert summary["results"]["radit"]["mac_skip_rate"] > 0


@pytest.mark.needs("verilator")
def test_a_pair_of_blocks_of_full_width(tmp_path, monkeypatch):
    """1152 channels and 16 heads of 72, which no tile of 16 columns divides; fewer and smaller frames than Latte's."""
    monkeypatch.setitem(NAMED_MODELS, "clip", LATTE_WIDE)
    monkeypatch.setattr("radit.model.integer.calibration.DEFAULT_IMAGES", 1)
    pair = ("--model", "clip", "--blocks", "2", "--timesteps", "1", "--cfg", "1", "--bandwidth", "inf")
    summary = run(tmp_path, *pair, "--policy", "dense")
    assert summary["results"]["dense"]["macs"] == sum(LATTE_WIDE.first_blocks(2).sub_block_macs())
    assert (
        summary["results"]["dense"]["cycle_model"]["measured"]
        == summary["results"]["dense"]["cycle_model"]["predicted"]
    )
