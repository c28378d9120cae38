"""Every command that takes a model ends with one sentence and status 2 on a bad one, before it writes anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from radit.cli import main
from radit.model.dit.checkpoint import load_config, save_checkpoint
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.plain_text import visible

WIDE = '{"hidden_size": 1099511627776, "num_heads": 2, "num_classes": 10, "class_dropout_prob": 0.1}'
SMALL = DiTConfig(input_size=8, hidden_size=8, depth=2, num_heads=2)
COMMANDS = [
    ["demo"],
    ["cosim"],
    ["drive"],
    ["quality", "--samples", "2"],
    ["calibrate", "--target", "speedup=3", "--images", "1"],
    ["frontier", "--samples", "2"],
    ["ablate", "--samples", "2"],
    ["differences", "--samples", "2"],
    ["project"],
    ["explore", "--jobs", "1"],
    ["crosscheck"],
    ["area"],
    ["timing"],
    ["synth"],
    ["bench"],
]


def _with_config(path: Path, text: str) -> None:
    save_file({"x": torch.ones(2)}, path, {"config": text})


def _without_null_class(path: Path) -> None:
    save_checkpoint(path, DiT(SMALL.model_copy(update={"class_dropout_prob": 0.0})))


def _odd_weights(path: Path) -> None:
    model = DiT(SMALL)
    state = {name: value for name, value in model.state_dict().items()}
    torch.save({**state, "pos_embed": state["pos_embed"].to_sparse()}, path)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe.pt": (os.mkfifo, "it is a pipe"),
    "empty.pt": (Path.touch, "cannot be read"),
    "text.safetensors": (lambda path: path.write_text("not a checkpoint"), "cannot be read"),
    "none.pt": (lambda path: None, "is not a file"),
    "sparse.pt": (_odd_weights, "names no config that tells"),
    "code.pt": (lambda path: torch.save({"ema": Path("/")}, path), "Python objects beside tensors"),
    "deep.safetensors": (lambda path: _with_config(path, "[" * 100_000), "nested too deep"),
    "wide.safetensors": (lambda path: _with_config(path, WIDE), "needs"),
    "long.safetensors": (lambda path: _with_config(path, '{"depth": 100000}'), "depth is 100000"),
    "\x1b[31m[red].pt": (lambda path: path.write_bytes(b"PK"), "cannot be read"),
    "folder": (Path.mkdir, "it is a folder without config.json or model_index.json"),
    "flux.safetensors": (
        lambda path: save_file({"double_blocks.0.img_attn.qkv.weight": torch.ones(2)}, path),
        "holds Flux (FluxTransformer2DModel), for which the machine lacks joint streams",
    ),
    "unguided.safetensors": (_without_null_class, "has no null class"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_command_refuses_a_bad_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = FILES[name]
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    for command in COMMANDS:
        if name == "unguided.safetensors" and command[0] in ("area", "bench", "crosscheck", "synth", "timing"):
            continue  # these have no guidance to refuse
        assert main([*command, "--model", name]) == 2, command
        said = capsys.readouterr()
        assert (
            said.err.startswith("radit: ") and said.err.count("\n") == 1 and said.err[:-1] == visible(said.err[:-1])
        ), said.err
        assert words in said.err and said.out == "", (command, said.err)
        assert sorted(tmp_path.rglob("*")) == before, command


@pytest.mark.parametrize("model", ["a" * 5000, "a\0b", "", "\x1b[31m", "[/red]"])
def test_a_model_that_cannot_be_trained(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", model]) == 2
    said = capsys.readouterr().err
    assert said.startswith("radit: MODEL is '") and said.count("\n") == 1 and len(said) < 1000
    assert not list(tmp_path.iterdir())


@given(st.one_of(st.text(max_size=30), st.text(alphabet="digts:=_-./ptsafenor0123456789", max_size=40)))
def test_any_text_is_a_model_or_a_sentence(text: str) -> None:
    try:
        assert load_config(text) == NAMED_MODELS[text]
    except UserError as error:
        assert str(error) == visible(str(error)) and len(str(error)) < 1000


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[enforce fail] can't allocate memory: you tried ..")])
def test_memory_that_ends_is_one_sentence(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Estimates are from below."""

    def burst(*_: object, **__: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("radit.reports.project.project.fitted", burst)
    assert main(["project"]) == 2
    assert capsys.readouterr().err == (
        "radit: This machine has no memory left: use a smaller model, fewer images, timesteps or processes.\n"
    )
