"""Text encoders of pipelines: the embeddings that diffusers' own pipeline makes, and what cannot be loaded."""

import sys

import pytest
import torch
from diffusers import PixArtAlphaPipeline

from radit.cli import main
from radit.model.errors import UserError
from radit.model.text.encoder import TextEncoder, write_prompt
from radit.model.text.prompt_files import read_prompts
from tests.text_encoders import CHANNELS, TOKENS, make_pipeline

TEXT, NEGATIVE = "  A small CAT ", "blurred"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    make_pipeline(folder)
    return folder


def test_a_prompt_is_embedded_as_by_the_library(pipeline, tmp_path):
    out = tmp_path / "cat.safetensors"
    assert write_prompt(TextEncoder(pipeline), TEXT, out, TOKENS, NEGATIVE) == 4
    found = read_prompts(str(out), TOKENS, CHANNELS)
    assert found.counts.tolist() == [4, 2] and found.has_null and found.names == ("cat",)
    encoder = TextEncoder(pipeline)
    library = PixArtAlphaPipeline(encoder._tokenizer, encoder._model, None, None, None)
    wanted = library.encode_prompt(
        TEXT, negative_prompt=NEGATIVE, clean_caption=False, max_sequence_length=TOKENS, device="cpu"
    )
    for row, (embedded, mask) in zip(found.embeddings, (wanted[:2], wanted[2:]), strict=True):
        count = int(mask.sum())
        assert torch.allclose(row[:count], embedded[0, :count], atol=1e-6) and not row[count:].any()


def test_a_long_text_is_cut(pipeline, tmp_path):
    assert write_prompt(TextEncoder(pipeline), "cat " * 20, tmp_path / "cats.safetensors", TOKENS, "") == TOKENS


def test_the_command_writes_the_file(pipeline, tmp_path, capsys):
    out = tmp_path / "cat.safetensors"
    asked = ["embed", TEXT, "--pipeline", str(pipeline), "--out", str(out), "--tokens", str(TOKENS)]
    assert main(asked) == 0 and "4 of 8 tokens" in (said := capsys.readouterr()).out
    assert said.err == ""
    assert read_prompts(str(out), TOKENS, CHANNELS).counts.tolist() == [4, 1]


def test_what_cannot_be_loaded_is_said_in_a_sentence(pipeline, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="which has no folder tokenizer: give the folder of a pipeline"):
        TextEncoder(tmp_path)
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "text_encoder").mkdir()
    with pytest.raises(UserError, match="which cannot be loaded"):
        TextEncoder(tmp_path)
    with pytest.raises(UserError, match="--out is cat.txt: write a .safetensors file"):
        write_prompt(TextEncoder(pipeline), TEXT, tmp_path.relative_to(tmp_path) / "cat.txt", TOKENS, "")
    with pytest.raises(UserError, match="which is no text: give one of Unicode"):
        write_prompt(TextEncoder(pipeline), "\udcff", tmp_path / "cat.safetensors", TOKENS, "")
    monkeypatch.setattr("radit.model.limits.machine_memory", lambda: type("None", (), {"free": 0, "total": 0})())
    with pytest.raises(UserError, match="Text encoder .* needs .* of memory"):
        TextEncoder(pipeline)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match="need the packages transformers and sentencepiece: pip install 'radit"):
        TextEncoder(pipeline)


def test_weights_that_make_no_numbers_are_refused(pipeline, tmp_path):
    encoder = TextEncoder(pipeline)
    next(iter(encoder._model.parameters())).data.fill_(torch.nan)
    with pytest.raises(UserError, match="values that are not finite"):
        write_prompt(encoder, TEXT, tmp_path / "cat.safetensors", TOKENS, "")
    assert not (tmp_path / "cat.safetensors").exists()
