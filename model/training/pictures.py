"""Labelled pictures to learn from: Fashion-MNIST's four files, or a folder of images with a sub-folder per class.

Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", 2017; 70,000 garments of 28 x 28 pixels in ten classes, in the IDX format of MNIST (big-endian header of
dimensions, then bytes), as Debian's package dataset-fashion-mnist installs them.
CIFAR-10: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; 32 x 32 pixels, RGB.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from radit.model.errors import UserError
from radit.model.reading import path_text, read_bytes
from radit.model.training.clips import IMAGES, entries_of, is_folder, quiet, reading

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of Debian's dataset-fashion-mnist
FASHION_FILES = {"train": "train", "test": "t10k"}
FASHION_SIZE, FASHION_CLASSES = 28, 10
BYTE_IDX = 0x0800  # type code of unsigned bytes; the last byte of the word is the number of dimensions
LEVELS = 127.5  # 8-bit values per unit


@dataclass(frozen=True)
class Pictures:
    """Images (N, C, H, W), uint8, 0 (black) .. 255, labels (N,), int64, and the classes' names in order (or none)."""

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...] = ()


def to_pixels(images: Tensor) -> Tensor:
    """Return images (N, C, H, W) uint8 as float32 from -1 to 1."""
    return images.float() / LEVELS - 1.0


def mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images (N, C, H, W) uint8 as pixels, every second one, by chance, with left and right exchanged."""
    turned = torch.rand(len(images), generator=generator) < 0.5
    return to_pixels(torch.where(turned[:, None, None, None], images.flip(-1), images))


def load_fashion(folder: Path | None = None, part: str = "train") -> Pictures:
    """Return the 60,000 training or the 10,000 test garments, (N, 1, 28, 28).

    Args:
        folder: with the four files, gzipped or not; None: where Debian's package puts them.
        part: "train" or "test".

    Raises:
        UserError: the files are missing or no such files.
    """
    place = FASHION_FOLDER if folder is None else folder
    if not is_folder(place):
        remedy = "install Debian's dataset-fashion-mnist, or give --data FOLDER" if folder is None else "check the path"
        raise UserError(f"Folder {path_text(place)} of Fashion-MNIST is not there: {remedy}.")
    stem = FASHION_FILES[part]
    images = _read_idx(place, f"{stem}-images-idx3-ubyte", (FASHION_SIZE, FASHION_SIZE))
    labels = _read_idx(place, f"{stem}-labels-idx1-ubyte", ())
    if len(images) != len(labels) or len(labels) == 0 or labels.max() >= FASHION_CLASSES:
        raise UserError(
            f"Fashion-MNIST in {path_text(place)} has {len(images)} images and {len(labels)} labels to {part} with, or "
            "labels beyond 9: get the four files again."
        )
    return Pictures(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


def _read_idx(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array (N, *shape) uint8 of a file in the IDX format, which may be gzipped."""
    noun, remedy = "Fashion-MNIST file", "get it again"
    path = folder / f"{name}.gz"
    if path.exists():
        data, size = read_bytes(path, noun, remedy, most=1 << 26), (1 << 17) * math.prod(shape)
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, size)
        except zlib.error as error:
            raise UserError(f"{noun} {path_text(path)} cannot be read ({error}): {remedy}.") from None
    else:
        path = folder / name
        data = read_bytes(path, noun, remedy, most=1 << 27)
    header = struct.Struct(f">{2 + len(shape)}I")
    kind, count, *found = header.unpack(data[: header.size]) if len(data) >= header.size else (0, 0)
    values: np.ndarray = np.frombuffer(data, dtype=np.uint8)[header.size :]
    if kind != BYTE_IDX + 1 + len(shape) or tuple(found) != shape or count * math.prod(shape) != len(values):
        wanted = "x".join(map(str, ("N", *shape)))
        raise UserError(f"{noun} {path_text(path)} does not hold {wanted} bytes in the IDX format: {remedy}.")
    return values.reshape(count, *shape).copy()


def load_pictures(folder: Path, size: int) -> Pictures:
    """Return the images of FOLDER/CLASS/IMAGE, in RGB, cropped to the middle square and resized, (N, 3, size, size).

    Raises:
        UserError: the folder is missing or empty, a class holds something else, or an image is unreadable.
    """
    if not is_folder(folder):
        raise UserError(f"Picture folder {path_text(folder)} is not a folder: check the path.")
    classes = entries_of(folder, "Picture")
    loose = [path for path in classes if not is_folder(path)]
    if loose:
        raise UserError(f"{path_text(loose[0])} has no class: put it into a sub-folder of its class, or take it out.")
    found = [(path, label) for label, place in enumerate(classes) for path in entries_of(place, "Picture")]
    images = [_picture(path, size) for path, _ in found]
    labels = torch.tensor([label for _, label in found], dtype=torch.int64)
    return Pictures(torch.from_numpy(np.stack(images)), labels, tuple(place.name for place in classes))


def _picture(path: Path, size: int) -> np.ndarray:
    """One image (3, size, size) uint8."""
    if path.suffix.lower() not in IMAGES:
        raise UserError(f"{path_text(path)} is no image: use {', '.join(IMAGES)} files, and take others out.")
    with reading(path, "Image") as file, quiet(), Image.open(file) as image:
        square = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).transpose(2, 0, 1)
