"""The fields of a diffusion transformer's config, and what each of them says."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST = 1 << 62  # of a dimension: what indices hold; memory ends far earlier (model/limits.py)
MOST_RATIO = float(1 << 20)
MOST_CHARACTERS = 1000
LAYER_NORM_EPS, MOST_EPS = 1e-6, 1e-3
CLIP_FIELDS = ("frames", "attention")
LATER_FIELDS = (  # than the first checkpoints: written where they say more
    "prediction",
    "samples",
    "frame_embedding",
    "timestep_features",
    "embedders",
    "mlp_norm_eps",
    "input_columns",
    "context_tokens",
    "context_dim",
    "cross_attention",
    "adaln",
    "size_conditioning",
    "position_scale",
    "null_prompt",
    "characters",
)


class ConfigFields(BaseModel):
    """Dimensions of one diffusion transformer; `DiTConfig` checks them.

    Fields:
        input_size: rows and columns of the input, in pixels (of the latent image, for a latent model).
        patch_size: rows and columns of a patch, in pixels; divides `input_size`.
        in_channels: channels of the input image.
        hidden_size: features per token, D; a multiple of 4 (sin-cos position embedding) and of `num_heads`.
        depth: transformer blocks.
        num_heads: attention heads per block.
        mlp_ratio: hidden features of the MLP, in units of `hidden_size`.
        num_classes: labels 0 .. num_classes - 1; label `num_classes` is the null class of guidance. With text, labels
            number the prompts at hand (`model/text/prompts.py`), and this is how many there are.
        learn_sigma: the network predicts a variance beside the noise (twice the output channels).
        class_dropout_prob: probability with which training replaces a label by the null class.
        frames: frames of a clip; 1: an image.
        attention: of a clip: "alternating", even blocks within a frame (spatial) and odd blocks over the frames at one
            place (temporal), or "joint", every block over all tokens.
        prediction: what the network predicts: "noise"; models of "velocity" (SiT) and of "v" (diffusers'
            v_prediction) are refused.
        samples: "pixels", which the sampler holds to -1 .. 1, or "latents", which have no such range; None: pixels
            where `in_channels` is 1 or 3.
        frame_embedding: of a clip, where it is added: at the "input", or after the "first-block", as in the published
            Latte.
        timestep_features: frequency i of a timestep is 10000 ** (-i / n), n = 128 of 128 in the "official" programs of
            DiT, SiT and Latte, and n = 127 in "diffusers".
        embedders: of timesteps and labels: "shared" by all blocks, or "per-block", a copy for each, the last layer
            using the first one's (diffusers).
        mlp_norm_eps: epsilon of the LayerNorm before the MLP; the machine has one epsilon, 1e-6, for all.
        input_columns: columns of the input where they are not `input_size`, which then are the rows; None: a square.
        context_tokens: most text tokens of a prompt; 0: no text.
        context_dim: channels of a text token's embedding.
        cross_attention: blocks that attend to the text: "all", or "even" ones alone.
        adaln: conditioning: "label", an MLP of timestep and label in every block, or "single", one of the timestep for
            all blocks and a table in each; models with text have this one.
        size_conditioning: rows, columns and their ratio are embedded beside the timestep.
        position_scale: what positions are divided by before they are embedded.
        null_prompt: the weights hold the embedding of the null prompt.
        characters: prompts are spelled in these, whose embeddings the weights hold, and end with a mark; empty: prompts
            come as embeddings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    input_size: int = Field(default=8, ge=1, le=MOST)
    patch_size: int = Field(default=1, ge=1, le=MOST)
    in_channels: int = Field(default=1, ge=1, le=MOST)
    hidden_size: int = Field(default=64, ge=4, le=MOST)
    depth: int = Field(default=6, ge=1)
    num_heads: int = Field(default=2, ge=1, le=MOST)
    mlp_ratio: float = Field(default=4.0, gt=0.0, le=MOST_RATIO, allow_inf_nan=False)
    num_classes: int = Field(default=10, ge=1, le=MOST)
    learn_sigma: bool = False
    class_dropout_prob: float = Field(default=0.1, ge=0.0, lt=1.0)
    frames: int = Field(default=1, ge=1, le=MOST)
    attention: Literal["alternating", "joint"] = "alternating"
    prediction: Literal["noise", "velocity", "v"] = "noise"
    samples: Literal["pixels", "latents"] | None = None
    frame_embedding: Literal["input", "first-block"] = "input"
    timestep_features: Literal["official", "diffusers"] = "official"
    embedders: Literal["shared", "per-block"] = "shared"
    mlp_norm_eps: float = Field(default=LAYER_NORM_EPS, gt=0.0, le=MOST_EPS)
    input_columns: int | None = Field(default=None, ge=1, le=MOST)
    context_tokens: int = Field(default=0, ge=0, le=MOST)
    context_dim: int = Field(default=0, ge=0, le=MOST)
    cross_attention: Literal["all", "even"] = "all"
    adaln: Literal["label", "single"] = "label"
    size_conditioning: bool = False
    position_scale: float = Field(default=1.0, gt=0.0, le=MOST_RATIO)
    null_prompt: bool = False
    characters: str = Field(default="", max_length=MOST_CHARACTERS)
