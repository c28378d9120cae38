"""diffusers' `DiTTransformer2DModel`: its config as ours, and its names; `PixArtTransformer2DModel` and
`LatteTransformer3DModel` through `foreign/`.

Where it differs from the official program, and how that is kept exact (source: diffusers 0.42, `models/transformers/
dit_transformer_2d.py`, `models/normalization.py`, `models/embeddings.py`):

- Every block holds its own embedders of timestep and label, the last layer uses the first block's. Weights converted
  from the official ones repeat one set: then they are shared, as officially. Weights trained there differ.
- Timestep features: frequencies end at 1 / 10000 (127 steps for 128 frequencies); officially just above it (128 steps).
  Differing embedders were trained there, with the library's features. Equal ones leave it open: as trained
  ("official"), or as the library computes them ("diffusers"); `FOLDER:timestep_features=..` says.
- The LayerNorm before the MLP has an epsilon of its own.
- What is predicted stands in the pipeline's scheduler; samples of a pipeline with a VAE are latents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from radit.model.dit.foreign import latte_folder, pixart_folder
from radit.model.dit.foreign.latte_folder import LatteConfig
from radit.model.dit.foreign.pixart_folder import PixArtConfig
from radit.model.dit.layers.embedders import frame_embedding, position_embedding
from radit.model.dit.schedule import BETA_END, BETA_START, DIFFUSION_STEPS
from radit.model.errors import UserError, shown
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.reading import fitting
from radit.model.weights.folders import CONFIG, UNDAMAGED, ModelFolder, open_folder, read_folder
from radit.model.weights.namings import plain_names
from radit.model.weights.other_models import READ, other_model
from radit.model.weights.weight_files import StateDict, Wanted, WeightFile, check_plain

CLASSES = ("DiTTransformer2DModel", "Transformer2DModel")  # the second: before the library had one class per model
NORM = "ada_norm_zero"
MOST = 1 << 30
EMBEDDERS = re.compile(r"transformer_blocks\.([0-9]{1,9})\.norm1\.emb\.(.*)")
BLOCK = re.compile(r"transformer_blocks\.([0-9]{1,9})\.(.*)")
ENDS = {"pos_embed.proj": "x_embedder.proj", "proj_out_1": "final_layer.adaLN_modulation.1",
        "proj_out_2": "final_layer.linear", "pos_embed": "pos_embed"}  # fmt: skip
PARTS = {"norm1.linear": "adaLN_modulation.1", "attn1.to_out.0": "attn.proj", "ff.net.0.proj": "mlp.fc1",
         "ff.net.2": "mlp.fc2", "norm1.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
         "norm1.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
         "norm1.emb.class_embedder.embedding_table": "y_embedder.embedding_table"}  # fmt: skip
QKV = ("attn1.to_q", "attn1.to_k", "attn1.to_v")  # in the order of attn.qkv
PREDICTIONS = {"epsilon": "noise", "v_prediction": "v"}
SCHEDULE = {"num_train_timesteps": DIFFUSION_STEPS, "beta_start": BETA_START, "beta_end": BETA_END,
            "beta_schedule": "linear", "trained_betas": None, "rescale_betas_zero_snr": False}  # fmt: skip


class DiffusersConfig(BaseModel):
    """What a config.json of the class says; the defaults are the library's."""

    model_config = ConfigDict(extra="ignore")

    num_attention_heads: int = Field(default=16, ge=1, le=MOST)
    attention_head_dim: int = Field(default=72, ge=1, le=MOST)
    in_channels: int = Field(default=4, ge=1, le=MOST)
    out_channels: int | None = Field(default=None, ge=1, le=MOST)
    num_layers: int = Field(default=28, ge=1, le=MOST)
    sample_size: int = Field(default=32, ge=1, le=MOST)
    patch_size: int = Field(default=2, ge=1, le=MOST)
    activation_fn: str = "gelu-approximate"
    num_embeds_ada_norm: int = Field(default=1000, ge=1, le=MOST)
    norm_type: str = NORM
    norm_elementwise_affine: bool = False
    norm_eps: float = Field(default=1e-5, gt=0.0)


def read_model_folder(path: Path, values: bool = True) -> WeightFile:
    """Return the weights of a pipeline or transformer folder under our names, and the fields of `DiTConfig` it tells.

    Args:
        values: False: names and shapes are enough; the embedders are read in any case, to see whether they are equal.

    Raises:
        UserError: the folder is damaged, holds another model, or one that is computed otherwise than here.
    """
    folder, source = open_folder(path), f"Folder {one_line(path)}"
    if folder.config.get("_class_name") == latte_folder.CLASS:
        return _read_latte(folder, source, values)
    if _is_pixart(folder):
        return _read_pixart(folder, source, values)
    config = _config_of(folder, source)
    wanted: Wanted = True if values else (lambda name: ".norm1.emb." in name)
    state = plain_names(read_folder(folder, wanted), source)
    shared = _have_equal_embedders(state)
    told: dict[str, Any] = {
        "input_size": config.sample_size,
        "patch_size": config.patch_size,
        "in_channels": config.in_channels,
        "hidden_size": config.num_attention_heads * config.attention_head_dim,
        "depth": config.num_layers,
        "num_heads": config.num_attention_heads,
        "num_classes": config.num_embeds_ada_norm,
        "learn_sigma": config.out_channels == 2 * config.in_channels,
        "mlp_norm_eps": config.norm_eps,
        "embedders": "shared" if shared else "per-block",
        **({} if shared else {"timestep_features": "diffusers"}),
        **_pipeline_facts(folder, source),
    }
    return WeightFile(_renamed(state, config, shared, values), config=told)


def _is_pixart(folder: ModelFolder) -> bool:
    """Whether a folder holds a PixArt, whose class once was called as the others."""
    kind, norm = folder.config.get("_class_name"), folder.config.get("norm_type")
    return kind == pixart_folder.CLASS or (kind == CLASSES[1] and norm == pixart_folder.NORM)


def _read_pixart(folder: ModelFolder, source: str, values: bool) -> WeightFile:
    """See `read_model_folder`."""
    config = fitting(PixArtConfig, dict(folder.config), folder.folder / CONFIG, "Config", UNDAMAGED)
    config.check(source)
    told = config.told(_pipeline_class(folder)) | _pipeline_facts(folder, source)
    state = pixart_folder.renamed(plain_names(read_folder(folder, values), source))
    state.setdefault(
        "pos_embed", _positions(config.width, config.sample_size // config.patch_size, values, config.position_scale)
    )
    return WeightFile(state, config=told)


def _read_latte(folder: ModelFolder, source: str, values: bool) -> WeightFile:
    """See `read_model_folder`."""
    config = fitting(LatteConfig, dict(folder.config), folder.folder / CONFIG, "Config", UNDAMAGED)
    config.check(source)
    told = config.told(_pipeline_class(folder)) | _pipeline_facts(folder, source)
    state = latte_folder.renamed(plain_names(read_folder(folder, values), source))
    side = config.sample_size // config.patch_size
    state.setdefault("pos_embed", _positions(config.width, side, values, config.position_scale))
    state.setdefault("temp_embed", _frames(config.width, config.video_length, values))
    return WeightFile(state, config=told)


def _pipeline_class(folder: ModelFolder) -> str | None:
    """The class of the pipeline around a transformer; None: there is none."""
    kind = folder.pipeline.get("_class_name") if folder.pipeline is not None else None
    return kind if isinstance(kind, str) else None


def _config_of(folder: ModelFolder, source: str) -> DiffusersConfig:
    """The config of a folder, of a class and with settings that are computed here as there."""
    kind = folder.config.get("_class_name")
    if other := other_model(str(kind)):
        raise other.refusal(source)
    if kind not in CLASSES:
        raise UserError(f"{source} holds {shown(kind)}, which is not supported: {READ}.")
    config = fitting(DiffusersConfig, dict(folder.config), folder.folder / CONFIG, "Config", UNDAMAGED)
    outputs = (None, config.in_channels, 2 * config.in_channels)
    for name, value, known in (
        ("norm_type", config.norm_type, (NORM,)),
        ("activation_fn", config.activation_fn, ("gelu-approximate",)),
        ("norm_elementwise_affine", config.norm_elementwise_affine, (False,)),
        ("out_channels", config.out_channels, outputs),
    ):
        if value not in known:
            wanted = " or ".join(str(each) for each in known if each is not None)
            raise UserError(f"{source} has {name} {shown(value)}, and {wanted} is computed here: use such a model.")
    return config


def _pipeline_facts(folder: ModelFolder, source: str) -> dict[str, str]:
    """What the parts of a pipeline say of prediction and samples."""
    told = {"samples": "latents"} if folder.pipeline is not None and "vae" in folder.pipeline else {}
    if folder.scheduler is None:
        return told
    scheduler = folder.scheduler
    if str(scheduler.get("_class_name", "")).startswith("FlowMatch"):
        return told | {"prediction": "velocity"}
    for name, value in SCHEDULE.items():
        if scheduler.get(name, value) != value:
            raise UserError(
                f"{source} has a scheduler with {name} {shown(scheduler[name])}, and the samplers here have "
                f"{shown(value)}: use a model of that noise schedule."
            )
    kind = scheduler.get("prediction_type", "epsilon")
    if kind not in PREDICTIONS:
        raise UserError(f"{source} has prediction_type {shown(kind)}: use a model that predicts noise, epsilon.")
    return told | {"prediction": PREDICTIONS[kind]}


def _have_equal_embedders(state: Mapping[str, Tensor]) -> bool:
    """Whether every block's embedders are those of the first."""
    first: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if found := EMBEDDERS.fullmatch(name):
            check_plain(name, tensor)
            tensor = tensor.detach().float()  # torch does not compare fp8
            other = first.setdefault(found[2], tensor)
            if other.shape != tensor.shape or not torch.equal(other, tensor):
                return False
    return True


def _renamed(state: StateDict, config: DiffusersConfig, shared: bool, values: bool) -> StateDict:
    """Our names; queries, keys and values joined, shared embedders once, position embeddings where there are none."""
    found: StateDict = {}
    for name, tensor in state.items():
        stem, _, leaf = name.rpartition(".")
        place = BLOCK.fullmatch(stem)
        block, part = (f"blocks.{place[1]}.", place[2]) if place else ("", stem)
        if place and part in QKV:
            joined = [state.get(f"transformer_blocks.{place[1]}.{each}.{leaf}") for each in QKV]
            whole = [each for each in joined if each is not None]
            if part == QKV[0] and len(whole) == len(QKV):
                found[f"{block}attn.qkv.{leaf}"] = torch.cat(whole)
            elif len(whole) != len(QKV):
                found[name] = tensor
        elif place and EMBEDDERS.fullmatch(name) and shared:
            if not int(place[1]):
                found[f"{PARTS.get(part, part)}.{leaf}"] = tensor
        elif stem == "pos_embed":
            found[leaf] = tensor
        else:
            known = PARTS if place else ENDS
            found[f"{block}{known[part]}.{leaf}" if part in known else name] = tensor
    if "pos_embed" not in found:
        hidden, side = config.num_attention_heads * config.attention_head_dim, config.sample_size // config.patch_size
        found["pos_embed"] = _positions(hidden, side, values)
    return found


def _frames(hidden: int, frames: int, values: bool) -> Tensor:
    """Frame embeddings (1, F, D), without values where they are not wanted."""
    if not values:
        return torch.empty((1, frames, hidden), device="meta")
    check_memory("Frame embeddings", {"of the frames": 8 * frames * hidden}, "use a smaller model")
    return frame_embedding(hidden, frames)


def _positions(hidden: int, side: int, values: bool, scale: float = 1.0) -> Tensor:
    """Position embeddings (1, T, D), without values where they are not wanted."""
    if not values:
        return torch.empty((1, side**2, hidden), device="meta")
    check_memory("Position embeddings", {"of the tokens": 8 * side**2 * hidden}, "use a smaller model")
    return position_embedding(hidden, side, scale=scale)
