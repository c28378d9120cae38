"""Folders of diffusers: what the library's own module computes from its random weights, and what cannot be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    FluxTransformer2DModel,
)
from diffusers.models.embeddings import get_timestep_embedding
from safetensors.torch import load_file, save_file
from torch import Tensor

from radit.cli import main
from radit.model.dit.checkpoint import find_checkpoint, load_config, load_model
from radit.model.dit.layers.embedders import timestep_features
from radit.model.dit.sampler import Sampler, guided, make_noise, predict_noise, sample, split_pairs
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense

SIZES: dict[str, Any] = {
    "num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 4, "out_channels": 8, "num_layers": 2,
    "sample_size": 8, "patch_size": 2, "num_embeds_ada_norm": 5,
}  # fmt: skip
SAID = ":prediction=noise:samples=latents"
WEIGHTS = "diffusion_pytorch_model.safetensors"
CLOSE = 1e-5  # relative to the largest value of the output


def library_model(**more: Any) -> DiTTransformer2DModel:
    torch.manual_seed(7)
    return DiTTransformer2DModel(**(SIZES | more)).eval()


def transformer_folder(folder: Path, **more: Any) -> Path:
    library_model(**more).save_pretrained(folder)
    return folder


def pipeline_folder(folder: Path, **scheduler: Any) -> Path:
    vae = AutoencoderKL(block_out_channels=(4,), norm_num_groups=1, latent_channels=4)
    settings = {"clip_sample": False, "beta_schedule": "linear"} | scheduler
    DiTPipeline(library_model(), vae, DDIMScheduler(**settings)).save_pretrained(folder)
    return folder


def edited(folder: Path, name: str, **fields: Any) -> Path:
    """The folder with other fields in one of its configs."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return folder


def with_state(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    return folder


def one_embedder(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every block's embedders as the first one's, as the conversion from the official weights leaves them."""
    first = {name: value for name, value in state.items() if ".0.norm1.emb." in name}
    return {name: first.get(name.replace("blocks.1.", "blocks.0."), value).clone() for name, value in state.items()}


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(4, 4, 8, 8, generator=generator), torch.tensor([999, 500, 3, 0]), torch.tensor([0, 4, 5, 1])


@torch.no_grad()
def difference(library: DiTTransformer2DModel, ours: DiT) -> float:
    """Largest difference of all output channels, variance included, relative to the largest output."""
    x, t, y = inputs()
    wanted = library(x, timestep=t, class_labels=y).sample
    return float((ours(x, t, y) - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    "more",
    [{}, {"attention_bias": False}, {"out_channels": 4}, {"num_layers": 3, "norm_eps": 1e-4}, {"patch_size": 4}],
    ids=str,
)
def test_a_transformer_folder_computes_what_the_library_does(more: dict[str, Any], tmp_path: Path) -> None:
    folder = transformer_folder(tmp_path / "transformer", **more)
    ours = load_model(f"{folder}{SAID}")
    assert difference(library_model(**more), ours) < CLOSE
    config = ours.config
    assert (config.timestep_features, config.embedders, config.num_heads) == ("diffusers", "per-block", 2)
    assert config.null_class == 5 and config == load_config(f"{folder}{SAID}")


@pytest.mark.parametrize("layout", ["shards", "bin", "fp16", "bf16", "fp8", "wrapped"])
def test_files_of_any_layout(layout: str, tmp_path: Path) -> None:
    folder, library = tmp_path / "transformer", library_model()
    if layout == "shards":
        library.save_pretrained(folder, max_shard_size="20KB")
        assert len(list(folder.glob("*-of-*"))) > 2 and find_checkpoint(folder) == folder / f"{WEIGHTS}.index.json"
    elif layout == "bin":
        library.save_pretrained(folder, safe_serialization=False)
    else:
        library.save_pretrained(folder, variant="fp16")
        kinds = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn}
        kind, prefix = kinds.get(layout, torch.float32), "module." if layout == "wrapped" else ""
        (path,) = folder.glob("*.fp16.safetensors")
        state = {name: value.to(kind) for name, value in load_file(path).items()}
        library.load_state_dict({name: value.float() for name, value in state.items()})
        save_file({f"{prefix}{name}": value for name, value in state.items()}, path)
    assert difference(library, load_model(f"{folder}{SAID}")) < CLOSE


def test_a_pipeline_folder_tells_everything(tmp_path: Path) -> None:
    folder = pipeline_folder(tmp_path / "pipeline")
    ours, library = load_model(folder), library_model()
    assert difference(library, ours) < CLOSE
    assert ours.config.prediction == "noise" and not ours.config.has_pixels
    assert load_config(folder / "transformer") == ours.config and find_checkpoint(folder).parent.name == "transformer"
    x, _, y = inputs()
    with torch.no_grad():
        labels = torch.stack([y % 5, torch.full_like(y, 5)], 1).flatten()
        both = library(x.repeat_interleave(2, 0), timestep=torch.full_like(labels, 500), class_labels=labels).sample
        wanted = guided(*split_pairs(both[:, :4]), 4.0)
        found = predict_noise(ours, x, 500, y % 5, 4.0, ours.config.null_class)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < CLOSE


def test_converted_weights_have_one_embedder_and_a_choice(tmp_path: Path) -> None:
    """They were trained with the official features; the library computes others from them."""
    folder = with_state(pipeline_folder(tmp_path / "pipeline") / "transformer", one_embedder)
    library = DiTTransformer2DModel.from_pretrained(folder).eval()
    with pytest.raises(UserError, match=r"tells timestep_features, and .* FILE:timestep_features=official\|diffusers"):
        load_model(folder)
    ours = load_model(f"{folder}:timestep_features=diffusers")
    assert ours.config.embedders == "shared" and difference(library, ours) < CLOSE
    official = load_model(f"{folder}:timestep_features=official")
    assert difference(library, official) > 100 * CLOSE
    assert "timestep_features" not in official.config.model_dump()
    assert ours.config.model_dump()["timestep_features"] == "diffusers"


def test_timestep_features_are_the_librarys_to_the_last_bit() -> None:
    t = torch.arange(1000)
    wanted = get_timestep_embedding(t, 256, flip_sin_to_cos=True, downscale_freq_shift=1)
    official = get_timestep_embedding(t, 256, flip_sin_to_cos=True, downscale_freq_shift=0)
    assert torch.equal(timestep_features(t, "diffusers"), wanted) and torch.equal(timestep_features(t), official)


def test_differing_embedders_are_the_librarys(tmp_path: Path) -> None:
    folder = transformer_folder(tmp_path / "transformer")
    with pytest.raises(UserError, match="timestep_features is official, but .* has diffusers: leave it out"):
        load_model(f"{folder}{SAID}:timestep_features=official")
    with pytest.raises(UserError, match="tells prediction, samples, and neither"):
        load_model(folder)


def test_old_configs_have_the_class_of_all_transformers(tmp_path: Path) -> None:
    folder = edited(transformer_folder(tmp_path / "t"), "config.json", _class_name="Transformer2DModel")
    assert difference(library_model(), load_model(f"{folder}{SAID}")) < CLOSE


def test_it_runs_in_integers(tmp_path: Path) -> None:
    """With the conditioning of every block from its own embedders: float and int8 end near each other."""
    ours, sampler = load_model(pipeline_folder(tmp_path / "pipeline")), Sampler(4)
    integer = quantize(ours, calibrate(ours, sampler, images=2), sampler)
    noise, y = make_noise(ours.config, 2, 1), torch.tensor([1, 2])
    images, _ = generate(Reference(integer, dense().tables(integer)), ours, y, noise)
    wanted = sample(ours, noise, y, sampler)
    assert float((images - wanted).norm() / wanted.norm()) < 0.05
    swapped = sample(_with_swapped_embedders(ours), noise, y, sampler)
    assert float((images - swapped).norm()) > 2 * float((images - wanted).norm())


def _with_swapped_embedders(dit: DiT) -> DiT:
    state = dict(dit.state_dict())
    for name in [name for name in state if name.startswith("blocks.0.") and "_embedder" in name]:
        other = name.replace("blocks.0.", "blocks.1.")
        state[name], state[other] = state[other], state[name]
    found = DiT(dit.config)
    found.load_state_dict(state)
    return found.eval()


FLUX: dict[str, Any] = {
    "num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 4, "num_layers": 1, "num_single_layers": 1,
    "joint_attention_dim": 8, "pooled_projection_dim": 8, "axes_dims_rope": (2, 2, 4),
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda: FluxTransformer2DModel(**FLUX), "FluxTransformer2DModel.* lacks joint streams of text and image, RoPE")],
)
def test_other_classes_are_called_by_their_names(make: Callable[[], Any], words: str, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path / "transformer")
    with pytest.raises(UserError, match=words) as caught:
        load_config(tmp_path / "transformer")
    assert len(str(caught.value)) < 500
    path = tmp_path / "transformer" / WEIGHTS
    with pytest.raises(UserError, match=words):
        load_config(path)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "velocity": (lambda f: edited(f, "scheduler/scheduler_config.json", prediction_type="v_prediction"),
                 "prediction is v, but the samplers here take predicted noise"),
    "flow": (lambda f: edited(f, "scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler"),
             "prediction is velocity"),
    "sample": (lambda f: edited(f, "scheduler/scheduler_config.json", prediction_type="sample"), "prediction_type"),
    "schedule": (lambda f: edited(f, "scheduler/scheduler_config.json", beta_schedule="scaled_linear"),
                 "a scheduler with beta_schedule 'scaled_linear', and the samplers here have 'linear'"),
    "class": (lambda f: edited(f, "transformer/config.json", _class_name="NewModel"), "'NewModel', which is not supp"),
    "no class": (lambda f: (f / "transformer/config.json").write_text("{}"), "holds None, which is not supported"),
    "list": (lambda f: (f / "transformer/config.json").write_text("[]"), "holds no JSON object"),
    "text": (lambda f: (f / "transformer/config.json").write_text("{"), "is not JSON"),
    "gelu": (lambda f: edited(f, "transformer/config.json", activation_fn="geglu"), "activation_fn 'geglu', and gelu-"),
    "affine": (lambda f: edited(f, "transformer/config.json", norm_elementwise_affine=True), "norm_elementwise_affine"),
    "outputs": (lambda f: edited(f, "transformer/config.json", out_channels=5), "out_channels 5, and 4 or 8"),
    "heads": (lambda f: edited(f, "transformer/config.json", num_attention_heads="2"), "num_attention_heads is '2'"),
    "width": (lambda f: edited(f, "transformer/config.json", attention_head_dim=12), "where the config wants"),
    "deep": (lambda f: edited(f, "transformer/config.json", num_layers=3), "Tensor blocks.2.* is missing"),
    "patch": (lambda f: edited(f, "transformer/config.json", patch_size=3), "patch_size 3 does not divide"),
    "no weights": (lambda f: (f / "transformer" / WEIGHTS).unlink(), "holds no weights, diffusion_pytorch_model"),
    "no transformer": (lambda f: edited(f, "model_index.json") and (f / "model_index.json").write_text(
        '{"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}'),
        "holds a DDPMPipeline without a transformer"),
    "no config": (lambda f: (f / "transformer/config.json").unlink(), "config.json cannot be read"),
    "index": (lambda f: ((f / "transformer" / WEIGHTS).unlink(), (f / "transformer" / f"{WEIGHTS}.index.json")
              .write_text('{"weight_map": {"a": "../../x.safetensors"}}')), "names no files of weights beside it"),
    "shard": (lambda f: (shutil.move(f / "transformer" / WEIGHTS, f / "transformer/part.safetensors"),
              (f / "transformer" / f"{WEIGHTS}.index.json").write_text('{"weight_map": {"a": "part.safetensors"}}')),
              "Tensor a is not in part.safetensors, as the index says"),
    "query": (lambda f: with_state(f / "transformer", lambda state: {
        name: value for name, value in state.items() if not name.endswith("0.attn1.to_k.weight")}),
        "blocks.0.attn.qkv.weight .* is missing"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_with_a_folder_is_one_sentence(kind: str, tmp_path: Path) -> None:
    change, words = BROKEN[kind]
    folder = pipeline_folder(tmp_path / "pipeline")
    change(folder)
    with pytest.raises(UserError, match=words) as caught:
        load_model(folder)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_commands_take_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline_folder(tmp_path / "pipeline")
    assert main(["project", "--model", "pipeline", "--array", "4x4", "--steps", "2"]) == 0
    transformer = "pipeline/transformer:num_heads=4"
    assert main(["project", "--model", transformer, "--array", "4x4"]) == 2
    assert "num_heads is 4, but Checkpoint pipeline/transformer has 2: leave it out" in capsys.readouterr().err


@torch.no_grad()
def test_a_whole_generation_is_the_pipelines(tmp_path: Path) -> None:
    """The loop of DiTPipeline, up to the VAE: its scheduler, guidance of all channels, the variance left out."""
    folder, scheduler = pipeline_folder(tmp_path / "pipeline"), DDIMScheduler(clip_sample=False)
    ours, library, y = load_model(folder), library_model(), torch.tensor([1, 4])
    x = noise = make_noise(ours.config, 2, 9)
    scheduler.set_timesteps(10)
    for t in scheduler.timesteps:
        labels = torch.cat([y, torch.full_like(y, 5)])
        found = library(torch.cat([x, x]), timestep=t.expand(4), class_labels=labels).sample[:, :4]
        x = scheduler.step(guided(*found.chunk(2), 4.0), t, x).prev_sample
    made = sample(ours, noise, y, Sampler(10, spacing="leading"), cfg=4.0)
    assert float((made - x).abs().max() / x.abs().max()) < CLOSE
