"""A block of DiT-S/2's size: 384 channels, 6 heads, 256 tokens, both contexts, computed and then skipped."""

import json

import pytest

from radit import cli
from radit.accel.config import BuildConfig
from radit.cosim.support.sizes import build_for, dims_of
from radit.model.dit.config import NAMED_MODELS, DiTConfig

COMMAND = "cosim --model dit-s-2 --blocks 1 --timesteps 2 --array 16x16 --policy radit:threshold=0.1:first_dense=1"


@pytest.mark.needs("verilator")
def test_a_block_of_dit_s_2(tmp_path, capsys):
    assert cli.main([*COMMAND.split(), "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    check, result = summary["check"], summary["results"]["radit"]
    assert (check["words_mismatched"], check["decisions_mismatched"]) == (0, 0)
    assert check["words_compared"] > 2 * 2 * 256 * 384 * 10 and check["decisions_compared"] == 2 * 2 * 2
    assert check["images_identical"] and check["counters_equal"]
    dense = 2 * 2 * sum(NAMED_MODELS["dit-s-2"].macs())
    assert result["macs"] < dense and result["mac_skip_rate"] == pytest.approx(1 - result["macs"] / dense)
    assert result["counters"]["cache_reads"] > 0
    assert "GMAC/s" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["dit-s-2", "dit-b-2", "dit-l-2", "dit-xl-2"])
def test_one_build_runs_all_latent_models(name):
    largest = BuildConfig(64, 64, max_hidden=1152, max_mlp=4608, max_tokens=256, max_sub_blocks=56)
    assert build_for(dims_of(NAMED_MODELS[name], 2), 64, 64) == largest
    assert build_for(dims_of(NAMED_MODELS[name].first_blocks(1), 1), 64, 64) == largest


def test_other_models_have_the_build_that_holds_them():
    assert build_for(dims_of(NAMED_MODELS["digits"], 2), 16, 16) == BuildConfig()
    wide = DiTConfig(input_size=64, patch_size=2, hidden_size=1280, num_heads=20, depth=2)
    build = build_for(dims_of(wide, 2), 32, 32)
    assert (build.max_hidden, build.max_tokens, build.max_sub_blocks) == (1280, 1024, 4)
