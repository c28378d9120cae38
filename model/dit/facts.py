"""What the names and shapes of a checkpoint do not tell: taken from its config, its training program or the user.

A file that names no config has its dimensions inferred from shapes. The rest is never guessed. Published sizes of DiT
tell their heads and classes; whatever else is missing is asked for: `FILE:num_heads=6:prediction=noise`.
Sources of what published files hold: facebookresearch/DiT (`train.py`), willisma/SiT (`train.py`), Vchitect/Latte.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from torch import Tensor

from radit.model.dit.config import SEEDED_PROMPTS, DiTConfig
from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.settings_text import read_settings

StateDict = dict[str, Tensor]

BLOCK = re.compile(r"blocks\.([0-9]{1,9})\.")
# Published DiT: hidden features and blocks -> heads. All have MLPs of 4 D and 4 latent channels.
PUBLISHED_HEADS = {(384, 12): 6, (768, 12): 12, (1024, 24): 16, (1152, 28): 16}
PUBLISHED_PATCHES = (2, 4, 8)
PUBLISHED_CLASSES = {False: 1000, True: 101}  # of images (ImageNet), of clips (UCF-101)
EXAMPLES = {
    "num_heads": "NUMBER",
    "num_classes": "NUMBER",
    "context_tokens": "NUMBER",
    "prediction": "noise|velocity|v",
    "samples": "pixels|latents",
    "attention": "alternating|joint",
    "frame_embedding": "input|first-block",
    "timestep_features": "official|diffusers",
}
LABELS = "y_embedder.embedding_table.weight"
CAPTIONS, NULL_PROMPT = "y_embedder.y_proj.fc1.weight", "y_embedder.y_embedding"


@dataclass(frozen=True)
class Facts:
    """Fields of `DiTConfig` that shapes do not tell; None: not said."""

    num_heads: int | None = None
    num_classes: int | None = None
    prediction: Literal["noise", "velocity", "v"] | None = None
    samples: Literal["pixels", "latents"] | None = None
    attention: Literal["alternating", "joint"] | None = None
    frame_embedding: Literal["input", "first-block"] | None = None
    timestep_features: Literal["official", "diffusers"] | None = None
    context_tokens: int | None = None

    @property
    def said(self) -> dict[str, Any]:
        """Those that are said, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def filled(self, others: Mapping[str, Any]) -> Facts:
        """The same with what is not said taken from `others`."""
        return replace(self, **{name: value for name, value in others.items() if name not in self.said})


NOTHING_SAID = Facts()


def read_facts(settings: list[str]) -> Facts:
    """Return the facts of texts "field=value".

    Raises:
        UserError: a field is unknown, or a value is not one of its own.
    """
    return Facts(**read_settings(settings, Facts, "model"))


def check_agreement(facts: Facts, known: Mapping[str, Any], source: str) -> None:
    """Refuse facts that a file denies.

    Args:
        known: what the file says, by name.
        source: the file, for the sentence.

    Raises:
        UserError: one differs.
    """
    for name, value in facts.said.items():
        if name in known and known[name] is not None and known[name] != value:
            raise UserError(f"model setting {name} is {value}, but {source} has {one_line(known[name])}: leave it out.")


def facts_of_trainer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the settings of a training program, stored beside weights, say: those of DiT and of SiT."""
    name, classes = settings.get("model"), settings.get("num_classes")
    if not isinstance(name, str) or not name.startswith(("DiT-", "SiT-")):
        return {}
    said: dict[str, Any] = {"prediction": "noise" if name.startswith("DiT-") else "velocity"}
    if isinstance(classes, int) and not isinstance(classes, bool):
        said["num_classes"] = classes
    return said


def completed_config(known: Mapping[str, Any], facts: Facts, source: str) -> DiTConfig:
    """Return the config of a model whose dimensions another library's config tells, with the facts.

    Args:
        known: fields of `DiTConfig`.
        source: the folder as a user names it, for sentences.

    Raises:
        UserError: a fact is missing or does not fit.
    """
    _check_labels_or_text(facts, known.get("adaln") == "single", source)
    facts = facts.filled({name: known[name] for name in EXAMPLES if name in known})
    text = ["context_tokens"] if known.get("adaln") == "single" else []
    _check_complete(facts, ["prediction", "samples", "timestep_features", *text], source)
    _check_kind(facts, int(known.get("frames", 1)), source)
    return DiTConfig(**{**known, **facts.said})


def infer_config(state: StateDict, facts: Facts, source: str) -> DiTConfig:
    """Return the config that the names and shapes of a published state dict imply, with the facts.

    A model without embeddings of labels has one label, whose embedding is zero, and no null class.

    Args:
        source: the file as a user names it, for sentences.

    Raises:
        UserError: a tensor that decides a dimension is missing or misshapen, or a fact is missing or does not fit.
    """
    hidden, channels, patch, _ = _shape(state, "x_embedder.proj.weight", 4)
    _, tokens, _ = _shape(state, "pos_embed", 3)
    frames = _shape(state, "temp_embed", 3)[1] if "temp_embed" in state else 1
    rows = _shape(state, LABELS, 2)[0] if LABELS in state else None
    mlp, _ = _shape(state, "blocks.0.mlp.fc1.weight", 2)
    outputs, _ = _shape(state, "final_layer.linear.weight", 2)
    depth = 1 + max(int(found[1]) for name in state if (found := BLOCK.match(name)))
    classes = PUBLISHED_CLASSES[frames > 1]
    heads = PUBLISHED_HEADS.get((hidden, depth))
    if heads and (mlp, channels) == (4 * hidden, 4) and rows in (None, classes + 1) and patch in PUBLISHED_PATCHES:
        facts = facts.filled({"num_heads": heads, "num_classes": classes, "samples": "latents"})
    text = _text_fields(state)
    _check_labels_or_text(facts, bool(text), source)
    if rows is None:
        facts = replace(facts, num_classes=SEEDED_PROMPTS if text else 1)
    facts = facts.filled({name: text[name] for name in ("context_tokens",) if name in text})
    clip = ["attention", "frame_embedding"] if frames > 1 else []
    clip += ["context_tokens"] if text else []
    _check_complete(facts, ["num_heads", "num_classes", "prediction", "samples", *clip], source)
    _check_kind(facts, frames, source)
    if rows is not None and facts.num_classes not in (rows, rows - 1):
        raise UserError(
            f"model setting num_classes is {facts.num_classes}, but {source} has {rows} rows of labels: give "
            f"{rows - 1}, or {rows} where none of them is the null class."
        )
    optional = {name: facts.said[name] for name in (*clip, "timestep_features") if name in facts.said}
    return DiTConfig(
        input_size=math.isqrt(tokens) * patch,
        patch_size=patch,
        in_channels=channels,
        hidden_size=hidden,
        depth=depth,
        num_heads=facts.num_heads,
        mlp_ratio=mlp / hidden,
        num_classes=facts.num_classes,
        learn_sigma=outputs == 2 * channels * patch**2,
        class_dropout_prob=0.1 if text.get("null_prompt") or facts.num_classes == (rows or 0) - 1 else 0.0,
        frames=frames,
        prediction=facts.prediction,
        samples=facts.samples,
        **(text | optional),
    )


def _text_fields(state: StateDict) -> dict[str, Any]:
    """Fields of a model with text that its names and shapes tell; none of another."""
    if CAPTIONS not in state:
        return {}
    _, channels = _shape(state, CAPTIONS, 2)
    tokens = {"context_tokens": _shape(state, NULL_PROMPT, 2)[0]} if NULL_PROMPT in state else {}
    return tokens | {
        "context_dim": channels,
        "adaln": "single",
        "size_conditioning": any(name.startswith("csize_embedder.") for name in state),
        "null_prompt": NULL_PROMPT in state,
        "cross_attention": "all" if "blocks.1.cross_attn.proj.weight" in state else "even",
    }


def _check_complete(facts: Facts, wanted: list[str], source: str) -> None:
    """Ask for what is missing, all of it in one sentence."""
    missing = [name for name in wanted if name not in facts.said]
    if missing:
        example = ":".join(f"{name}={EXAMPLES[name]}" for name in missing)
        raise UserError(
            f"{source} names no config that tells {', '.join(missing)}, and neither do its shapes: add what it was "
            f"trained with to its name, FILE:{example}."
        )


def _check_labels_or_text(facts: Facts, has_text: bool, source: str) -> None:
    """Refuse text tokens of a model with labels, and labels of a model with text."""
    wrong, what = ("num_classes", "labels") if has_text else ("context_tokens", "text")
    if getattr(facts, wrong) is not None:
        raise UserError(f"model setting {wrong} is for models with {what}, {source} has none: leave it out.")


def _check_kind(facts: Facts, frames: int, source: str) -> None:
    """Refuse for images what only clips have."""
    if frames == 1 and (facts.attention or facts.frame_embedding):
        raise UserError(f"model setting attention or frame_embedding is for clips, {source} has none: leave it out.")


def _shape(state: StateDict, name: str, axes: int) -> tuple[int, ...]:
    """Shape of a tensor that decides a dimension."""
    if name not in state:
        raise UserError(f"Tensor {name} is missing and the file names no config: pass a complete checkpoint of a DiT.")
    found = tuple(state[name].shape)
    if len(found) != axes:
        raise UserError(f"Tensor {name} has shape {found} where {axes} axes are wanted: pass a checkpoint of a DiT.")
    if 0 in found:
        raise UserError(f"Tensor {name} has shape {found} and holds nothing: pass a checkpoint of a DiT.")
    return found
