"""Names that wrap a model, models that leave something out, and other models called by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from radit.model.dit.checkpoint import load_checkpoint, load_config, load_model
from radit.model.dit.config import DiTConfig
from radit.model.dit.facts import Facts
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.transformer import DiT, blank_model
from radit.model.errors import UserError
from radit.model.weights.namings import plain_names
from radit.model.weights.other_models import OTHER_MODELS, other_model

SMALL = DiTConfig(input_size=4, hidden_size=16, depth=2, num_heads=2, num_classes=5)
TOLD = Facts(num_heads=2, num_classes=5, prediction="noise", samples="pixels")
SAID = ":num_heads=2:num_classes=5:prediction=noise:samples=pixels"


def randomized(config: DiTConfig = SMALL, seed: int = 4) -> DiT:
    """A model none of whose tensors is zero."""
    torch.manual_seed(seed)
    model = DiT(config)
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(torch.randn_like(value) * 0.3)
    return model.eval()


@pytest.fixture
def state() -> dict[str, Tensor]:
    return dict(randomized().state_dict())


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model.", "net.module.", "ema_model.module."]
)
def test_wrappers_are_taken_off(prefix: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    wrapped = {f"{prefix}{name}": value for name, value in state.items()}
    torch.save(wrapped, tmp_path / "plain.pt")
    save_file(wrapped, tmp_path / "plain.safetensors")
    for name in ("plain.pt", "plain.safetensors"):
        assert same(load_checkpoint(tmp_path / name, TOLD)[1], state)


def test_compiled_blocks_and_averages(state: dict[str, Tensor], tmp_path: Path) -> None:
    inner = {f"module.{name.replace('blocks.1.', 'blocks.1._orig_mod.')}": value for name, value in state.items()}
    torch.save({**inner, "n_averaged": torch.tensor(3)}, tmp_path / "averaged.pt")  # torch's AveragedModel
    assert same(load_checkpoint(tmp_path / "averaged.pt", TOLD)[1], state)


def test_a_checkpoint_of_lightning(state: dict[str, Tensor], tmp_path: Path) -> None:
    """The averaged model is taken, and what else a module holds is left."""
    stale = {f"model.{name}": torch.zeros_like(value) for name, value in state.items()}
    averaged = {f"ema.module.{name}": value for name, value in state.items()}
    found = {**stale, **averaged, "vae.decoder.conv_in.weight": torch.ones(2)}
    content = {"epoch": 3, "global_step": 7, "pytorch-lightning_version": "2.5", "state_dict": found, "callbacks": {},
               "optimizer_states": [{"state": {}}], "hyper_parameters": {"lr": 1e-4}}  # fmt: skip
    torch.save(content, tmp_path / "last.ckpt")
    assert same(load_checkpoint(tmp_path / "last.ckpt", TOLD)[1], state)
    assert load_config(f"{tmp_path}/last.ckpt{SAID}") == SMALL
    with pytest.raises(UserError, match="holds several models .model., teacher.*: write the one that is wanted"):
        plain_names({**stale, **{f"teacher.{name}": value for name, value in state.items()}}, "File")


def test_one_name_wrapped_and_plain(state: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match="File holds pos_embed twice, wrapped and plain"):
        plain_names({**state, "module.pos_embed": state["pos_embed"]}, "File")


@pytest.mark.parametrize("left_out", ["attn.qkv.bias", ".bias"])
def test_models_without_biases(left_out: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    kept = {name: value for name, value in state.items() if not name.endswith(left_out)}
    save_file(kept, tmp_path / "plain.safetensors")
    found = load_model(f"{tmp_path}/plain.safetensors{SAID}").state_dict()
    wanted = {name: torch.zeros_like(value) if name.endswith(left_out) else value for name, value in state.items()}
    assert same(found, wanted)


@pytest.mark.parametrize("name", ["blocks.1.attn.qkv.bias", "x_embedder.proj.bias"])
def test_a_single_missing_bias_is_damage(name: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    del state[name]
    save_file(state, tmp_path / "plain.safetensors")
    with pytest.raises(UserError, match=f"Tensor {name} .* is missing"):
        load_checkpoint(tmp_path / "plain.safetensors", TOLD)


def test_a_model_without_labels(tmp_path: Path) -> None:
    """As Latte's of faces and skies: its conditioning is the timestep's alone."""
    config = DiTConfig(
        input_size=4,
        patch_size=2,
        hidden_size=16,
        depth=2,
        num_heads=2,
        num_classes=1,
        class_dropout_prob=0.0,
        frames=2,
    )
    wanted = randomized(config)
    with torch.no_grad():
        wanted.y_embedder.embedding_table.weight.zero_()
    state = {name: value for name, value in wanted.state_dict().items() if not name.startswith("y_embedder")}
    torch.save({"ema": state}, tmp_path / "sky.pt")
    path = f"{tmp_path}/sky.pt:num_heads=2:prediction=noise:samples=pixels:attention=alternating:frame_embedding=input"
    found = load_model(path)
    assert found.config == config and load_config(path) == config
    noise, y = make_noise(config, 2, 0), torch.zeros(2, dtype=torch.long)
    assert torch.equal(sample(found, noise, y, Sampler(2), 1.0), sample(wanted, noise, y, Sampler(2), 1.0))
    with pytest.raises(UserError, match="no null class"):
        sample(found, noise, y, Sampler(2), 1.5)


SIGNS = {
    "Stable Diffusion 3": ["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight",
                           "transformer_blocks.0.attn.add_q_proj.weight"],
    "Flux": ["double_blocks.0.img_attn.qkv.weight", "single_transformer_blocks.0.attn.to_q.weight"],
    "a U-Net": ["model.diffusion_model.input_blocks.0.0.weight", "down_blocks.0.resnets.0.conv1.weight"],
    "HunyuanVideo": ["double_blocks.0.img_attn_qkv.weight"],
    "Wan": ["blocks.0.cross_attn.norm_q.weight"],
    "CogVideoX": ["patch_embed.text_proj.weight"],
    "Sana": ["transformer_blocks.0.ff.conv_inverted.weight"],
    "Hunyuan-DiT": ["blocks.0.default_modulation.1.weight"],
    "Open-Sora": ["blocks.0.attn_temp.qkv.weight"],
    "LightningDiT": ["blocks.0.mlp.w12.weight"],
    "U-ViT": ["in_blocks.0.attn.qkv.weight"],
    "a VAE": ["first_stage_model.decoder.conv_in.weight"],
    "LoRA weights": ["transformer.blocks.0.attn.qkv.lora_A.weight"],
    "fp8 weights with scales beside them": ["blocks.0.attn.qkv.weight_scale"],
}  # fmt: skip


@pytest.mark.parametrize("title", SIGNS)
def test_other_models_are_called_by_their_names(title: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    for name in SIGNS[title]:
        for beside in ({}, state):  # some share the names of a DiT beside their own
            path = tmp_path / "other.safetensors"
            save_file({**beside, name: torch.ones(2)}, path)
            with pytest.raises(UserError, match=f"holds {title}.*, for which the machine lacks ") as caught:
                load_config(path)
            assert len(str(caught.value)) < 500


def test_every_other_model_has_a_test_and_no_sign_of_a_dit() -> None:
    assert {each.title for each in OTHER_MODELS} == SIGNS.keys()
    clip = DiTConfig(input_size=4, hidden_size=16, depth=2, num_heads=2, frames=2)
    for config in (SMALL, clip, SMALL.model_copy(update={"embedders": "per-block"})):
        names: Any = blank_model(config).state_dict()
        assert plain_names(names, "File") == names
    assert other_model("FluxTransformer2DModel") is not None and other_model("DiTTransformer2DModel") is None
