"""Training: the same for the same seed, resumed bit for bit, on digits and on clips."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radit.model.dit.checkpoint import load_config, load_model, read_metadata
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.sampler import make_noise
from radit.model.errors import UserError
from radit.model.training import train
from radit.model.training.batches import Batches
from radit.model.training.digits import split_digits
from radit.model.training.moving_digits import Motion
from radit.model.training.train import Trainer, noise_loss, train_model
from radit.model.training.training_state import KIND, read_state, state_path, write_state

SMALL = {
    "digits": DiTConfig(patch_size=4, hidden_size=8, depth=2),
    "moving-digits": DiTConfig(input_size=16, patch_size=8, frames=8, hidden_size=8, depth=2),
    "prompted-digits": NAMED_MODELS["prompted-digits"].model_copy(
        update={"patch_size": 8, "hidden_size": 8, "depth": 2, "num_heads": 2}
    ),
}


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, config in SMALL.items():
        monkeypatch.setitem(NAMED_MODELS, name, config)
    monkeypatch.setattr(train, "STATE_EVERY", 2)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path).state_dict()


def equal(first: Path, second: Path) -> bool:
    a, b = weights(first), weights(second)
    return all(torch.equal(a[name], b[name]) for name in a)


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Break off the training after so many steps."""
    advance, taken = Trainer.advance, []

    def stop(trainer: Trainer) -> None:
        if len(taken) == after:
            raise KeyboardInterrupt
        taken.append(trainer.step)
        advance(trainer)

    monkeypatch.setattr(Trainer, "advance", stop)


def write_clips(folder: Path, labels: tuple[str, ...] = ("left", "right")) -> Path:
    """Two small labelled clips each."""
    for number, label in enumerate(labels * 2):
        clip = folder / label / f"clip{number}"
        clip.mkdir(parents=True)
        for place in range(9):
            picture = np.zeros((16, 16), np.uint8)
            picture[:, place + number] = 255
            Image.fromarray(picture).save(clip / f"{place}.png")
    return folder


def test_batches_take_every_sample_once_an_epoch() -> None:
    generator = torch.Generator().manual_seed(0)
    source = Batches(torch.arange(10), torch.arange(10) * 2, 3, generator)
    epochs = [torch.cat([next(source)[0] for _ in range(3)]) for _ in range(2)]
    assert all(len(set(epoch.tolist())) == 9 for epoch in epochs) and not torch.equal(*epochs)
    samples, labels = next(source)
    assert torch.equal(samples * 2, labels)


@pytest.mark.parametrize("model", SMALL)
def test_training_is_the_same_for_the_same_seed(tmp_path: Path, model: str) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        train_model(model, path, steps=2, seed=seed, batch_size=4)
    assert equal(paths[0], paths[1]) and not equal(paths[0], paths[2])
    metadata = read_metadata(paths[2])
    assert (metadata["seed"], metadata["steps"], metadata["batch_size"]) == ("2", "2", "4")
    assert "model/training/train.py on the train split" in metadata["provenance"]


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("after", [3, 4])
def test_a_resumed_training_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, after: int
) -> None:
    """Batches of 400, three an epoch: the state is kept inside one and another follows."""
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    train_model(model, whole, steps=6, batch_size=400)
    with monkeypatch.context() as patch:
        interrupt(patch, after)
        with pytest.raises(KeyboardInterrupt):
            train_model(model, broken, steps=6, batch_size=400)
    assert state_path(broken).is_file() and not broken.exists()
    torch.randn(3)  # the global randomness has nothing to do with it
    train_model(model, broken, steps=6, batch_size=400, resume=True)
    assert equal(whole, broken)
    assert read_metadata(whole)["loss"] == read_metadata(broken)["loss"]
    assert not state_path(broken).exists()


def test_progress_that_goes_to_a_file_has_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "LINE_EVERY", 2)
    train_model("digits", tmp_path / "few.safetensors", steps=5, batch_size=2)
    assert re.findall(r"(\d) of 5 steps, loss \d\.\d{4}\n", capsys.readouterr().out) == ["2", "4"]


def test_only_the_same_training_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.safetensors"
    with pytest.raises(UserError, match="There is no interrupted training .*: leave --resume out"):
        train_model("digits", out, resume=True)
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train_model("digits", out, steps=4, batch_size=4)
    with pytest.raises(UserError, match="has steps 4 where 5 is asked for: resume with the settings"):
        train_model("digits", out, steps=5, batch_size=4, resume=True)
    with pytest.raises(UserError, match="has data .* is asked for"):
        train_model("moving-digits", out, steps=4, batch_size=4, peak_rate=1e-3, resume=True)
    state_path(out).write_bytes(b"cut off")
    with pytest.raises(UserError, match="is damaged or of another version: delete it and train anew"):
        train_model("digits", out, steps=4, batch_size=4, resume=True)


DAMAGED = [{}, {"step": "x"}, {"step": 9}, {"model": {}}, {"order": 3}, {"order": torch.tensor([9999])}]
DAMAGED += [{"generator": None}, {"loss": None}, {"loss": float("nan")}]
DAMAGED += [{"optimizer": {"state": {}, "param_groups": []}}]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_state_of_another_kind_is_refused(tmp_path: Path, damaged: dict) -> None:
    out = tmp_path / "a.safetensors"
    trainer = Trainer(train.training_data("digits"), train.Recipe(2, 4, 1e-3), 0)
    facts = {"seed": 0, "steps": 2, "batch_size": 4, "peak_rate": 1e-3}
    state = trainer.state() | damaged if damaged else {}
    write_state(state_path(out), {**facts, "data": train.training_data("digits").digest()}, state)
    with pytest.raises(UserError, match="Training state .* (does not fit|cannot be read): delete it and train anew"):
        train_model("digits", out, steps=2, batch_size=4, peak_rate=1e-3, resume=True)


@pytest.mark.parametrize("content", [b"R", b"", torch.zeros(2), [1], {"key": [], "state": {}}, {"key": {}}], ids=repr)
def test_a_file_with_a_right_hash_that_is_no_state_is_refused(tmp_path: Path, content: object) -> None:
    """Bytes are no file of torch's: its reader pops from an empty stack."""
    path, buffer = tmp_path / "a.training", io.BytesIO()
    if isinstance(content, bytes):
        buffer.write(content)
    else:
        torch.save(content, buffer)
    path.write_bytes(KIND + hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    with pytest.raises(UserError, match="a.training is damaged or of another version: delete it and train anew"):
        read_state(path, {})


def spoil(monkeypatch: pytest.MonkeyPatch, step: int, what: str) -> None:
    """Let the loss, or a weight after the step, be no number."""
    if what == "loss":
        usual, seen = train.noise_loss, []

        def loss(model: torch.nn.Module, *given: object) -> torch.Tensor:
            seen.append(1)
            return usual(model, *given) * (torch.inf if len(seen) == step else 1.0)

        monkeypatch.setattr(train, "noise_loss", loss)
        return
    advance = Trainer.advance

    def stray(trainer: Trainer) -> None:
        advance(trainer)
        if trainer.step == step:
            next(iter(trainer.average.parameters())).data.flatten()[0] = torch.nan

    monkeypatch.setattr(Trainer, "advance", stray)


@pytest.mark.parametrize(
    "what, step, kept, words",
    [
        ("loss", 4, 2, "Training has a loss of inf at step 4: give another --seed"),
        ("loss", 1, None, "Training has a loss of inf at step 1"),
        ("weights", 4, 2, "Training has weights that are not finite at step 4: give"),
        ("weights", 6, 4, "Training has weights that are not finite at step 6"),
    ],
)
def test_a_training_that_diverges_keeps_what_was_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, step: int, kept: int | None, words: str
) -> None:
    """The checkpoint of an earlier training, and the last good state."""
    out = tmp_path / "a.safetensors"
    train_model("digits", out, steps=1, batch_size=4)
    before = out.read_bytes()
    spoil(monkeypatch, step, what)
    with pytest.raises(UserError, match=words):
        train_model("digits", out, steps=6, batch_size=4)
    assert out.read_bytes() == before and state_path(out).is_file() == (kept is not None)
    if kept is not None:
        state = read_state(state_path(out), {"steps": 6})
        assert state["step"] == kept and all(bool(part.isfinite().all()) for part in state["average"].values())


def test_noise_loss_of_a_fresh_model_is_that_of_predicting_nothing() -> None:
    model = Trainer(train.training_data("moving-digits"), train.Recipe(1, 4, 1e-3), 0).model
    clips, labels = torch.zeros(50, 8, 1, 16, 16), torch.zeros(50, dtype=torch.int64)
    assert noise_loss(model, clips, labels, torch.Generator().manual_seed(0)).item() == pytest.approx(1.0, abs=0.02)


def test_training_on_own_clips(tmp_path: Path) -> None:
    folder, out = write_clips(tmp_path / "clips"), tmp_path / "own.safetensors"
    train_model("moving-digits", out, steps=2, data=folder)
    model, metadata = load_model(out), read_metadata(out)
    assert model.config.num_classes == 2 and json.loads(metadata["classes"]) == ["left", "right"]
    assert metadata["batch_size"] == "4"  # there are no more
    assert "4 clips of clips" in metadata["provenance"]


def test_training_on_another_motion(tmp_path: Path) -> None:
    """Another model is learnt, its checkpoint says of which motion, and neither training resumes the other."""
    usual, other = tmp_path / "usual.safetensors", tmp_path / "other.safetensors"
    two = Motion(bounce=False, digits=2)
    train_model("moving-digits", usual, steps=2, batch_size=4)
    train_model("moving-digits", other, steps=2, batch_size=4, motion=two)
    assert read_metadata(other)["motion"] == str(two) != read_metadata(usual)["motion"] == str(Motion())
    models = [load_model(path).state_dict() for path in (usual, other)]
    assert any(not torch.equal(models[0][name], models[1][name]) for name in models[0])
    digests = {train.training_data("moving-digits", motion=motion).digest() for motion in (None, two)}
    assert len(digests) == 2


def test_bad_clips_leave_nothing_behind(tmp_path: Path) -> None:
    folder, out = write_clips(tmp_path / "clips"), tmp_path / "new" / "own.safetensors"
    for number in range(5):
        (folder / "left" / "clip0" / f"{number}.png").unlink()
    with pytest.raises(UserError, match="clip0 has 4 frames: give it at least 8"):
        train_model("moving-digits", out, data=folder)
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "--steps is 0: give a whole number from 1"),
        ({"batch_size": 0}, "--batch-size is 0: give a whole number from 1 to 1438"),
        ({"batch_size": 2000}, "--batch-size is 2000: give a whole number from 1 to 1438, the images or clips"),
        ({"peak_rate": float("nan")}, "peak_rate is nan: give a number from 1e-09 to 1"),
        ({"model": "cats"}, "MODEL is 'cats', which cannot be trained here: use 'digits' or"),
        ({"data": Path("clips")}, "--data is clips, but digits does not learn from clips"),
        ({"motion": Motion()}, "--motion is .* not what digits learns from: leave it out"),
        ({"model": "moving-digits", "motion": Motion(), "data": Path("own")}, "not the clips of own: leave it out"),
        ({"out": "weights.pt"}, "has the extension '.pt': write a .safetensors file"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        train_model(**{"model": "digits", "out": tmp_path / "out.safetensors", "steps": 1, **settings})


def test_prompted_digits_spell_what_they_show() -> None:
    data, digits = train.training_data("prompted-digits"), split_digits()[0]
    trainer = Trainer(data, train.Recipe(1, 32, 1e-3), 0)
    images, labels = next(trainer.source)
    assert images.shape == (32, 1, 8, 32) and data.prompts is not None and len(data.prompts) == 11110
    texts = [data.prompts.names[label] for label in labels]
    assert {len(text) for text in texts} == {1, 2, 3, 4}
    shown = {label: digits.images[digits.labels == label] for label in range(10)}
    for text, image in zip(texts, images, strict=True):
        for place, part in enumerate(image.split(8, dim=-1)):
            if place < len(text):
                assert (shown[int(text[place])] == part).flatten(1).all(1).any()
            else:
                assert bool((part == -1.0).all())


def test_prompted_digits_learn_and_resume(tmp_path: Path) -> None:
    """An interrupted training equals an uninterrupted one; the checkpoint spells, and knows no other characters."""
    whole, out = tmp_path / "whole.safetensors", tmp_path / "out.safetensors"
    first = train_model("prompted-digits", whole, steps=4, batch_size=4)
    trainer = Trainer(train.training_data("prompted-digits"), train.Recipe(4, 4, 1e-3), 0)
    trainer.advance()
    facts = {"seed": 0, "steps": 4, "batch_size": 4, "peak_rate": 1e-3}
    write_state(state_path(out), {**facts, "data": train.training_data("prompted-digits").digest()}, trainer.state())
    again = train_model("prompted-digits", out, steps=4, batch_size=4, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    model = load_model(whole, prompt="2026,7,,40")
    assert model.prompts is not None and model.prompts.names == ("2026", "7", "", "40")
    assert model.prompts.counts.tolist() == [5, 2, 1, 3, 1] and load_model(whole).config.num_classes == 512
    assert load_config(whole) == load_model(whole).config
    noise, y = make_noise(model.config, 4, 0), torch.arange(4)
    alone = load_model(whole, prompt="7")
    assert torch.equal(model(noise[1:2], torch.tensor([9]), y[1:2]), alone(noise[1:2], torch.tensor([9]), y[:1]))
    assert torch.equal(*(model(noise[:1], torch.tensor([9]), torch.tensor([label])) for label in (2, -1)))
    for prompt, words in (("20x6", "'20x6' with 'x': give characters of '0123456789'"), ("12345", "give up to 4")):
        with pytest.raises(UserError, match=words):
            load_model(whole, prompt=prompt)
