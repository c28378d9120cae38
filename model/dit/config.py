"""Shape of a diffusion transformer: the one place where the model's dimensions are written.

Sources: W. Peebles, S. Xie, "Scalable Diffusion Models with Transformers", 2023, table 1 (S, B, L, XL); X. Ma et al.,
"Latte: Latent Diffusion Transformer for Video Generation", 2024 (clips: blocks in turn within a frame and over time).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from radit.model.errors import UserError, shown
from radit.model.plain_text import one_line
from radit.model.reading import misfit

MOST = 1 << 62  # of a dimension: what indices hold; memory ends far earlier (model/limits.py)
MOST_BLOCKS = 1000  # published models have dozens
MOST_RATIO = float(1 << 20)
LAYER_NORM_EPS, MOST_EPS = 1e-6, 1e-3
PIXEL_CHANNELS = (1, 3)


class DiTConfig(BaseModel):
    """Dimensions of one diffusion transformer; frozen and self-checking.

    Fields:
        input_size: rows and columns of the square input, in pixels (of the latent image, for a latent model).
        patch_size: rows and columns of a patch, in pixels; divides `input_size`.
        in_channels: channels of the input image.
        hidden_size: features per token, D; a multiple of 4 (sin-cos position embedding) and of `num_heads`.
        depth: transformer blocks.
        num_heads: attention heads per block.
        mlp_ratio: hidden features of the MLP, in units of `hidden_size`.
        num_classes: labels 0 .. num_classes - 1; label `num_classes` is the null class of guidance.
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
            Latte, which runs in float alone.
        timestep_features: frequency i of a timestep is 10000 ** (-i / n), n = 128 of 128 in the "official" programs of
            DiT, SiT and Latte, and n = 127 in "diffusers".
        embedders: of timesteps and labels: "shared" by all blocks, or "per-block", a copy for each, the last layer
            using the first one's (diffusers).
        mlp_norm_eps: epsilon of the LayerNorm before the MLP; the machine has one epsilon, 1e-6, for all.

    An image's config is written without the clip's fields, and any without those from `prediction` on where they are
    the defaults; `whole` writes all.

    Raises:
        UserError: a field is out of range, of the wrong type, unknown, or does not fit another one.
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

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(f"Model config: {misfit(error)}.") from None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_the_usual(cls, values: Any) -> Any:
        """Samples that are what their channels say are None, however they were given."""
        if isinstance(values, dict) and isinstance(values.get("samples"), str):
            usual = "pixels" if values.get("in_channels", 1) in PIXEL_CHANNELS else "latents"
            values = values | ({"samples": None} if values["samples"] == usual else {})
        return values

    @model_validator(mode="after")
    def _check_fit(self) -> DiTConfig:
        if self.input_size % self.patch_size:
            raise ValueError(
                f"patch_size {self.patch_size} does not divide input_size {self.input_size}: "
                "choose a patch size that divides it."
            )
        if self.depth > MOST_BLOCKS:
            raise ValueError(
                f"depth is {one_line(self.depth)}, and more than {MOST_BLOCKS} blocks would take hours here: use a "
                "model of fewer."
            )
        if self.hidden_size % 4:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of 4, which the two-dimensional sin-cos "
                f"position embedding needs: choose {self.hidden_size // 4 * 4 + 4}."
            )
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"num_heads {self.num_heads} does not divide hidden_size {self.hidden_size}: "
                "choose a number of heads that divides it."
            )
        if self.mlp_hidden < 1:
            raise ValueError(f"mlp_ratio {self.mlp_ratio} leaves the MLP without hidden features: choose a larger one.")
        if self.alternates and self.depth % 2:
            raise ValueError(
                f"depth {self.depth} is odd, but alternating attention needs pairs of a spatial and a temporal block: "
                f"choose {self.depth + 1}, or attention 'joint'."
            )
        self._check_computable()
        return self

    def _check_computable(self) -> None:
        """Refuse what would be computed as something else."""
        if self.prediction != "noise":
            raise ValueError(
                f"prediction is {self.prediction}, but the samplers here take predicted noise: use a model that "
                "predicts noise."
            )

    @model_serializer(mode="wrap")
    def _without_unused(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Fields by name; an image's without those of a clip, so that its hash does not depend on them."""
        values = write(self)
        unused = {name for name in LATER_FIELDS if values[name] == type(self).model_fields[name].default}
        unused |= set(CLIP_FIELDS if self.frames == 1 else ())
        return {key: values[key] for key in values if key not in unused}

    def whole(self) -> dict[str, Any]:
        """Every field by name, defaults too, and what samples are where None leaves it to the channels."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | {"samples": "pixels" if self.has_pixels else "latents"}

    @property
    def adds_frames_later(self) -> bool:
        """Whether the frame embedding is added after the first block."""
        return self.frames > 1 and self.frame_embedding == "first-block"

    @property
    def has_own_embedders(self) -> bool:
        """Whether every block has its own embedders of timesteps and labels."""
        return self.embedders == "per-block"

    @property
    def alternates(self) -> bool:
        """Whether blocks attend within a frame and over time in turn."""
        return self.frames > 1 and self.attention == "alternating"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of what is generated: (C, H, W) of an image, (F, C, H, W) of a clip."""
        image = (self.in_channels, self.input_size, self.input_size)
        return image if self.frames == 1 else (self.frames, *image)

    @property
    def frame_tokens(self) -> int:
        """Tokens per frame, S."""
        return (self.input_size // self.patch_size) ** 2

    @property
    def tokens(self) -> int:
        """Tokens per image or clip, T; token (f, p) of a clip is number f * S + p."""
        return self.frames * self.frame_tokens

    @property
    def head_dim(self) -> int:
        """Features per attention head."""
        return self.hidden_size // self.num_heads

    @property
    def mlp_hidden(self) -> int:
        """Hidden features of the MLP: the most whose ratio to `hidden_size` is not above `mlp_ratio`.

        As the published int(hidden_size * mlp_ratio), but for ratios that are rounded quotients, such as 244 / 28.
        """
        product = int(self.hidden_size * self.mlp_ratio)
        return product + ((product + 1) / self.hidden_size <= self.mlp_ratio)

    @property
    def label_rows(self) -> int:
        """Rows of the table of labels, the null class included."""
        return self.num_classes + self.has_null_class

    @property
    def has_null_class(self) -> bool:
        """Whether training has dropped labels, so that the model can be guided."""
        return self.class_dropout_prob > 0.0

    @property
    def has_pixels(self) -> bool:
        """Whether samples are pixels, -1 .. 1."""
        return self.in_channels in PIXEL_CHANNELS if self.samples is None else self.samples == "pixels"

    def first_blocks(self, count: int) -> DiTConfig:
        """The same with the first `count` blocks only; of a clip's model it may be an odd number.

        Raises:
            UserError: `count` is out of range.
        """
        if not 1 <= count <= self.depth:
            raise UserError(f"--blocks is {count}: give 1 to {self.depth}, the blocks that the model has.")
        return self.model_copy(update={"depth": count})

    def macs(self, tokens: int | None = None, block: int = 0) -> tuple[int, int]:
        """Multiplications of a block's attention and of its MLP for one context; by default of the model's tokens.

        A query meets the keys of its group: all tokens, or of a clip those of its frame or of its place.
        """
        t, d = tokens or self.tokens, self.hidden_size
        keys = (self.frames if block % 2 else self.frame_tokens) if self.alternates else t
        return t * d * (4 * d + 2 * keys), 2 * t * d * self.mlp_hidden

    def sub_block_macs(self, tokens: int | None = None) -> list[int]:
        """Multiplications of every sub-block for one context: attention and MLP of each block in turn."""
        return [macs for block in range(self.depth) for macs in self.macs(tokens, block)]

    def sub_block_kinds(self) -> list[str]:
        """What every sub-block is, in words: attention, of alternating blocks spatial or temporal, and MLP."""
        turns = ("spatial attention", "temporal attention") if self.alternates else ("attention",)
        return [kind for block in range(self.depth) for kind in (turns[block % len(turns)], "MLP")]

    @property
    def out_channels(self) -> int:
        """Channels of the network's output: the noise, then the variance where `learn_sigma` is set."""
        return self.in_channels * (2 if self.learn_sigma else 1)

    @property
    def null_class(self) -> int:
        """Label of the unconditional branch of classifier-free guidance."""
        return self.num_classes


def check_guidance(config: DiTConfig, cfg: float, channels: int | None = None) -> None:
    """Refuse to guide a model that has no null class, or more channels than it has.

    Args:
        channels: how many of them are guided; None: all.

    Raises:
        UserError: it has no null class, and `cfg` is not 1; or it has not so many channels.
    """
    if channels is not None and not 1 <= channels <= config.in_channels:
        raise UserError(f"--guided-channels is {channels}: give 1 to {config.in_channels}, the model's channels.")
    if cfg != 1.0 and not config.has_null_class:
        raise UserError(f"cfg is {cfg:g}, but the model has no null class, which guidance needs: give 1.")


def check_labels(config: DiTConfig, labels: Sequence[int] | None) -> None:
    """Refuse labels that a model has not.

    Raises:
        UserError: there is none, or one is out of range.
    """
    for label in () if labels is None else labels or ("",):
        if not (isinstance(label, int) and 0 <= label < config.num_classes):
            raise UserError(
                f"--labels has {shown(label)}: give numbers from 0 to {config.num_classes - 1}, the model's labels."
            )


def check_machine(config: DiTConfig) -> None:
    """Refuse a model that the machine would compute as another; in float it runs.

    Raises:
        UserError: its frame embedding is added after the first block.
    """
    if config.adds_frames_later:
        raise UserError(
            "frame_embedding is first-block, but the machine has no addition there: from Python, load_model runs the "
            "model in float; the machine takes models that add it at the input."
        )


CLIP_FIELDS = ("frames", "attention")
LATER_FIELDS = (  # than the first checkpoints: written where they say more
    "prediction",
    "samples",
    "frame_embedding",
    "timestep_features",
    "embedders",
    "mlp_norm_eps",
)


def _latent(
    hidden_size: int, depth: int, num_heads: int, pixels: int = 256, num_classes: int = 1000, frames: int = 1
) -> DiTConfig:
    """A model over latent images of an eighth of the pixels a side and 4 channels, patches of 2 x 2.

    By default with the classes of ImageNet; clips with those of UCF-101.
    """
    return DiTConfig(
        input_size=pixels // 8,
        patch_size=2,
        in_channels=4,
        hidden_size=hidden_size,
        depth=depth,
        num_heads=num_heads,
        num_classes=num_classes,
        learn_sigma=True,
        frames=frames,
    )


NAMED_MODELS: dict[str, DiTConfig] = {
    "digits": DiTConfig(),
    "dit-s-2": _latent(384, 12, 6),
    "dit-b-2": _latent(768, 12, 12),
    "dit-l-2": _latent(1024, 24, 16),
    "dit-xl-2": _latent(1152, 28, 16),
    "dit-xl-2-512": _latent(1152, 28, 16, pixels=512),
    "fashion": DiTConfig(input_size=28, patch_size=4, hidden_size=128, num_heads=4),
    "cifar10": DiTConfig(input_size=32, patch_size=2, in_channels=3, hidden_size=256, depth=12, num_heads=4),
    "moving-digits": DiTConfig(input_size=16, patch_size=4, hidden_size=128, num_heads=4, frames=8),
    "latte-xl-2": _latent(1152, 28, 16, num_classes=101, frames=16),
}
