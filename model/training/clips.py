"""The user's own clips: a folder of animations, videos or frame images -> training clips of a model's size.

    FOLDER/LABEL/CLIP     labelled clips; the label is the sub-folder's name
    FOLDER/CLIP           clips without a label

A CLIP is a file (GIF, APNG, animated WebP; MP4, MOV, MKV, WebM or AVI with the package `av`), or a folder of frame
images, in the order of their names, numbers by value. Everything is read before anything is used; names that begin
with a dot are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence
from torch import Tensor

from radit.model.errors import UserError

IMAGES = (".png", ".apng", ".gif", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)  # what Pillow raises on bad files
REMEDY = "repair it or take it out of the folder."


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
    if not folder.is_dir():
        raise UserError(f"Clip folder {folder} is not a folder: check the path.")
    found = list(_find(folder))
    classes = tuple(sorted({label for _, label in found if label is not None}))
    loose = [path for path, label in found if label is None]
    if classes and loose:
        raise UserError(f"Clip {loose[0]} has no label, others of {folder} have: put it into a sub-folder as well.")
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
                f"Clip {path} has a frame {number} of {image.width} x {image.height} pixels after frames of "
                f"{shape[0]} x {shape[1]}: give all frames one size."
            )
        squares.append(np.asarray(ImageOps.fit(_grey(image, path), (size, size), Image.Resampling.BILINEAR)))
    if len(squares) < frames:
        raise UserError(f"Clip {path} has {len(squares)} frames: give it at least {frames}, those of the model.")
    picked = np.linspace(0, len(squares) - 1, frames).round().astype(int)
    return torch.from_numpy(np.stack(squares)[picked]).float().unsqueeze(1) / 127.5 - 1.0


def _find(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Clips of a folder and their labels, in the order of their names."""
    for entry in _entries(folder):
        if _is_clip(entry):
            yield entry, None
            continue
        for clip in _entries(entry):
            if not _is_clip(clip):
                raise UserError(f"{clip} is a folder inside the label {entry.name} that holds no frames: {REMEDY}")
            yield clip, entry.name


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, numbers in names by value; at least something."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not found:
        raise UserError(f"Clip folder {folder} is empty: put clips into it or remove it.")
    return sorted(found, key=lambda path: [(int(digits or -1), text) for digits, text in PARTS.findall(path.name)])


PARTS = re.compile(r"(\d+)|(\D+)")


def _is_clip(path: Path) -> bool:
    """Whether a path is an animation, a video or a folder of frame images; False for other folders."""
    if path.is_dir():
        inside = _entries(path)
        return all(file.suffix.lower() in IMAGES and file.is_file() and not _moves(file) for file in inside)
    if path.suffix.lower() in VIDEOS or (path.suffix.lower() in IMAGES and _moves(path)):
        return True
    if path.suffix.lower() in IMAGES:
        raise UserError(f"{path} is a single image: put the frames of a clip into a folder of their own.")
    raise UserError(f"{path} is no clip: use {', '.join((*IMAGES, *VIDEOS))} files, and take others out of the folder.")


def _moves(path: Path) -> bool:
    """Whether an image file has several frames."""
    with _opened(path) as image:
        return getattr(image, "n_frames", 1) > 1


def _opened(path: Path) -> Image.Image:
    """An image file, open."""
    try:
        return Image.open(path)
    except BROKEN as error:
        raise UserError(f"Image {path} cannot be read ({_reason(error)}): {REMEDY}") from None


def _frames(path: Path) -> Iterator[Image.Image]:
    """Frames of a clip, one after the other."""
    if path.is_dir():
        for file in _entries(path):
            yield from _animation(file)
    else:
        yield from _video(path) if path.suffix.lower() in VIDEOS else _animation(path)


def _animation(path: Path) -> Iterator[Image.Image]:
    """Frames of an image file."""
    with _opened(path) as image:
        try:
            for frame in ImageSequence.Iterator(image):
                frame.load()
                yield frame
        except BROKEN as error:
            raise UserError(f"Image {path} cannot be read ({_reason(error)}): {REMEDY}") from None


def _video(path: Path) -> Iterator[Image.Image]:
    """Frames of a video file."""
    try:
        import av
    except ImportError:
        raise UserError(
            f"Video {path} needs the package av, which is not installed: pip install 'radit[clips]', or use GIF."
        ) from None
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_image()
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise UserError(f"Video {path} cannot be read ({_reason(error)}): {REMEDY}") from None


def _grey(image: Image.Image, path: Path) -> Image.Image:
    """A frame in 8-bit grey, what is transparent in it black."""
    if image.mode[0] in "IF":
        raise UserError(f"Clip {path} has pixels of the kind {image.mode}: give it 8 bits per channel.")
    if image.has_transparency_data:
        solid = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", solid.size, "black"), solid)
    return image.convert("L")


def _reason(error: Exception) -> str:
    """First line of an error."""
    return (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
