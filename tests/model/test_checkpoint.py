"""Checkpoint files: round trips, published layouts, and every kind of bad file."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from radit.model.dit.checkpoint import (
    CHECKPOINT_DIR,
    find_checkpoint,
    load_checkpoint,
    load_config,
    load_model,
    read_metadata,
    save_checkpoint,
)
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.facts import Facts
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError

SMALL = DiTConfig(input_size=4, hidden_size=16, depth=2, num_heads=2, num_classes=5)
TOLD = Facts(num_heads=2, num_classes=5, prediction="noise", samples="pixels")
QKV = "blocks.1.attn.qkv.weight"


@pytest.fixture
def model() -> DiT:
    torch.manual_seed(4)
    return DiT(SMALL)


@pytest.fixture
def file(model: DiT, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, model, {"seed": "4"})
    return path


def rewrite(path: Path, state: dict[str, Tensor]) -> None:
    """Replace the tensors of a checkpoint, its metadata kept."""
    save_file(state, path, metadata=read_metadata(path))


def test_round_trip(model: DiT, file: Path) -> None:
    config, state = load_checkpoint(file)
    assert config == SMALL
    assert read_metadata(file)["seed"] == "4"
    loaded = load_model(file)
    assert not loaded.training and not any(value.requires_grad for value in loaded.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(state[name], value) and torch.equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize("wrap", ["plain", "ema", "trainer"])
@pytest.mark.parametrize("extension", [".pt", ".pth"])
def test_published_layouts(model: DiT, tmp_path: Path, wrap: str, extension: str) -> None:
    state, path = model.state_dict(), tmp_path / f"official{extension}"
    stale = {name: torch.zeros_like(value) for name, value in state.items()}
    trainer = {"model": stale, "ema": state, "opt": {"step": 3}, "args": argparse.Namespace(model="DiT")}
    torch.save({"plain": state, "ema": {"ema": state}, "trainer": trainer}[wrap], path)
    config, found = load_checkpoint(path, TOLD)
    assert config == SMALL
    assert torch.equal(found[QKV], state[QKV])


def test_missing_tensor(file: Path) -> None:
    state = load_file(file)
    del state[QKV]
    rewrite(file, state)
    with pytest.raises(UserError, match=r"blocks.1.attn.qkv.weight \(48, 16\) is missing: pass a complete"):
        load_checkpoint(file)


def test_missing_tensor_that_decides_a_dimension(model: DiT, tmp_path: Path) -> None:
    state, path = model.state_dict(), tmp_path / "plain.pt"
    del state["x_embedder.proj.weight"]
    torch.save(state, path)
    with pytest.raises(UserError, match="x_embedder.proj.weight is missing and the file names no config"):
        load_checkpoint(path)


def test_wrong_number_of_axes(model: DiT, tmp_path: Path) -> None:
    path = tmp_path / "plain.pt"
    torch.save({**model.state_dict(), "pos_embed": torch.zeros(16, 16)}, path)
    with pytest.raises(UserError, match=r"pos_embed has shape \(16, 16\) where 3 axes are wanted"):
        load_checkpoint(path)


def test_misshapen_tensor(file: Path) -> None:
    rewrite(file, {**load_file(file), QKV: torch.zeros(48, 12)})
    with pytest.raises(UserError, match=r"qkv.weight has shape \(48, 12\) where the config wants \(48, 16\): pass"):
        load_checkpoint(file)


def test_unknown_tensor(file: Path) -> None:
    rewrite(file, {**load_file(file), "head.bias": torch.zeros(3)})
    with pytest.raises(UserError, match=r"head.bias \(3,\) is unknown to the config: remove it"):
        load_checkpoint(file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(file: Path, value: float) -> None:
    state = load_file(file)
    state[QKV][3, 5] = value
    rewrite(file, state)
    with pytest.raises(UserError, match="qkv.weight holds 1 values that are not finite: pass an undamaged"):
        load_checkpoint(file)


def test_integer_tensor(file: Path) -> None:
    state = load_file(file)
    rewrite(file, {**state, QKV: state[QKV].to(torch.int32)})
    with pytest.raises(UserError, match="qkv.weight holds torch.int32: pass a checkpoint with floating-point"):
        load_checkpoint(file)


@pytest.mark.parametrize("keep", [0, 5, 400, -1])
def test_truncated_safetensors(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"small.safetensors cannot be read .*: pass an undamaged"):
        load_checkpoint(file)


@pytest.mark.parametrize("keep", [0, 5, 4000, -1])
def test_truncated_pickle(model: DiT, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.pt"
    torch.save(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"cut.pt cannot be read .*: pass an undamaged"):
        load_checkpoint(path)


def test_pickle_that_would_run_code(tmp_path: Path) -> None:
    path = tmp_path / "code.pt"
    torch.save({"ema": Path("/")}, path)
    with pytest.raises(UserError, match="code.pt cannot be read"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [[1, 2], {"step": 3}, {"ema": {"step": 3}}])
def test_pickle_without_state_dict(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match="other.pt holds no state dict: pass a file of named tensors"):
        load_checkpoint(path)


@pytest.mark.parametrize(("text", "words"), [("{", "not JSON"), ("3", "the config 3"), ('{"depth": 0}', "depth is 0")])
def test_bad_config_in_metadata(model: DiT, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, model, {"config": text})
    with pytest.raises(UserError, match=words):
        load_checkpoint(path)


def test_unknown_extension_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="unknown extension '.onnx': pass a .safetensors, .pt, .pth, .ckpt or .bin file"
    ):
        load_checkpoint(tmp_path / "model.onnx")
    with pytest.raises(UserError, match="nowhere.pt is not a file: check the path"):
        load_checkpoint(tmp_path / "nowhere.pt")


def test_writing_elsewhere(model: DiT, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="extension '.pt': write a .safetensors file"):
        save_checkpoint(tmp_path / "model.pt", model)
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(UserError, match="cannot be written .*: choose a "):
        save_checkpoint(tmp_path / "taken" / "model.safetensors", model)


def test_weights_that_are_not_finite_are_not_written(model: DiT, tmp_path: Path) -> None:
    """A training can end so."""
    with torch.no_grad():
        model.pos_embed[0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="pos_embed holds 1 values that are not finite: nothing is written, train"):
        save_checkpoint(tmp_path / "model.safetensors", model)
    assert not list(tmp_path.iterdir())


def test_model_names() -> None:
    with pytest.raises(UserError, match="Model digit is unknown: use one of digits, dit-s-2"):
        load_model("digit")
    assert load_config("dit-xl-2") == NAMED_MODELS["dit-xl-2"] and find_checkpoint("dit-xl-2") is None
    assert load_model("dit-s-2").config == NAMED_MODELS["dit-s-2"]


def test_shipped_digits() -> None:
    path = CHECKPOINT_DIR / "digits.safetensors"
    assert path.stat().st_size < 5_000_000
    assert load_model("digits").config == NAMED_MODELS["digits"]
    assert {"seed", "steps", "provenance"} <= read_metadata(path).keys()
