"""diffusers' `LatteTransformer3DModel`, text to video: its config as ours, and its names.

Source: diffusers 0.42, `models/transformers/latte_transformer_3d.py`. Spatial and temporal blocks take turns; both are
those of a PixArt (`pixart_folder.py`), the temporal ones without cross-attention. Neither positions nor the frame
embedding, which is added after the first spatial block, are in the weights.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from radit.model.dit.foreign import pixart_folder
from radit.model.dit.foreign.pixart_folder import BASE, MOST
from radit.model.errors import UserError
from radit.model.weights.weight_files import StateDict

CLASS = "LatteTransformer3DModel"
PIPELINE_TOKENS = {"LattePipeline": 120}
BLOCK = re.compile(r"(temporal_)?transformer_blocks\.([0-9]{1,9})\.(.*)")


class LatteConfig(BaseModel):
    """What a config.json of the class says; the defaults are the library's."""

    model_config = ConfigDict(extra="ignore")

    num_attention_heads: int = Field(default=16, ge=1, le=MOST)
    attention_head_dim: int = Field(default=88, ge=1, le=MOST)
    in_channels: int = Field(default=4, ge=1, le=MOST)
    out_channels: int | None = Field(default=None, ge=1, le=MOST)
    num_layers: int = Field(default=1, ge=1, le=MOST)
    cross_attention_dim: int | None = Field(default=None, ge=1, le=MOST)
    sample_size: int = Field(default=64, ge=1, le=MOST)
    patch_size: int = Field(default=2, ge=1, le=MOST)
    activation_fn: str = "geglu"
    norm_type: str = "layer_norm"
    norm_elementwise_affine: bool = True
    norm_eps: float = Field(default=1e-5, gt=0.0)
    caption_channels: int | None = Field(default=None, ge=1, le=MOST)
    video_length: int = Field(default=16, ge=1, le=MOST)

    @property
    def width(self) -> int:
        """Features per token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def position_scale(self) -> float:
        """What positions are divided by."""
        return float(max(self.sample_size // BASE, 1))

    def check(self, source: str) -> None:
        """Refuse settings that are computed otherwise here.

        Raises:
            UserError: names the setting.
        """
        pixart_folder.check_settings(self, source)
        if self.video_length == 1:
            raise UserError(f"{source} has video_length 1, and clips have two frames or more: use a model of clips.")

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
            "depth": 2 * self.num_layers,
            "num_heads": self.num_attention_heads,
            "learn_sigma": self.out_channels == 2 * self.in_channels,
            "frames": self.video_length,
            "attention": "alternating",
            "frame_embedding": "first-block",
            "timestep_features": "official",
            "context_dim": self.caption_channels,
            "cross_attention": "even",
            "adaln": "single",
            "position_scale": self.position_scale,
        }


def renamed(state: StateDict) -> StateDict:
    """Return tensors under our names: spatial blocks are the even ones, temporal the odd ones."""
    found: StateDict = {}
    for name, tensor in state.items():
        place = BLOCK.fullmatch(name)
        found[f"transformer_blocks.{2 * int(place[2]) + bool(place[1])}.{place[3]}" if place else name] = tensor
    return pixart_folder.renamed(found)
