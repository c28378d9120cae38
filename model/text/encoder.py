"""Prompts as T5 embeds them: the text encoder that a pipeline's folder of diffusers holds (PixArt, Latte).

Texts are made ready as the pipelines do where they clean nothing: lower case, without blanks around them, an end mark
behind, filled up to a number of tokens. The library is `transformers`; nothing is ever downloaded.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from radit.model.errors import UserError, shown
from radit.model.files import write_file
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.text.prompt_files import EMBEDDINGS, MASK, NEGATIVE, NEGATIVE_MASK

ENCODER, TOKENIZER = "text_encoder", "tokenizer"  # folders of a pipeline
REMEDY = f"give the folder of a pipeline with {TOKENIZER}/ and {ENCODER}/ of a T5"
MISSING = "Text encoders need the packages transformers and sentencepiece: pip install 'radit[text]', or use files."


class TextEncoder:
    """A tokenizer and a T5.

    Args:
        pipeline: folder that holds both.

    Raises:
        UserError: the library is not installed, the folder does not hold them, or there is no memory for the weights.
    """

    def __init__(self, pipeline: Path) -> None:
        for name in (TOKENIZER, ENCODER):
            if not (pipeline / name).is_dir():
                raise UserError(f"--pipeline is {one_line(pipeline)}, which has no folder {name}: {REMEDY}.")
        weights = sum(file.stat().st_size for file in (pipeline / ENCODER).rglob("*") if file.is_file())
        check_memory(f"Text encoder {one_line(pipeline / ENCODER)}", {"weights": weights}, "use one of smaller weights")
        self._tokenizer, self._model = _loaded(pipeline)
        self._pipeline = pipeline

    def embed(self, text: str, tokens: int) -> tuple[Tensor, Tensor]:
        """Return embeddings (tokens, C) float32 of a text and which of them count (tokens,) int64, 1 or 0.

        A text of more tokens is cut.
        """
        found = self._tokenizer(
            [text.lower().strip()], padding="max_length", max_length=tokens, truncation=True, add_special_tokens=True,
            return_attention_mask=True, return_tensors="pt",
        )  # fmt: skip
        mask = found.attention_mask
        with torch.no_grad():
            embedded = self._model(found.input_ids, attention_mask=mask)[0]
        return embedded[0].float(), mask[0]


def write_prompt(encoder: TextEncoder, text: str, out: Path, tokens: int, negative: str) -> int:
    """Write the file that `--prompt` reads, of a text and of the null prompt; returns the text's number of tokens.

    Raises:
        UserError: the file is no .safetensors or cannot be written, or the encoder gives values that are not finite.
    """
    if out.suffix != ".safetensors":
        raise UserError(f"--out is {one_line(out)}: write a .safetensors file.")
    kept: dict[str, Tensor] = {}
    for said, name, mask in ((text, EMBEDDINGS, MASK), (negative, NEGATIVE, NEGATIVE_MASK)):
        if not _is_unicode(said):
            raise UserError(f"The prompt is {shown(said)}, which is no text: give one of Unicode characters.")
        kept[name], kept[mask] = (part.contiguous() for part in encoder.embed(said, tokens))
        if not bool(kept[name].isfinite().all()):
            raise UserError(f"The text encoder makes {shown(said)} values that are not finite: use other weights.")
    write_file(out, save(kept, {"text": text, "negative": negative}))
    return int(kept[MASK].sum())


def _is_unicode(text: str) -> bool:
    """Whether a text has no halves of surrogate pairs, which arguments that are no UTF-8 leave."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _loaded(pipeline: Path) -> tuple[Any, Any]:
    """Tokenizer and encoder, from files alone."""
    try:
        from transformers import AutoTokenizer, T5EncoderModel
        from transformers.utils.logging import disable_progress_bar, set_verbosity
    except ImportError:
        raise UserError(MISSING) from None
    disable_progress_bar()
    set_verbosity(logging.CRITICAL)
    try:
        tokenizer = AutoTokenizer.from_pretrained(pipeline / TOKENIZER, local_files_only=True)
        model: Any = T5EncoderModel.from_pretrained(pipeline / ENCODER, local_files_only=True, dtype="auto")
    except Exception as error:  # the library raises whatever its parts run into
        reason = one_line(error)[:200] or type(error).__name__
        raise UserError(f"--pipeline is {one_line(pipeline)}, which cannot be loaded ({reason}): {REMEDY}.") from None
    return tokenizer, model.eval()
