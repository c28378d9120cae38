"""What a checkpoint's shapes do not tell: from its config, its training program or the user, and never guessed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from radit.model.dit.checkpoint import load_config, load_model, read_metadata, save_checkpoint
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.facts import Facts, infer_config
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.shapes import tensor_shapes, weight_count
from radit.model.dit.transformer import DiT, blank_model
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense

SMALL = DiTConfig(input_size=4, hidden_size=16, depth=2, num_heads=2, num_classes=5)
CLIP = DiTConfig(input_size=4, patch_size=2, hidden_size=16, depth=2, num_heads=2, num_classes=3, frames=4)
SAID = "num_heads=2:num_classes=5:prediction=noise:samples=pixels"


def shapes(config: DiTConfig) -> dict[str, Tensor]:
    """A state dict without values."""
    return {name: torch.empty(shape, device="meta") for name, shape in tensor_shapes(config)}


def plain(path: Path, config: DiTConfig = SMALL, seed: int = 4) -> Path:
    """A file of a model's weights without its config."""
    torch.manual_seed(seed)
    save_file({name: value.contiguous() for name, value in DiT(config).state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    "config", [SMALL, CLIP, NAMED_MODELS["dit-s-2"], SMALL.model_copy(update={"class_dropout_prob": 0.0})]
)
def test_shapes_are_those_of_the_module(config: DiTConfig) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in blank_model(config).state_dict().items()}
    assert dict(tensor_shapes(config)) == wanted
    assert weight_count(config) == sum(tensor.numel() for tensor in blank_model(config).state_dict().values())


@pytest.mark.parametrize("name", ["dit-s-2", "dit-b-2", "dit-l-2", "dit-xl-2", "dit-xl-2-512"])
def test_published_sizes_tell_all_but_what_they_predict(name: str) -> None:
    """SiT has the same names and shapes, and predicts velocities."""
    config = NAMED_MODELS[name]
    assert infer_config(shapes(config), Facts(prediction="noise"), "File") == config
    with pytest.raises(UserError, match=r"tells prediction, and .* FILE:prediction=noise\|velocity\|v"):
        infer_config(shapes(config), Facts(), "File")
    with pytest.raises(UserError, match="prediction is velocity, but the samplers here take predicted noise"):
        infer_config(shapes(config), Facts(prediction="velocity"), "File")


def test_a_published_clip_model_says_where_it_adds_frames() -> None:
    config = NAMED_MODELS["latte-xl-2"]
    with pytest.raises(UserError, match="tells prediction, attention, frame_embedding, and"):
        infer_config(shapes(config), Facts(), "File")
    told = Facts(prediction="noise", attention="alternating", frame_embedding="first-block")
    assert infer_config(shapes(config), told, "File") == config and config.frames_before == 2
    own = Facts(prediction="noise", attention="alternating", frame_embedding="input")
    assert infer_config(shapes(config), own, "File") == config.model_copy(update={"frame_embedding": "input"})


def test_other_sizes_are_asked_for(tmp_path: Path) -> None:
    path = plain(tmp_path / "plain.safetensors")
    with pytest.raises(UserError, match="tells num_heads, num_classes, prediction, samples, and") as caught:
        load_model(path)
    assert str(caught.value).startswith("Checkpoint ") and "plain.safetensors names no config that" in str(caught.value)
    assert load_model(f"{path}:{SAID}").config == SMALL
    assert load_config(f"{path}:{SAID}").num_heads == 2
    eight = DiTConfig(input_size=4, hidden_size=128, depth=1, num_heads=8, num_classes=5)  # 128 / 64 would be 2
    with pytest.raises(UserError, match="num_heads"):
        infer_config(shapes(eight), Facts(num_classes=5, prediction="noise", samples="pixels"), "File")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("num_heads=many", "model setting num_heads is 'many': give a whole number"),
        ("heads=2", "model setting is 'heads=2': give one of num_heads, num_classes, prediction"),
        ("", "model setting is '': give one of num_heads"),
        (SAID.replace("5", "4"), None),
        (SAID.replace("5", "3"), "num_classes is 3, but Checkpoint .* has 6 rows of labels: give 5, or 6"),
        (SAID + ":attention=joint", "attention or frame_embedding is for clips"),
        (SAID.replace("=2", "=3"), "num_heads 3 does not divide hidden_size 16"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path: Path, settings: str, words: str | None) -> None:
    path = plain(tmp_path / "plain.safetensors")
    with pytest.raises(UserError, match=words or "num_classes is 4"):
        load_config(f"{path}:{settings}")


def test_settings_must_agree_with_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, DiT(SMALL))
    assert load_config(f"{path}:num_heads=2") == SMALL
    with pytest.raises(UserError, match="num_heads is 4, but Checkpoint .*own.safetensors has 2: leave it out"):
        load_model(f"{path}:num_heads=4")
    with pytest.raises(UserError, match="Model digits is known, settings are for checkpoint files"):
        load_model("digits:num_heads=4")


@pytest.mark.parametrize(("name", "words"), [("DiT-XX/1", None), ("SiT-XX/1", "prediction is velocity")])
def test_a_training_file_tells_what_it_predicts(tmp_path: Path, name: str, words: str | None) -> None:
    told = argparse.Namespace(model=name, num_classes=5)
    torch.save({"ema": DiT(SMALL).state_dict(), "args": told}, tmp_path / "trainer.pt")
    text = f"{tmp_path}/trainer.pt:num_heads=2:samples=pixels"
    if words is None:
        assert load_config(text) == SMALL
        with pytest.raises(UserError, match="prediction is velocity, but .* has noise"):
            load_config(f"{text}:prediction=velocity")
    else:
        with pytest.raises(UserError, match=words):
            load_config(text)


def test_a_config_in_a_file_says_what_shapes_do_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, DiT(SMALL), {"config": '{"input_size": 4, "hidden_size": 16, "depth": 2, "num_classes": 5}'})
    with pytest.raises(UserError, match="own.safetensors has a config without num_heads: write it with all fields"):
        load_model(path)


def test_a_model_without_null_class_is_not_guided(tmp_path: Path) -> None:
    """Its label table has no row for the null class: the last label, or none, would be taken for it."""
    path = plain(tmp_path / "plain.safetensors", SMALL.model_copy(update={"class_dropout_prob": 0.0}))
    dit = load_model(f"{path}:{SAID}")
    assert not dit.config.has_null_class
    noise, y = make_noise(dit.config, 2, 0), torch.tensor([3, 4])
    with pytest.raises(UserError, match="cfg is 1.5, but the model has no null class, which guidance needs: give 1"):
        sample(dit, noise, y, Sampler(2), cfg=1.5)
    integer = quantize(dit, calibrate(dit, Sampler(2), 1.0, images=2), Sampler(2))
    reference = Reference(integer, dense().tables(integer))
    with pytest.raises(UserError, match="no null class"):
        generate(reference, dit, y, noise, cfg=1.5)
    images, _ = generate(reference, dit, y, noise, cfg=1.0)
    assert images.shape == noise.shape


def test_latents_of_three_channels_are_not_clipped() -> None:
    pixels = DiTConfig(input_size=4, in_channels=3, hidden_size=16, depth=1, num_heads=2, num_classes=3)
    latents = DiTConfig(**pixels.model_dump(), samples="latents")
    torch.manual_seed(1)
    images = [
        sample(DiT(config), 3 * make_noise(config, 2, 5), torch.tensor([0, 1]), Sampler(3))
        for config in (pixels, latents)
    ]
    assert float(images[0].abs().max()) <= 1.0 < float(images[1].abs().max())
    assert "samples" not in pixels.model_dump() and latents.model_dump()["samples"] == "latents"


def test_the_mlp_is_an_integer_whatever_the_ratio(tmp_path: Path) -> None:
    """244 / 28 * 28 is 243.99.. in floating point."""
    for hidden, mlp in ((28, 244), (12, 4), (64, 177), (1152, 4607), (96, 95)):
        assert DiTConfig(hidden_size=hidden, num_heads=1, mlp_ratio=mlp / hidden).mlp_hidden == mlp
    config = DiTConfig(input_size=4, hidden_size=28, depth=1, num_heads=2, mlp_ratio=244 / 28, num_classes=5)
    path = plain(tmp_path / "plain.safetensors", config)
    assert load_model(f"{path}:{SAID}").config == config and config.mlp_hidden == 244
    save_checkpoint(path, load_model(f"{path}:{SAID}"))
    assert load_model(path).config.mlp_hidden == 244 and "config" in read_metadata(path)
