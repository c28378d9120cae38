"""Shape of a diffusion transformer: the one place where the model's dimensions are written.

Sources: W. Peebles, S. Xie, "Scalable Diffusion Models with Transformers", 2023, table 1 (S, B, L, XL); X. Ma et al.,
"Latte: Latent Diffusion Transformer for Video Generation", 2024 (clips: blocks in turn within a frame and over time);
J. Chen et al., "PixArt-alpha: Fast Training of Diffusion Transformer for Photorealistic Text-to-Image Synthesis", 2023
(text: cross-attention, one adaLN for all blocks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from radit.model.dit.config_fields import CLIP_FIELDS, LATER_FIELDS, ConfigFields
from radit.model.errors import UserError, shown
from radit.model.plain_text import one_line
from radit.model.reading import misfit

MOST_BLOCKS = 1000  # published models have dozens
PIXEL_CHANNELS = (1, 3)
ATTENTION, CROSS, MLP = "attention", "cross", "mlp"  # kinds of sub-blocks, in the order of a block
KIND_NAMES = {ATTENTION: "attention", CROSS: "cross-attention", MLP: "MLP"}
SEEDED_PROMPTS, CHOSEN_TEXTS = 8, 512  # prompts of a model with text by itself: of seeded embeddings, of characters
SIZES = 3  # numbers of size conditioning: rows, columns, their ratio


class DiTConfig(ConfigFields):
    """Dimensions of one diffusion transformer; frozen and self-checking. Its fields: `ConfigFields`.

    An image's config is written without the clip's fields, one with text without `num_classes`, and any without those
    from `prediction` on where they are the defaults; `whole` writes all.

    Raises:
        UserError: a field is out of range, of the wrong type, unknown, or does not fit another one.
    """

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(f"Model config: {misfit(error)}.") from None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_the_usual(cls, values: Any) -> Any:
        """Samples that are what their channels say, and columns as many as rows, are None however they were given; a
        model with text, whose prompts are not said, has those that it draws by itself."""
        if not isinstance(values, dict):
            return values
        if isinstance(values.get("samples"), str):
            usual = "pixels" if values.get("in_channels", 1) in PIXEL_CHANNELS else "latents"
            values = values | ({"samples": None} if values["samples"] == usual else {})
        if values.get("input_columns", 0) == values.get("input_size", 8):
            values = values | {"input_columns": None}
        if values.get("adaln") == "single" and "num_classes" not in values:
            values = values | {"num_classes": CHOSEN_TEXTS if values.get("characters") else SEEDED_PROMPTS}
        return values

    @model_validator(mode="after")
    def _check_fit(self) -> DiTConfig:
        for name, size in (("input_size", self.input_size), ("input_columns", self.columns)):
            if size % self.patch_size:
                raise ValueError(
                    f"patch_size {self.patch_size} does not divide {name} {size}: choose a patch size that divides it."
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
        self._check_text()
        self._check_computable()
        return self

    def _check_text(self) -> None:
        """Refuse parts of text conditioning without the others."""
        single = self.adaln == "single"
        if self.has_text != (self.context_dim > 0) or self.has_text != single:
            raise ValueError(
                f"context_tokens is {self.context_tokens}, context_dim {self.context_dim} and adaln {self.adaln}: give "
                "all of a model with text (adaln single), or none."
            )
        if self.has_own_embedders and single:
            raise ValueError("embedders is per-block with adaln single, which has one for all: give shared.")
        for name in ("size_conditioning", "null_prompt", "characters"):
            if getattr(self, name) and not single:
                raise ValueError(f"{name} is for models with text: leave it out.")
        if len(set(self.characters)) < len(self.characters) or (self.characters and self.null_prompt):
            raise ValueError("characters has one twice, or stands beside null_prompt, which then is an empty text.")
        if self.size_conditioning and self.hidden_size % SIZES:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of {SIZES}, which size_conditioning needs: choose "
                "another."
            )

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
        unused |= set(CLIP_FIELDS if self.frames == 1 else ()) | ({"num_classes"} if self.has_text else set())
        return {key: values[key] for key in values if key not in unused}

    def whole(self) -> dict[str, Any]:
        """Every field by name, defaults too, and what samples are where None leaves it to the channels."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | {"samples": "pixels" if self.has_pixels else "latents"}

    @property
    def has_text(self) -> bool:
        """Whether prompts condition it, through cross-attention."""
        return self.context_tokens > 0

    @property
    def columns(self) -> int:
        """Columns of the input."""
        return self.input_columns or self.input_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.input_size // self.patch_size, self.columns // self.patch_size

    @property
    def adds_frames_later(self) -> bool:
        """Whether the frame embedding is added after the first block."""
        return self.frames > 1 and self.frame_embedding == "first-block"

    @property
    def frames_before(self) -> int | None:
        """Number of the sub-block before which the frame embedding is added, the first of block 1; None: at the input.

        A model of one block adds it before the last layer.
        """
        return self.first_sub_block(1) if self.adds_frames_later else None

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
        image = (self.in_channels, self.input_size, self.columns)
        return image if self.frames == 1 else (self.frames, *image)

    @property
    def frame_tokens(self) -> int:
        """Tokens per frame, S."""
        rows, columns = self.grid
        return rows * columns

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

    def block_kinds(self, block: int) -> tuple[str, ...]:
        """The sub-blocks of a block, in order: `ATTENTION`, `CROSS` where it attends to text, `MLP`."""
        crosses = self.has_text and (self.cross_attention == "all" or block % 2 == 0)
        return (ATTENTION, CROSS, MLP) if crosses else (ATTENTION, MLP)

    @property
    def places(self) -> tuple[tuple[int, str], ...]:
        """Block and kind of every sub-block, by its number."""
        return tuple((block, kind) for block in range(self.depth) for kind in self.block_kinds(block))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kind of every sub-block, by its number."""
        return tuple(kind for _, kind in self.places)

    @property
    def sub_blocks(self) -> int:
        """Number of sub-blocks, S."""
        return self.first_sub_block(self.depth)

    @property
    def block_bounds(self) -> tuple[int, ...]:
        """Number of the first sub-block of every block, and how many sub-blocks there are."""
        return tuple(self.first_sub_block(block) for block in range(self.depth + 1))

    @property
    def cross_sub_blocks(self) -> tuple[int, ...]:
        """Numbers of the sub-blocks that attend to text, X of them."""
        return tuple(s for s, kind in enumerate(self.kinds) if kind == CROSS)

    def first_sub_block(self, block: int) -> int:
        """Number of the first sub-block of a block; of block `depth` how many there are."""
        crossing = 0 if not self.has_text else block if self.cross_attention == "all" else -(-block // 2)
        return 2 * block + crossing

    def sub_block_index(self, block: int, kind: str) -> int:
        """Number of the sub-block of a kind in a block that has one."""
        return self.first_sub_block(block) + self.block_kinds(block).index(kind)

    def macs(self, tokens: int | None = None, block: int = 0) -> tuple[int, ...]:
        """Multiplications of each sub-block of a block for one context; by default of the model's tokens.

        A query meets the keys of its group: all tokens, or of a clip those of its frame or of its place. Text has its
        most tokens; its keys and values are made once per image, and are not in here.
        """
        t, d = tokens or self.tokens, self.hidden_size
        keys = (self.frames if block % 2 else self.frame_tokens) if self.alternates else t
        each = {
            ATTENTION: t * d * (4 * d + 2 * keys),
            CROSS: t * d * 2 * (d + self.context_tokens),
            MLP: 2 * t * d * self.mlp_hidden,
        }
        return tuple(each[kind] for kind in self.block_kinds(block))

    def sub_block_macs(self, tokens: int | None = None) -> list[int]:
        """Multiplications of every sub-block for one context, by its number."""
        return [macs for block in range(self.depth) for macs in self.macs(tokens, block)]

    def sub_block_kinds(self) -> list[str]:
        """What every sub-block is, in words: attention, of alternating blocks spatial or temporal, and so on."""
        turns = ("spatial attention", "temporal attention") if self.alternates else (KIND_NAMES[ATTENTION],)
        return [turns[block % len(turns)] if kind == ATTENTION else KIND_NAMES[kind] for block, kind in self.places]

    @property
    def out_channels(self) -> int:
        """Channels of the network's output: the noise, then the variance where `learn_sigma` is set."""
        return self.in_channels * (2 if self.learn_sigma else 1)

    @property
    def null_class(self) -> int:
        """Label of the unconditional branch of classifier-free guidance; of prompts the last one, -1."""
        return -1 if self.has_text else self.num_classes


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
        what = "prompt: give 1, or a file of prompts with a tensor negative" if config.has_text else "class: give 1"
        kind, _, remedy = what.partition(": ")
        raise UserError(f"cfg is {cfg:g}, but the model has no null {kind}, which guidance needs: {remedy}.")


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


def _latent(
    hidden_size: int, depth: int, num_heads: int, pixels: int = 256, num_classes: int = 1000, frames: int = 1
) -> DiTConfig:
    """A model over latent images of an eighth of the pixels a side and 4 channels, patches of 2 x 2.

    By default with the classes of ImageNet; clips with those of UCF-101, and the frame embedding where Latte has it.
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
        frame_embedding="input" if frames == 1 else "first-block",
    )


def _pixart(pixels: int) -> DiTConfig:
    """PixArt-alpha for images of so many pixels a side: 120 tokens of T5, of 4096 channels."""
    text = {
        "context_tokens": 120,
        "context_dim": 4096,
        "adaln": "single",
        "null_prompt": True,
        "num_classes": SEEDED_PROMPTS,
        "position_scale": 2.0 if pixels > 512 else 1.0,
        "size_conditioning": pixels > 512,
    }
    return DiTConfig(**(_latent(1152, 28, 16, pixels).whole() | text))


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
    "prompted-digits": DiTConfig(
        input_columns=32,
        patch_size=2,
        hidden_size=96,
        num_heads=3,
        class_dropout_prob=0.15,
        context_tokens=5,
        context_dim=32,
        adaln="single",
        characters="0123456789",
    ),  # fmt: skip
    "pixart-xl-2-256": _pixart(256),
    "pixart-xl-2-512": _pixart(512),
    "pixart-xl-2-1024": _pixart(1024),
    "latte-xl-2": _latent(1152, 28, 16, num_classes=101, frames=16),
}
