"""Files of embedded prompts, as a text encoder's output is kept.

| file | tensors |
|---|---|
| .safetensors, .pt, .pth, .bin | `embeddings` (tokens, channels); also `mask` (tokens,), `negative`, `negative_mask` |
| .npy | the embeddings alone |

A leading axis of 1 is taken off. The mask says which tokens count, 1 or 0, the first ones; without one all do. The
tensor `negative` is the null prompt, which guidance leads away from. Pipelines of diffusers call them `prompt_embeds`,
`prompt_attention_mask` and `negative_` of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from radit.model.errors import UserError, shown
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.reading import opened
from radit.model.text.prompts import Prompts, prompts_of
from radit.model.weights.weight_files import as_float, read_weights

EMBEDDINGS, MASK, NEGATIVE, NEGATIVE_MASK = "embeddings", "mask", "negative", "negative_mask"
ALIASES = {
    "prompt_embeds": EMBEDDINGS,
    "prompt_attention_mask": MASK,
    "negative_prompt_embeds": NEGATIVE,
    "negative_prompt_attention_mask": NEGATIVE_MASK,
}
NOUN = "Prompt file"
REMEDY = "pass a file with a tensor embeddings (tokens, channels)"
NUMPY = ".npy"


def read_prompts(text: str, tokens: int, channels: int, null: Tensor | None = None) -> Prompts:
    """Return the prompts of one file or of several, separated by commas.

    Args:
        text: their paths.
        tokens: most tokens that the model takes.
        channels: of a token's embedding.
        null: null prompt (count, C) of the model, where no file has one.

    Raises:
        UserError: a file is missing, cannot be read, or holds no embeddings that fit; two files have different null
            prompts.
    """
    names, embedded = [name.strip() for name in text.split(",")], []
    found: Tensor | None = None
    for name in names:
        if not name:
            raise UserError(f"--prompt is {shown(text)}: give a file of embeddings, or several separated by commas.")
        state = _read(Path(name))
        embedded.append(_prompt(state, EMBEDDINGS, MASK, name, tokens, channels))
        if NEGATIVE in state:
            negative = _prompt(state, NEGATIVE, NEGATIVE_MASK, name, tokens, channels)
            if found is not None and not torch.equal(found, negative):
                raise UserError(
                    f"{NOUN} {one_line(name)} has another {NEGATIVE} than the one before: keep one of them."
                )
            found = negative
    return prompts_of(embedded, null if found is None else found, tokens, [Path(name).stem for name in names])


def _read(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file under our names."""
    if path.suffix == NUMPY:
        return {EMBEDDINGS: _read_array(path)}
    state = {ALIASES.get(name, name): tensor for name, tensor in read_weights(path, noun=NOUN).state.items()}
    if EMBEDDINGS not in state:
        held = ", ".join(one_line(name) for name in list(state)[:3]) or "nothing"
        raise UserError(f"{NOUN} {one_line(path)} holds {held}: {REMEDY}.")
    return state


def _read_array(path: Path) -> Tensor:
    """The array of an .npy file, of plain numbers."""
    with opened(path, NOUN, REMEDY) as file:
        check_memory(f"{NOUN} {one_line(path)}", {"its array": path.stat().st_size}, "use a smaller file")
        try:
            found = np.load(file, allow_pickle=False)
        except Exception as error:  # of any kind on a damaged file
            reason = one_line(error) or type(error).__name__
            raise UserError(f"{NOUN} {one_line(path)} cannot be read ({reason}): {REMEDY}.") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
        kind = one_line(getattr(found, "dtype", "several arrays"))
        raise UserError(f"{NOUN} {one_line(path)} holds {kind} in the place of floating-point numbers: {REMEDY}.")
    return torch.from_numpy(found.astype(np.float32))


def _prompt(state: Mapping[str, Tensor], name: str, mask: str, source: str, tokens: int, channels: int) -> Tensor:
    """The valid tokens (count, C) float32 of one prompt."""
    where = f"{NOUN} {one_line(source)}"
    try:
        value = as_float({name: _without_batch(state[name], 2)}, "encode the prompt again")[name]
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if value.dim() != 2 or value.shape[1] != channels:
        raise UserError(
            f"{where} has {name} of shape {tuple(state[name].shape)}: give it (tokens, {channels}), as the model takes."
        )
    if mask in state:
        value = value[: _count(_without_batch(state[mask], 1), len(value), f"{where} has {mask}")]
    if not 1 <= len(value) <= tokens:
        raise UserError(f"{where} has {name} of {len(value)} tokens: give 1 to {tokens}, what the model takes.")
    return value


def _count(mask: Tensor, tokens: int, where: str) -> int:
    """How many tokens a mask lets through, the first ones."""
    count = int((mask != 0).sum())
    plain = mask.dim() == 1 and len(mask) == tokens
    if not plain or not bool((mask[:count] == 1).all()) or count == 0:
        raise UserError(f"{where}, which is not {tokens} numbers, ones before zeros: give which of the tokens count.")
    return count


def _without_batch(value: Tensor, axes: int) -> Tensor:
    return value[0] if value.dim() == axes + 1 and len(value) == 1 else value
