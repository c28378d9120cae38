"""Pictures to learn from: Fashion-MNIST's files, folders of images, what is wrong with them, and a training on each."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radit.model.dit.checkpoint import load_model, read_metadata
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.errors import UserError
from radit.model.training import pictures
from radit.model.training.pictures import load_fashion, load_pictures, mirrored, to_pixels
from radit.model.training.train import train_model, training_data

COUNT = 12


def idx(values: np.ndarray, kind: int | None = None) -> bytes:
    """The bytes of an IDX file."""
    kind = 0x0800 + values.ndim if kind is None else kind
    return struct.pack(f">{1 + values.ndim}I", kind, *values.shape) + values.astype(np.uint8).tobytes()


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """A few garments, the training part gzipped."""
    folder, rng = tmp_path / "fashion", np.random.default_rng(0)
    folder.mkdir()
    for stem, pack in (("train", gzip.compress), ("t10k", bytes)):
        images, labels = rng.integers(0, 256, (COUNT, 28, 28)), np.arange(COUNT) % 10
        suffix = ".gz" if stem == "train" else ""
        (folder / f"{stem}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
        (folder / f"{stem}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    return folder


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three classes of two images, wider than high."""
    folder = tmp_path / "photographs"
    for number, name in enumerate(("bird", "cat", "dog")):
        (folder / name).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (40, 32), (number * 80, index * 200, 30)).save(folder / name / f"{index}.png")
    return folder


@pytest.mark.parametrize("part", ["train", "test"])
def test_garments(fashion: Path, part: str) -> None:
    found = load_fashion(fashion, part)
    assert found.images.shape == (COUNT, 1, 28, 28) and found.images.dtype == torch.uint8
    assert found.labels.tolist() == [*range(10), 0, 1] and found.labels.dtype == torch.int64
    name = "train-images-idx3-ubyte.gz" if part == "train" else "t10k-images-idx3-ubyte"
    data = (fashion / name).read_bytes()
    assert found.images.numpy().tobytes() == (gzip.decompress(data) if part == "train" else data)[16:]


def test_where_the_garments_are_by_default(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FASHION_FOLDER", fashion)
    assert len(load_fashion().labels) == COUNT
    monkeypatch.setattr(pictures, "FASHION_FOLDER", fashion / "no")
    with pytest.raises(UserError, match="is not there: install Debian's dataset-fashion-mnist, or give --data FOLDER"):
        load_fashion()


GARMENTS = np.zeros((COUNT, 28, 28))
WRONG = {
    "no gzip": ("train-images-idx3-ubyte.gz", b"no", "cannot be read"),
    "cut off": ("train-images-idx3-ubyte.gz", gzip.compress(idx(GARMENTS)[:-1]), "Nx28x28 bytes"),
    "another size": ("train-images-idx3-ubyte.gz", gzip.compress(idx(GARMENTS[:, :27])), "Nx28x28 bytes"),
    "another kind": ("train-images-idx3-ubyte.gz", gzip.compress(idx(GARMENTS, kind=0x0D03)), "Nx28x28 bytes"),
    "no header": ("train-labels-idx1-ubyte.gz", gzip.compress(b"12"), "hold N bytes"),
    "fewer labels": ("train-labels-idx1-ubyte.gz", gzip.compress(idx(np.zeros(3))), "12 images and 3 labels"),
    "other labels": ("train-labels-idx1-ubyte.gz", gzip.compress(idx(np.arange(COUNT))), "labels beyond 9"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_garments(fashion: Path, wrong: str) -> None:
    name, content, words = WRONG[wrong]
    (fashion / name).write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        load_fashion(fashion)
    assert "\n" not in str(caught.value) and "again" in str(caught.value)


def test_a_missing_file_of_garments(fashion: Path) -> None:
    (fashion / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="train-labels-idx1-ubyte"):
        load_fashion(fashion)


def test_photographs(photographs: Path) -> None:
    found = load_pictures(photographs, 16)
    assert found.images.shape == (6, 3, 16, 16) and found.images.dtype == torch.uint8
    assert found.classes == ("bird", "cat", "dog") and found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.images[3].float().mean((1, 2)).tolist() == [80, 200, 30]


def test_wrong_photographs(photographs: Path) -> None:
    with pytest.raises(UserError, match="is not a folder: check the path"):
        load_pictures(photographs / "no", 16)
    (photographs / "cat" / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match="notes.txt is no image: use .png"):
        load_pictures(photographs, 16)
    (photographs / "cat" / "notes.txt").rename(photographs / "cat" / "2.png")
    with pytest.raises(UserError, match="2.png cannot be read"):
        load_pictures(photographs, 16)
    (photographs / "cat" / "2.png").rename(photographs / "2.png")
    with pytest.raises(UserError, match="2.png has no class: put it into a sub-folder"):
        load_pictures(photographs, 16)
    (photographs / "2.png").unlink()
    (photographs / "empty").mkdir()
    with pytest.raises(UserError, match="Picture folder .*empty is empty: put pictures into it"):
        load_pictures(photographs, 16)


def test_pixels_and_mirrors() -> None:
    images = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).expand(40, 1, 2, 2)
    pixels = mirrored(images, torch.Generator().manual_seed(0))
    straight = (pixels == to_pixels(images)).flatten(1).all(1)
    assert 5 < int(straight.sum()) < 35 and torch.equal(pixels[~straight], to_pixels(images[~straight].flip(-1)))
    assert pixels.unique().tolist() == [-1.0, 1.0]


def test_trainings(fashion: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMED_MODELS, "fashion", DiTConfig(input_size=28, patch_size=14, hidden_size=8, depth=2))
    small = DiTConfig(input_size=32, patch_size=16, in_channels=3, hidden_size=8, depth=2)
    monkeypatch.setitem(NAMED_MODELS, "cifar10", small)
    for model, folder, classes in (("fashion", fashion, 10), ("cifar10", photographs, 3)):
        out = tmp_path / f"{model}.safetensors"
        train_model(model, out, steps=2, data=folder)
        assert load_model(out).config.num_classes == classes
        assert f"by `radit train {model}` on" in read_metadata(out)["provenance"]
    assert json.loads(read_metadata(out)["classes"]) == ["bird", "cat", "dog"]


def test_wrong_trainings() -> None:
    with pytest.raises(UserError, match="--data is missing: give a folder of the images that cifar10 learns from"):
        training_data("cifar10")
