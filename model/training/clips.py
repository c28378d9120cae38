"""The user's own clips: a folder of animations, videos or frame images -> training clips of a model's size.

    FOLDER/LABEL/CLIP     labelled clips; the label is the sub-folder's name
    FOLDER/CLIP           clips without a label

A CLIP is a file (GIF, APNG, animated WebP; MP4, MOV, MKV, WebM or AVI with the package `av`), or a folder of frame
images, in the order of their names, numbers by value. Everything is read before anything is used; names that begin
with a dot are passed over. Frames are turned as their file says (orientation of Exif, rotation of a video). Every kind
of pixel is read that has a grey: of 1, 8 or 16 bits, palettes, RGB, CMYK, YCbCr, HSV.
"""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError
from torch import Tensor

from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.reading import opened, path_text

IMAGES = (".png", ".apng", ".gif", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
CONTAINERS = "mov,mp4,matroska,webm,avi"  # FFmpeg's names: others, such as playlists, make it open other files
STDERR = 2  # file descriptor
STRAIGHT = {"La": "LA", "RGBa": "RGBA"}  # of premultiplied pixels
SIXTEEN = 65535 // 255  # 16-bit steps of an 8-bit one
REMEDY = "repair it or take it out of the folder"


@dataclass(frozen=True)
class Clips:
    """Clips (N, F, 1, H, W), float32, -1 (black) .. 1 (white), labels (N,), int64, and the labels' names in order.

    Without labels there are no names, and all labels are 0.
    """

    clips: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def load_clips(folder: str | Path, frames: int, size: int) -> Clips:
    """Return the clips of a folder: grey, cropped to the middle square, resized, `frames` frames picked evenly.

    Args:
        folder: see the module.
        frames: per clip; the first and the last frame of a longer clip are among them.
        size: rows and columns, in pixels.

    Raises:
        UserError: the folder is missing or empty or mixes clips with and without a label, a clip is unreadable,
            has too few frames or frames of several sizes, or a video needs a package that is not installed.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise UserError(f"Clip folder {path_text(folder)} is not a folder: check the path.")
    found = list(_find(folder))
    classes = tuple(sorted({label for _, label in found if label is not None}))
    loose = [path for path, label in found if label is None]
    if classes and loose:
        raise UserError(
            f"Clip {path_text(loose[0])} has no label, others of {path_text(folder)} have: put it into a sub-folder as "
            "well."
        )
    clips = torch.stack([read_clip(path, frames, size) for path, _ in found])
    labels = [0 if label is None else classes.index(label) for _, label in found]
    return Clips(clips, torch.tensor(labels, dtype=torch.int64), classes)


def read_clip(path: Path, frames: int, size: int) -> Tensor:
    """Return one clip (frames, 1, size, size), float32, -1 .. 1, of a file or of a folder of frame images.

    Raises:
        UserError: see `load_clips`.
    """
    shape, squares = None, []
    for number, image in enumerate(_frames(path)):
        shape = shape or image.size
        if image.size != shape:
            raise UserError(
                f"Clip {path_text(path)} has a frame {number} of {image.width} x {image.height} pixels after frames of "
                f"{shape[0]} x {shape[1]}: give all frames one size."
            )
        squares.append(np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)))
    if len(squares) < frames:
        raise UserError(
            f"Clip {path_text(path)} has {len(squares)} frames: give it at least {frames}, those of the model."
        )
    picked = np.linspace(0, len(squares) - 1, frames).round().astype(int)
    return torch.from_numpy(np.stack(squares)[picked]).float().unsqueeze(1) / 127.5 - 1.0


def _find(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Clips of a folder and their labels, in the order of their names."""
    for entry in entries_of(folder):
        if _is_clip(entry):
            yield entry, None
            continue
        for clip in entries_of(entry):
            if not _is_clip(clip):
                raise UserError(
                    f"{path_text(clip)} is a folder inside the label {one_line(entry.name)} that holds no frames: "
                    f"{REMEDY}."
                )
            yield clip, entry.name


def entries_of(folder: Path, noun: str = "Clip") -> list[Path]:
    """Return what a folder of clips, or of what the noun says, holds, numbers in names by value; at least something.

    Raises:
        UserError: it is empty or cannot be read.
    """
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise UserError(
            f"{noun} folder {path_text(folder)} cannot be read ({error.strerror}): check its rights or take it out."
        ) from None
    if not found:
        raise UserError(f"{noun} folder {path_text(folder)} is empty: put {noun.lower()}s into it or remove it.")
    return sorted(found, key=lambda path: [(int(digits or -1), text) for digits, text in PARTS.findall(path.name)])


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; one that cannot be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


PARTS = re.compile(r"(\d+)|(\D+)")


def _is_clip(path: Path) -> bool:
    """Whether a path is an animation, a video or a folder of frame images; False for other folders."""
    if is_folder(path):
        inside = entries_of(path)
        return all(file.suffix.lower() in IMAGES and not is_folder(file) and not _moves(file) for file in inside)
    if path.suffix.lower() in VIDEOS or (path.suffix.lower() in IMAGES and _moves(path)):
        return True
    if path.suffix.lower() in IMAGES:
        raise UserError(f"{path_text(path)} is a single image: put the frames of a clip into a folder of their own.")
    raise UserError(
        f"{path_text(path)} is no clip: use {', '.join((*IMAGES, *VIDEOS))} files, and take others out of the folder."
    )


def _moves(path: Path) -> bool:
    """Whether an image file has several frames."""
    with reading(path, "Image") as file, quiet(), Image.open(file) as image:
        return getattr(image, "n_frames", 1) > 1


@contextmanager
def reading(path: Path, noun: str) -> Iterator[BinaryIO]:
    """A file, open; whatever a library raises on its content becomes the sentence."""
    with opened(path, noun, REMEDY) as file:
        try:
            yield file
        except UserError:
            raise
        except UnidentifiedImageError:
            raise UserError(f"{noun} {path_text(path)} cannot be read (of no known format): {REMEDY}.") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            most = f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
            raise UserError(f"{noun} {path_text(path)} cannot be read ({most}): make it smaller.") from None
        except Exception as error:  # of any kind: the decoders of dozens of formats raise what they like
            said = str(getattr(error, "strerror", None) or error).strip().split("\n")[0] or type(error).__name__
            raise UserError(
                f"{noun} {path_text(path)} cannot be read ({one_line(said).rstrip('.')}): {REMEDY}."
            ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing on stderr: neither Pillow's warnings, those of too many pixels being errors, nor what libtiff writes."""
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        sys.stderr.flush()
        kept = os.dup(STDERR)
        try:
            os.dup2(nowhere.fileno(), STDERR)
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)


def _frames(path: Path) -> Iterator[Image.Image]:
    """Frames of a clip, one after the other, upright and in 8-bit grey."""
    if is_folder(path):
        for file in entries_of(path):
            yield from _animation(file)
    else:
        yield from _video(path) if path.suffix.lower() in VIDEOS else _animation(path)


def _animation(path: Path) -> Iterator[Image.Image]:
    """Frames of an image file."""
    with reading(path, "Image") as file, ExitStack() as stack:
        with quiet():
            image = stack.enter_context(Image.open(file))
            rest = ImageSequence.Iterator(image)
        while True:
            with quiet():
                frame = next(rest, None)
                if frame is None:
                    return
                frame.load()
                found = grey(ImageOps.exif_transpose(frame), path)
            yield found


def _video(path: Path) -> Iterator[Image.Image]:
    """Frames of a video file."""
    try:
        import av
    except ImportError:
        raise UserError(
            f"Video {path_text(path)} needs the package av, which is not installed: pip install 'radit[clips]', or use "
            "GIF."
        ) from None
    with reading(path, "Video") as file, av.open(file, "r", options={"format_whitelist": CONTAINERS}) as container:
        if not container.streams.video:
            raise ValueError("it holds no pictures")
        for frame in container.decode(video=0):
            if frame.width * frame.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise ValueError(f"its frames have {frame.width} x {frame.height} pixels")
            yield grey(frame.to_image().rotate(frame.rotation, expand=True), path)


def grey(image: Image.Image, path: Path) -> Image.Image:
    """Return an image in 8-bit grey, what is transparent in it black.

    Args:
        path: of its file, for the sentence.

    Raises:
        UserError: its pixels have no grey (LAB), or no known range (integers of 32 bits, floats).
    """
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        values[values == image.info.get("transparency", -1)] = 0
        return Image.fromarray(((values + SIXTEEN // 2) // SIXTEEN).astype(np.uint8))
    if image.mode in ("I", "F", "LAB"):
        raise UserError(
            f"Image {path_text(path)} has pixels of the kind {image.mode}: save it in grey or RGB of 8 or 16 bits."
        )
    if image.has_transparency_data:
        solid = image.convert(STRAIGHT.get(image.mode, image.mode)).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", solid.size, "black"), solid)
    return (image.convert("RGB") if image.mode == "HSV" else image).convert("L")
