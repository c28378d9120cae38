"""diffusers' `PixArtTransformer2DModel`: its config as ours, and its names.

Source: diffusers 0.42, `models/transformers/pixart_transformer_2d.py`, `models/embeddings.py`. Older folders call the
class `Transformer2DModel` and its conditioning `ada_norm_single`. The weights do not tell how many text tokens the
model takes: its pipeline does, by default (`PIPELINE_TOKENS`), or the user. The null prompt is not in them either,
being what the text encoder makes of an empty text.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from radit.model.errors import UserError, shown
from radit.model.weights.weight_files import StateDict

CLASS, NORM = "PixArtTransformer2DModel", "ada_norm_single"
PIPELINE_TOKENS = {"PixArtAlphaPipeline": 120, "PixArtSigmaPipeline": 300}
MOST = 1 << 30
SIZED = 128  # sample size of the published model that is conditioned on the size of its images
BASE = 64  # sample size whose positions count by ones
EPS = 1e-6
BLOCK = re.compile(r"transformer_blocks\.([0-9]{1,9})\.(.*)")
ENDS = {
    "pos_embed.proj": "x_embedder.proj",
    "adaln_single.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "adaln_single.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "adaln_single.emb.resolution_embedder.linear_1": "csize_embedder.mlp.0",
    "adaln_single.emb.resolution_embedder.linear_2": "csize_embedder.mlp.2",
    "adaln_single.emb.aspect_ratio_embedder.linear_1": "ar_embedder.mlp.0",
    "adaln_single.emb.aspect_ratio_embedder.linear_2": "ar_embedder.mlp.2",
    "adaln_single.linear": "t_block.1",
    "caption_projection.linear_1": "y_embedder.y_proj.fc1",
    "caption_projection.linear_2": "y_embedder.y_proj.fc2",
    "proj_out": "final_layer.linear",
}
PARTS = {
    "attn1.to_out.0": "attn.proj",
    "attn2.to_q": "cross_attn.q_linear",
    "attn2.to_out.0": "cross_attn.proj",
    "ff.net.0.proj": "mlp.fc1",
    "ff.net.2": "mlp.fc2",
}
JOINED = {
    "attn.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "cross_attn.kv_linear": ("attn2.to_k", "attn2.to_v"),
}
TABLE, FINAL_TABLE = "scale_shift_table", "final_layer.scale_shift_table"


class PixArtConfig(BaseModel):
    """What a config.json of the class says; the defaults are the library's."""

    model_config = ConfigDict(extra="ignore")

    num_attention_heads: int = Field(default=16, ge=1, le=MOST)
    attention_head_dim: int = Field(default=72, ge=1, le=MOST)
    in_channels: int = Field(default=4, ge=1, le=MOST)
    out_channels: int | None = Field(default=8, ge=1, le=MOST)
    num_layers: int = Field(default=28, ge=1, le=MOST)
    cross_attention_dim: int | None = Field(default=1152, ge=1, le=MOST)
    sample_size: int = Field(default=128, ge=1, le=MOST)
    patch_size: int = Field(default=2, ge=1, le=MOST)
    activation_fn: str = "gelu-approximate"
    norm_type: str = NORM
    norm_elementwise_affine: bool = False
    norm_eps: float = Field(default=EPS, gt=0.0)
    interpolation_scale: float | None = Field(default=None, gt=0.0)
    use_additional_conditions: bool | None = None
    caption_channels: int | None = Field(default=None, ge=1, le=MOST)
    attention_type: str | None = "default"

    @property
    def width(self) -> int:
        """Features per token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def position_scale(self) -> float:
        """What positions are divided by; where the config is silent, as the library does."""
        return float(self.interpolation_scale or max(self.sample_size // BASE, 1))

    @property
    def has_size(self) -> bool:
        """Whether the image's size conditions it; where the config is silent, as the library does."""
        return self.sample_size == SIZED if self.use_additional_conditions is None else self.use_additional_conditions

    def check(self, source: str) -> None:
        """Refuse settings that are computed otherwise here.

        Raises:
            UserError: names the setting.
        """
        check_settings(self, source, attention_type=(None, "default"))

    def told(self, pipeline: str | None) -> dict[str, Any]:
        """Return the fields of `DiTConfig` that it tells.

        Args:
            pipeline: class of the pipeline around it.
        """
        tokens = {"context_tokens": PIPELINE_TOKENS[pipeline]} if pipeline in PIPELINE_TOKENS else {}
        return tokens | {
            "input_size": self.sample_size,
            "patch_size": self.patch_size,
            "in_channels": self.in_channels,
            "hidden_size": self.width,
            "depth": self.num_layers,
            "num_heads": self.num_attention_heads,
            "learn_sigma": self.out_channels == 2 * self.in_channels,
            "timestep_features": "official",
            "context_dim": self.caption_channels,
            "adaln": "single",
            "size_conditioning": self.has_size,
            "position_scale": self.position_scale,
        }


def check_settings(config: Any, source: str, **more: tuple[Any, ...]) -> None:
    """Refuse what blocks with captions compute otherwise here.

    Args:
        config: of a transformer of diffusers with captions; it tells its `width`.
        more: further settings, with what is computed.

    Raises:
        UserError: names the setting.
    """
    computed = {
        "norm_type": (NORM,),
        "activation_fn": ("gelu-approximate",),
        "norm_elementwise_affine": (False,),
        "norm_eps": (EPS,),
        "out_channels": (None, config.in_channels, 2 * config.in_channels),
        "cross_attention_dim": (config.width,),
    }
    for name, known in (computed | more).items():
        if (value := getattr(config, name)) not in known:
            wanted = " or ".join(str(each) for each in known if each is not None)
            raise UserError(f"{source} has {name} {shown(value)}, and {wanted} is computed here: use such a model.")
    if config.caption_channels is None:
        raise UserError(f"{source} has no caption_channels, a projection of captions: use a model with one.")


def renamed(state: StateDict) -> StateDict:
    """Return tensors under our names; queries, keys and values joined."""
    found: StateDict = {}
    for name, tensor in state.items():
        stem, _, leaf = name.rpartition(".")
        place = BLOCK.fullmatch(stem)
        block, part = (f"blocks.{place[1]}.", place[2]) if place else ("", stem)
        joint = next((joint for joint, parts in JOINED.items() if part in parts), None)
        if place and joint:
            several = [state.get(f"transformer_blocks.{place[1]}.{each}.{leaf}") for each in JOINED[joint]]
            whole = [each for each in several if each is not None]
            if len(whole) < len(several):
                found[name] = tensor
            elif part == JOINED[joint][0]:
                found[f"{block}{joint}.{leaf}"] = torch.cat(whole)
        elif leaf == TABLE:
            number = re.fullmatch(r"transformer_blocks\.([0-9]{1,9})", stem)
            found[f"blocks.{number[1]}.{TABLE}" if number else FINAL_TABLE if not stem else name] = tensor
        elif name == "pos_embed.pos_embed":
            found["pos_embed"] = tensor
        else:
            known = PARTS if place else ENDS
            found[f"{block}{known[part]}.{leaf}" if part in known else name] = tensor
    return found
