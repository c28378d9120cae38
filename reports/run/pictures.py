"""Images and clips as pictures: PNG, animated GIF, and a contact sheet of a clip's frames under every policy."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from radit.model.files import write_file
from radit.model.policy.skip_policy import kind_of
from radit.reports.run.arrays import RunArrays

ZOOM = 16  # pixels of a written picture per pixel of the model
FRAME_MS = 125
SHEET_CLIPS = 4
SHEET_FILE = "contact_sheet.png"
CELL, GAP = 64, 4  # pixels of a frame in the contact sheet, about, and between frames
PAPER, INK = 255, 40


def data_uri(kind: str, data: bytes) -> str:
    """Bytes as a data URI of a MIME type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def pixels(image: np.ndarray) -> np.ndarray:
    """Image (C, H, W), -1 to 1, in bytes: (H, W, 3) of three channels, else the first in grey, (H, W)."""
    scaled = np.clip((image + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)
    return np.moveaxis(scaled, 0, -1) if len(scaled) == 3 else scaled[0]


def difference_pixels(difference: np.ndarray, limit: float) -> np.ndarray:
    """Mean over channels of a difference (C, H, W) as bytes (H, W, 3): blue -limit, white 0, red +limit."""
    scaled = np.clip(difference.mean(0) / limit, -1, 1) if limit else np.zeros(difference.shape[1:])
    return (matplotlib.colormaps["RdBu_r"]((scaled + 1) / 2)[..., :3] * 255 + 0.5).astype(np.uint8)


def zoomed(picture: np.ndarray, zoom: int) -> np.ndarray:
    """A picture (H, W, ..) with `zoom` x `zoom` pixels for each of its own."""
    return picture.repeat(zoom, 0).repeat(zoom, 1)


def png(picture: np.ndarray) -> bytes:
    """A picture (H, W) or (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="png")
    return buffer.getvalue()


def gif(frames: list[np.ndarray]) -> bytes:
    """Pictures of one size as an endless animation; grey ones keep every value, colours become a palette."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    buffer = io.BytesIO()
    first.save(buffer, format="gif", save_all=True, append_images=rest, duration=FRAME_MS, loop=0, optimize=False)
    return buffer.getvalue()


def sample_uri(sample: np.ndarray) -> str:
    """Image (C, H, W) as PNG, clip (F, C, H, W) as animated GIF."""
    return _uri([pixels(frame) for frame in _frames(sample)])


def difference_uri(difference: np.ndarray, limit: float) -> str:
    """The same of a difference, see `difference_pixels`."""
    return _uri([difference_pixels(frame, limit) for frame in _frames(difference)])


def _frames(sample: np.ndarray) -> list[np.ndarray]:
    return list(sample) if sample.ndim == 4 else [sample]


def _uri(frames: list[np.ndarray]) -> str:
    return data_uri("image/gif", gif(frames)) if len(frames) > 1 else data_uri("image/png", png(frames[0]))


def contact_sheet(clips: Mapping[str, np.ndarray]) -> np.ndarray:
    """Frames in rows, policies side by side, of the first clips (N, F, C, H, W) of every policy; bytes (H, W, 3)."""
    shown = {name: made[:SHEET_CLIPS] for name, made in clips.items()}
    count, frames, _, high, wide = next(iter(shown.values())).shape
    zoom = max(1, -(-CELL // wide))
    across, down, left, top = zoom * wide + GAP, zoom * high + GAP, 60, 36
    sheet = Image.new("RGB", (left + count * (len(shown) * across + GAP), top + frames * down), (PAPER,) * 3)
    draw = ImageDraw.Draw(sheet)
    for frame in range(frames):
        draw.text((2, top + frame * down + (down - GAP) // 2 - 6), f"frame {frame}", fill=(INK,) * 3)
    for clip in range(count):
        start = left + clip * (len(shown) * across + GAP)
        draw.text((start, 2), f"clip {clip}", fill=(INK,) * 3)
        for place, (name, made) in enumerate(shown.items()):
            draw.text((start + place * across, 18), kind_of(name).label, fill=(INK,) * 3)
            for frame in range(frames):
                tile = Image.fromarray(zoomed(pixels(made[clip, frame]), zoom))
                sheet.paste(tile, (start + place * across, top + frame * down))
    return np.asarray(sheet)


def write_pictures(folder: Path, arrays: RunArrays) -> None:
    """``<policy>_<number>.png`` of every image; of every clip ``.gif``, and the contact sheet."""
    for name, samples in arrays.images.items():
        for number, sample in enumerate(samples):
            frames = [zoomed(pixels(frame), ZOOM) for frame in _frames(sample)]
            file, data = ("gif", gif(frames)) if arrays.are_clips else ("png", png(frames[0]))
            write_file(folder / f"{name}_{number:02d}.{file}", data)
    if arrays.are_clips:
        write_file(folder / SHEET_FILE, png(contact_sheet(arrays.images)))
