"""One model's dimensions on one build: tile counts, and the shape registers that follow from them.

``docs/interface.md`` defines the terms (word, row tile, column tile, supertile, group).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from radit.accel.config import FRAME_CHANNELS, BuildConfig, is_power_of_two, log2_exact
from radit.model.errors import UserError
from radit.model.formats import ACC_BITS, COUNT_BITS, INT8_BITS, INT8_MAX, PROB_SUM_BITS, SUM_BITS, X_BITS

HIDDEN_STEP = 4  # D is a multiple of it: a quarter for each of the position embedding's sines and cosines
MAX_REDUCTION = (1 << (ACC_BITS - 1)) // (INT8_MAX * INT8_MAX)  # longest K the accumulator holds
MAX_SUM_CHANNELS = (1 << (SUM_BITS - X_BITS)) - 1  # longest D the LayerNorm's sum holds
MAX_KEYS = 1 << (PROB_SUM_BITS - INT8_BITS)  # longest group the softmax's sum holds
MAX_CODES = 1 << COUNT_BITS

ATTENTION, CROSS, MLP = "attention", "cross", "mlp"  # kinds of sub-blocks, in the order of a block
KINDS = (ATTENTION, CROSS, MLP)


@dataclass(frozen=True)
class Group:
    """Which tokens attend to each other.

    Fields:
        keys: tokens of a spatial group (0: all tokens of a context, one group); consecutive.
        frames: frames of a temporal group: one token of each frame, at the same position. 1: spatial.
    """

    keys: int = 0
    frames: int = 1

    def __post_init__(self) -> None:
        if self.keys < 0:
            raise UserError(f"group keys is {self.keys}; give the tokens of a group, or 0 for all of a context.")
        if not is_power_of_two(self.frames):
            raise UserError(f"group frames is {self.frames}; give a power of two, or 1 for spatial attention.")
        if self.keys and self.frames > 1:
            raise UserError(f"group keys is {self.keys} with {self.frames} frames; give either of the two.")


class SubBlockPlace(NamedTuple):
    """What a sub-block is: its kind, one of ``KINDS``, and the number of its block."""

    kind: str
    block: int


@dataclass(frozen=True)
class Dims:
    """Dimensions of a model as the accelerator sees it, in elements; independent of the build.

    Fields:
        hidden: channels, D; a multiple of 4 and heads x head_dim.
        heads, head_dim: attention heads and the channels of each.
        mlp: channels between FC1 and FC2, M; a multiple of the products of a build's cells.
        tokens: tokens of one context, T, without padding.
        sub_blocks: of all blocks; a block is attention, cross-attention where its parity has one, and MLP.
        contexts: contexts in lockstep (images x 2 under classifier-free guidance).
        even, odd: attention groups of the even and odd blocks.
        text: most text tokens of a context; 0: there is no cross-attention.
        cross_even, cross_odd: the even, or odd, blocks have a cross-attention.
        texts: text tokens of every context, of the image at hand; empty: the most.
        frames: frames of a clip whose embeddings are added after block 0; 0: none are.
    """

    hidden: int
    heads: int
    head_dim: int
    mlp: int
    tokens: int
    sub_blocks: int
    contexts: int
    even: Group = Group()
    odd: Group = Group()
    text: int = 0
    cross_even: bool = False
    cross_odd: bool = False
    texts: tuple[int, ...] = ()
    frames: int = 0

    def __post_init__(self) -> None:
        for name in ("hidden", "heads", "head_dim", "mlp", "tokens", "sub_blocks", "contexts"):
            if getattr(self, name) < 1:
                raise UserError(f"model dimension {name} is {getattr(self, name)}; give a positive number.")
        if self.hidden % HIDDEN_STEP:
            raise UserError(f"model dimension hidden is {self.hidden}; give a multiple of {HIDDEN_STEP}.")
        if self.heads * self.head_dim != self.hidden:
            raise UserError(
                f"model dimension hidden is {self.hidden}, but {self.heads} heads of {self.head_dim} channels make "
                f"{self.heads * self.head_dim}; choose heads and head_dim whose product is hidden."
            )
        if self.text < 0 or (self.text > 0) != (self.cross_even or self.cross_odd):
            raise UserError(
                f"model dimension text is {self.text}, but cross_even is {self.cross_even} and cross_odd "
                f"{self.cross_odd}; give text tokens where there is a cross-attention, and 0 elsewhere."
            )
        if self.places[-1].kind != MLP:
            raise UserError(
                f"model dimension sub_blocks is {self.sub_blocks}; give those of whole blocks, "
                f"{'two or three of each' if self.text else 'an even number, 2 x depth'}."
            )
        if self.frames < 0 or (self.frames and self.tokens % self.frames):
            raise UserError(
                f"model dimension frames is {self.frames} of {self.tokens} tokens; give a number that divides them, or "
                "0 where no frame embedding is added after block 0."
            )
        if self.texts and len(self.texts) != self.contexts:
            raise UserError(f"there are {len(self.texts)} prompts for {self.contexts} contexts; give one for each.")
        for context, text in enumerate(self.texts):
            if not 1 <= text <= self.text:
                raise UserError(
                    f"the prompt of context {context} has {text} text tokens; give 1 to {self.text}, the most that "
                    "this model takes."
                )

    @cached_property
    def places(self) -> tuple[SubBlockPlace, ...]:
        """What every sub-block is."""
        found: list[SubBlockPlace] = []
        for block in range(self.sub_blocks):
            crosses = self.cross_odd if block % 2 else self.cross_even
            found += [SubBlockPlace(kind, block) for kind in KINDS if kind != CROSS or crosses]
            if len(found) >= self.sub_blocks:
                break
        return tuple(found[: self.sub_blocks])

    def numbers(self, kind: str, parity: int | None = None) -> list[int]:
        """Numbers of the sub-blocks of a kind; of even (0) or odd (1) blocks."""
        return [
            number
            for number, place in enumerate(self.places)
            if place.kind == kind and parity in (None, place.block % 2)
        ]

    @property
    def frames_before(self) -> int:
        """Number of the sub-block before which a frame embedding is added: the first of block 1, or the last pass."""
        return next((number for number, place in enumerate(self.places) if place.block), self.sub_blocks)

    @property
    def frame_beats(self) -> int:
        """Beats of the frame embedding on the port ``mod``."""
        return self.frames * self.hidden // FRAME_CHANNELS

    def group(self, block: int) -> Group:
        """Attention group of a block (0, 1, ...)."""
        return self.odd if block % 2 else self.even

    def supertiles(self, build: BuildConfig) -> int:
        """Supertiles (W tokens) of one context."""
        return -(-self.tokens // build.wide)

    def padded_tokens(self, build: BuildConfig) -> int:
        """Tokens of one context, padded to whole supertiles."""
        return self.supertiles(build) * build.wide

    def row_tiles(self, build: BuildConfig) -> int:
        """Row tiles (R tokens) of one context."""
        return self.padded_tokens(build) // build.rows

    def col_tiles(self, build: BuildConfig) -> int:
        """Column tiles (C tokens) of one context."""
        return self.padded_tokens(build) // build.cols

    def group_supertiles(self, build: BuildConfig, block: int) -> int:
        """Supertiles of an attention group; a temporal supertile holds whole groups, so 1 there."""
        group = self.group(block)
        if group.frames > 1:
            return 1
        return -(-(group.keys or self.tokens) // build.wide)

    def attention_words(self, build: BuildConfig) -> int:
        """Weight words (W int8) of an attention sub-block: Q, K, projection in tiles of C, V in tiles of R channels."""
        return (3 * -(-self.hidden // build.cols) + -(-self.hidden // build.rows)) * self.hidden

    def cross_words(self, build: BuildConfig) -> int:
        """Weight words (W int8) of a cross-attention: Q and projection in tiles of C channels."""
        return 2 * -(-self.hidden // build.cols) * self.hidden

    @property
    def prompts(self) -> tuple[int, ...]:
        """Text tokens of every context."""
        return self.texts or (self.text,) * self.contexts

    def macs(self, place: SubBlockPlace, context: int = 0) -> int:
        """MACs of a sub-block for one context, without any padding."""
        if place.kind == MLP:
            return 2 * self.tokens * self.hidden * self.mlp
        if place.kind == CROSS:
            return self.tokens * self.hidden * 2 * (self.hidden + self.prompts[context])
        group = self.group(place.block)
        keys = group.frames if group.frames > 1 else group.keys or self.tokens
        return self.tokens * self.hidden * (4 * self.hidden + 2 * keys)

    def text_supertiles(self, build: BuildConfig) -> int:
        """Supertiles (W text tokens) of one context."""
        return -(-self.text // build.wide)

    def prompt_words(self, build: BuildConfig, text: int | None = None) -> int:
        """Prompt words (R int8) of a context and cross-attention, of so many text tokens; None: of the most."""
        text = self.text if text is None else text
        return -(-text // build.rows) * self.hidden + text * -(-self.hidden // build.rows)

    def mlp_words(self, build: BuildConfig) -> int:
        """Weight words (W int8) of an MLP sub-block: FC1 with K = D, FC2 with K = M."""
        return -(-self.mlp // build.cols) * self.hidden + -(-self.hidden // build.cols) * self.mlp

    def sub_block_words(self, build: BuildConfig) -> int:
        """Words (R lanes) of one context's branch or input."""
        return self.row_tiles(build) * self.hidden


def check_fit(dims: Dims, build: BuildConfig) -> None:
    """Refuse a model that the build's buffers, formats or address lanes cannot hold.

    Raises:
        UserError: names the dimension, its value, the limit and the remedy.
    """
    for name in ("hidden", "mlp", "tokens", "contexts", "sub_blocks"):
        value, limit = getattr(dims, name), getattr(build, f"max_{name}")
        if value > limit:
            raise UserError(
                f"model dimension {name} is {value}, above this build's limit of {limit}; "
                f"build with max_{name} of at least {value}."
            )
    if dims.mlp % build.products:
        raise UserError(
            f"model dimension mlp is {dims.mlp}, but cells of {build.products} products take channels in pairs; "
            "give an even number, or build with products of 1."
        )
    if dims.text > build.max_text:
        raise UserError(
            f"model dimension text is {dims.text}, above this build's limit of {build.max_text} text tokens of a "
            f"context; use a shorter prompt, or build with max_text of at least {dims.text}."
        )
    _check_frames(dims, build)
    _check_formats(dims, build)
    for which, group in (("even", dims.even), ("odd", dims.odd)):
        if group.frames > 1:
            _check_temporal(which, group.frames, dims, build)
        elif group.keys:
            _check_spatial(which, group.keys, dims, build)


def _check_frames(dims: Dims, build: BuildConfig) -> None:
    """The frame embedding is added to whole words: all lanes of one have the same frame."""
    if dims.frames > build.max_frames:
        raise UserError(
            f"model dimension frames is {dims.frames}, above this build's limit of {build.max_frames} frames whose "
            f"embeddings are added; build with max_frames of at least {dims.frames}."
        )
    if dims.frames and dims.tokens // dims.frames % build.wide:
        raise UserError(
            f"model dimension frames is {dims.frames} of {dims.tokens // dims.frames} tokens each on {build.wide} "
            "lanes, and the frame embedding is added to whole words; use an array of fewer lanes, or a model whose "
            f"frames have a multiple of {build.wide} tokens."
        )


def _check_formats(dims: Dims, build: BuildConfig) -> None:
    codes = dims.padded_tokens(build) * dims.hidden
    keys = max(1 if g.frames > 1 else g.keys or dims.tokens for g in (dims.even, dims.odd))
    for name, value, limit, what in (
        ("hidden", dims.hidden, MAX_SUM_CHANNELS, "the LayerNorm's sum"),
        ("mlp", dims.mlp, MAX_REDUCTION, "the accumulator"),
        ("group keys", keys, MAX_KEYS, "the softmax's sum"),
        ("text", dims.text, MAX_KEYS, "the softmax's sum"),
        ("tokens x hidden", codes, MAX_CODES - 1, "the count of changed codes"),
    ):
        if value > limit:
            raise UserError(
                f"model dimension {name} is {value}, above the {limit} that {what} can hold (model/formats.py); "
                "use a smaller model."
            )


def _check_spatial(which: str, keys: int, dims: Dims, build: BuildConfig) -> None:
    if keys == dims.tokens:
        return
    if dims.tokens % keys or keys % build.wide:
        raise UserError(
            f"group keys of the {which} blocks is {keys} on {build.wide} lanes; use an array of fewer "
            f"lanes, or a model with a multiple of {build.wide} that divides its {dims.tokens} tokens."
        )


def _check_temporal(which: str, frames: int, dims: Dims, build: BuildConfig) -> None:
    if frames > build.wide:
        raise UserError(
            f"group frames of the {which} blocks is {frames}, above the {build.wide} lanes of this build; "
            f"use an array of at least {frames} rows or columns."
        )
    if dims.tokens % (frames * build.wide):
        raise UserError(
            f"model dimension tokens is {dims.tokens}; temporal attention over {frames} frames on {build.wide} lanes "
            f"needs a multiple of {frames * build.wide}, frames of whole supertiles: use an array of fewer lanes."
        )
    if build.bank > build.wide // frames:
        raise UserError(
            f"group frames of the {which} blocks is {frames}, but this build addresses lanes in banks of {build.bank} "
            f"where {build.wide // frames} are needed; build with frame_banks of {frames}."
        )


def registers(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """Values of every register that the model's shape determines.

    The driver sets the others from the skip policy and its memory map.

    Raises:
        UserError: the model does not fit the build.
    """
    check_fit(dims, build)
    row_tiles, supertiles = dims.row_tiles(build), dims.supertiles(build)
    values = {
        "hidden": dims.hidden,
        "heads": dims.heads,
        "head_dim": dims.head_dim,
        "mlp": dims.mlp,
        "sub_blocks": dims.sub_blocks,
        "contexts": dims.contexts,
        "row_tiles": row_tiles,
        "col_tiles": dims.col_tiles(build),
        "row_tiles_all": dims.contexts * row_tiles,
        "supertiles_all": dims.contexts * supertiles,
        "tokens_all": dims.contexts * dims.padded_tokens(build),
        "codes_total": dims.padded_tokens(build) * dims.hidden,
        "sub_block_words": dims.sub_block_words(build),
        "attention_words": dims.attention_words(build) // build.products,
        "mlp_words": dims.mlp_words(build) // build.products,
    }
    values |= _group_registers("even", 0, dims, build) | _group_registers("odd", 1, dims, build)
    values |= _frame_registers(dims, build) if build.max_frames else {}
    return values | (_text_registers(dims, build) if build.max_text else {})


def _frame_registers(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """Registers of builds that add a frame embedding."""
    return {"frame_beats": dims.frame_beats, "frame_row_tiles": dims.row_tiles(build) // max(1, dims.frames)}


def _text_registers(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """Registers of builds with text, but for the contexts' own numbers of text tokens."""
    supertiles = dims.text_supertiles(build)
    return {
        "cross_even": int(dims.cross_even),
        "cross_odd": int(dims.cross_odd),
        "cross_words": dims.cross_words(build) // build.products,
        "text_supertiles": supertiles,
        "text_supertiles_all": dims.contexts * supertiles,
        "prompt_words": dims.prompt_words(build),
    }


def _group_registers(which: str, block: int, dims: Dims, build: BuildConfig) -> dict[str, int]:
    """Group registers of the even (block 0) or odd (block 1) blocks; the frame registers are 0 in a spatial group."""
    group = dims.group(block)
    supertiles = dims.group_supertiles(build, block)
    temporal = group.frames > 1
    return {
        f"group_row_tiles_{which}": supertiles * build.wide // build.rows,
        f"group_col_tiles_{which}": supertiles * build.wide // build.cols,
        f"group_keys_{which}": build.wide if temporal else group.keys or dims.tokens,
        f"log_frames_{which}": log2_exact(group.frames),
        f"log_interleave_{which}": log2_exact(build.wide // group.frames) if temporal else 0,
        f"frame_stride_{which}": dims.tokens // group.frames // build.wide if temporal else 0,
    }


def text_registers(dims: Dims) -> dict[str, int]:
    """The registers of an image's prompts."""
    return {f"text_keys_{context}": text for context, text in enumerate(dims.prompts)}
