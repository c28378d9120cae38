"""A pipeline's text encoder of random weights, and a tokenizer of seven words."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

WORDS = ["<pad>", "</s>", "<unk>", "a", "small", "cat", "blurred"]
CHANNELS, TOKENS = 16, 8


def make_pipeline(folder: Path) -> None:
    """Write tokenizer/ and text_encoder/ into a folder."""
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=TOKENS
    )
    tokenizer.save_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    config = T5Config(vocab_size=len(WORDS), d_model=CHANNELS, d_kv=4, d_ff=32, num_layers=2, num_heads=4)
    T5EncoderModel(config).eval().save_pretrained(folder / "text_encoder")
