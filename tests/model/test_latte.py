"""Latte as published: the frame embedding after the first spatial block, equal to the library's module in float."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import LatteTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from radit.cli import main
from radit.model.dit.checkpoint import load_model
from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler import Sampler
from radit.model.dit.transformer import DiT, first_blocks
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate, load_or_calibrate

FRAMES, CLOSE = 4, 1e-5
CONFIG = DiTConfig(
    input_size=8, patch_size=2, in_channels=4, hidden_size=16, depth=4, num_heads=2, num_classes=3, frames=FRAMES,
    frame_embedding="first-block",
)  # fmt: skip
NAMES = {
    "attn1.to_out.0": "attn.proj", "ff.net.0.proj": "mlp.fc1", "ff.net.2": "mlp.fc2",
}  # fmt: skip


def library_model() -> LatteTransformer3DModel:
    """Without cross-attention: text does not count."""
    torch.manual_seed(5)
    return LatteTransformer3DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, num_layers=2, sample_size=8, patch_size=2,
        attention_bias=True, norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
        caption_channels=8, activation_fn="gelu-approximate", video_length=FRAMES, num_embeds_ada_norm=1000,
    ).eval()  # fmt: skip


def same_blocks(library: LatteTransformer3DModel) -> DiT:
    """Our model with the library's embedding and blocks; conditioning and last layer are the caller's."""
    ours = DiT(CONFIG).eval()
    state = dict(ours.state_dict())
    pairs = zip(library.transformer_blocks, library.temporal_transformer_blocks, strict=True)
    blocks = [block.state_dict() for pair in pairs for block in pair]
    for index, block in enumerate(blocks):
        for name, there in NAMES.items():
            for leaf in ("weight", "bias"):
                state[f"blocks.{index}.{there}.{leaf}"] = block[f"{name}.{leaf}"]
        for leaf in ("weight", "bias"):
            joined = torch.cat([block[f"attn1.to_{part}.{leaf}"] for part in "qkv"])
            state[f"blocks.{index}.attn.qkv.{leaf}"] = joined
    state["x_embedder.proj.weight"] = library.pos_embed.proj.weight.detach()
    state["x_embedder.proj.bias"] = library.pos_embed.proj.bias.detach()
    ours.load_state_dict(state)
    return ours


@torch.no_grad()
def test_blocks_and_frame_embedding_are_the_librarys() -> None:
    library, t = library_model(), torch.tensor([700, 20])
    clip = torch.randn(2, FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    ours = same_blocks(library)
    wanted = library(clip.transpose(1, 2), timestep=t, encoder_hidden_states=torch.zeros(2, 3, 8)).sample
    vectors, embedded = library.adaln_single(t, {"resolution": None, "aspect_ratio": None}, 2, torch.float32)
    pairs = zip(library.transformer_blocks, library.temporal_transformer_blocks, strict=True)
    tables = torch.stack([block.scale_shift_table for pair in pairs for block in pair])
    modulation = tables + vectors.reshape(2, 1, 6, -1)  # adaLN-single
    found = _last_layer(library, ours.run_blocks(ours.embed(clip), modulation), embedded)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < CLOSE
    at_input = DiT(CONFIG.model_copy(update={"frame_embedding": "input"})).eval()
    at_input.load_state_dict(ours.state_dict())
    other = _last_layer(library, at_input.run_blocks(at_input.embed(clip), modulation), embedded)
    assert float((other - wanted).abs().max() / wanted.abs().max()) > 1000 * CLOSE


def _last_layer(library: LatteTransformer3DModel, tokens: Tensor, embedded: Tensor) -> Tensor:
    shift, scale = (library.scale_shift_table[None] + embedded[:, None]).chunk(2, dim=1)
    patches = library.proj_out(functional.layer_norm(tokens, tokens.shape[-1:], eps=1e-6) * (1 + scale) + shift)
    patches = patches.reshape(2, FRAMES, 4, 4, 2, 2, 4)
    return patches.permute(0, 6, 1, 2, 4, 3, 5).reshape(2, 4, FRAMES, 8, 8)


def published(folder: Path) -> str:
    torch.manual_seed(2)
    path = folder / "latte.safetensors"
    save_file({name: value.contiguous() for name, value in DiT(CONFIG).state_dict().items()}, path)
    return f"{path}:num_heads=2:num_classes=3:prediction=noise:samples=latents:attention=alternating"


def test_a_published_file_runs_in_float(tmp_path: Path) -> None:
    name = published(tmp_path)
    dit = load_model(f"{name}:frame_embedding=first-block")
    assert dit.config == CONFIG and first_blocks(dit, 1).config.adds_frames_later
    with pytest.raises(UserError, match="frame_embedding, and neither do its shapes"):
        load_model(name)
    for refused in (lambda: calibrate(dit, Sampler(2)), lambda: load_or_calibrate(dit, None, Sampler(2))):
        with pytest.raises(UserError, match="frame_embedding is first-block, but the machine has no addition there"):
            refused()


COMMANDS = [  # the others have nobody who judges what it generates
    ["cosim"],
    ["project"],
    ["area"],
    ["timing"],
    ["bench"],
    ["calibrate", "--target", "speedup=3", "--images", "1"],
    ["differences", "--samples", "2"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_computes_it_as_another(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = f"{published(tmp_path)}:frame_embedding=first-block"
    before = sorted(tmp_path.rglob("*"))
    assert main([*command, "--model", model]) == 2
    said = capsys.readouterr()
    assert "frame_embedding is first-block" in said.err and said.err.count("\n") == 1 and said.out == ""
    assert sorted(tmp_path.rglob("*")) == before
