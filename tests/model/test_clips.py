"""Folders of clips: every layout and kind of file, and one sentence for each kind of bad ones."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from radit.model.errors import UserError
from radit.model.training.clips import grey, load_clips
from tests.mutants import examples, flipped

SIZE, FRAMES = 16, 8


def frame(number: int, size: tuple[int, int] = (20, 16), mode: str = "RGB") -> Image.Image:
    """A frame whose grey is its number times ten."""
    return Image.new("L", size, 10 * number).convert(mode)


def write_folder(folder: Path, frames: int = FRAMES, **how) -> None:
    folder.mkdir(parents=True)
    for number in range(frames):
        frame(number, **how).save(folder / f"{number}.png")


def write_animation(path: Path, frames: int = FRAMES, **how) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = (frame(number, mode="L", **how) for number in range(frames))
    compressed = {"compression": "tiff_lzw"} if path.suffix == ".tif" else {"lossless": True}
    first.save(path, save_all=True, append_images=others, **compressed)


def greys(clip: torch.Tensor) -> list[int]:
    """Numbers of a clip's frames, from their grey."""
    return ((clip.mean((1, 2, 3)) + 1.0) * 12.75).round().int().tolist()


def test_labels_are_sub_folders(tmp_path: Path) -> None:
    write_folder(tmp_path / "walk" / "one")
    write_animation(tmp_path / "run" / "a.gif")
    write_animation(tmp_path / "run" / "b.png")
    found = load_clips(tmp_path, FRAMES, SIZE)
    assert found.classes == ("run", "walk") and found.labels.tolist() == [0, 0, 1]
    assert found.clips.shape == (3, FRAMES, 1, SIZE, SIZE) and found.clips.dtype == torch.float32
    assert [greys(clip) for clip in found.clips] == [list(range(FRAMES))] * 3


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.apng", "a.webp"])
def test_clips_without_labels(tmp_path: Path, name: str) -> None:
    write_animation(tmp_path / name)
    write_folder(tmp_path / "frames")
    (tmp_path / ".DS_Store").write_bytes(b"")
    found = load_clips(tmp_path, FRAMES, SIZE)
    assert found.classes == () and found.labels.tolist() == [0, 0]
    assert greys(found.clips[0]) == greys(found.clips[1]) == list(range(FRAMES))


def test_frames_are_in_the_order_of_their_numbers_and_picked_evenly(tmp_path: Path) -> None:
    write_folder(tmp_path / "long", frames=22)  # 10.png comes after 2.png
    assert greys(load_clips(tmp_path, FRAMES, SIZE).clips[0]) == [0, 3, 6, 9, 12, 15, 18, 21]


def test_the_middle_square_is_kept(tmp_path: Path) -> None:
    picture = np.zeros((16, 32), np.uint8)
    picture[:, 8:24] = 255
    for number in range(FRAMES):
        (tmp_path / "wide").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "wide" / f"{number}.png")
    assert (load_clips(tmp_path, FRAMES, SIZE).clips == 1.0).all()


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    (tmp_path / "clear").mkdir()
    for number in range(FRAMES):
        Image.new("RGBA", (16, 16), (255, 255, 255, 0)).save(tmp_path / "clear" / f"{number}.png")
    assert (load_clips(tmp_path, FRAMES, SIZE).clips == -1.0).all()


def mixed_sizes(folder: Path) -> None:
    write_folder(folder / "clip")
    frame(3, size=(9, 9)).save(folder / "clip" / "4.png")


def cut_off(folder: Path) -> None:
    write_folder(folder / "clip", size=(200, 200))
    file = folder / "clip" / "4.png"
    file.write_bytes(file.read_bytes()[:-100])


def kept(mode: str, name: str = "0.tif") -> Callable[[Path], None]:
    """A frame of a mode of pixels."""

    def write(folder: Path) -> None:
        (folder / "clip").mkdir()
        Image.new(mode, (16, 16)).save(folder / "clip" / name)

    return write


def large(folder: Path) -> None:
    """One bit per pixel: small as a file."""
    (folder / "clip").mkdir()
    Image.new("1", (10_000, 10_000)).save(folder / "clip" / "0.png")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "a.gif")


def strange_name(folder: Path) -> None:
    (folder / "clip\x1b[31m\n").mkdir()


def half_labelled(folder: Path) -> None:
    write_animation(folder / "walk" / "a.gif")
    write_animation(folder / "b.gif")


BAD = {
    "clip.* has a frame 4 of 9 x 9 pixels after frames of 20 x 16: give all frames one size": mixed_sizes,
    "clip has 7 frames: give it at least 8": lambda folder: write_folder(folder / "clip", frames=7),
    r"4\.png cannot be read .*: repair it": cut_off,
    r"a\.gif cannot be read .*: repair it": lambda folder: (folder / "a.gif").write_bytes(b"GIF"),
    "Clip folder .* is empty": lambda folder: None,
    "Clip folder .*walk is empty": lambda folder: (folder / "walk").mkdir(),
    "is not a folder: check the path": lambda folder: folder.rmdir(),
    r"0\.png is a single image: put the frames": lambda folder: frame(0).save(folder / "0.png"),
    r"notes\.txt is no clip: use .*\.gif": lambda folder: (folder / "notes.txt").write_text("hello"),
    r"b\.gif has no label, others of .* have": half_labelled,
    "holds no frames": lambda folder: write_folder(folder / "label" / "group" / "clip"),
    r"0\.tif has pixels of the kind I: save it in grey or RGB of 8 or 16 bits": kept("I"),
    r"0\.tif has pixels of the kind F: save it": kept("F"),
    r"0\.tif has pixels of the kind LAB: save it": kept("LAB"),
    r"0\.png cannot be read .it has more than 89,478,485 pixels.: make it smaller": large,
    r"a\.gif cannot be read \(it is a pipe\): repair it": pipe,
    r"a\.gif cannot be read \(No such file": lambda folder: (folder / "a.gif").symlink_to("nowhere"),
    r"a\.gif cannot be read \(of no known format\)": lambda folder: (folder / "a.gif").write_text("<html>"),
    r"a\.gif cannot be read": lambda folder: (folder / "a.gif").write_bytes(b"GIF89a\1\0\1\0\0\0\0;"),
    r"a\.mp4 cannot be read": lambda folder: (folder / "a.mp4").write_bytes(bytes(1000)),
    r"a\.avi cannot be read": lambda folder: (folder / "a.avi").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
    r"clip\\x1b\[31m\\n is empty": strange_name,
}


@pytest.mark.parametrize("words", BAD)
def test_bad_clips_are_one_sentence(tmp_path: Path, words: str) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    BAD[words](folder)
    with pytest.raises(UserError, match=words) as caught:
        load_clips(folder, FRAMES, SIZE)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", [*Image.MODES, "RGBX", "I;16", "I;16B", "I;16L"])
def test_every_kind_of_pixel_is_grey_or_refused(mode: str) -> None:
    try:
        found = grey(Image.new(mode, (3, 2)), Path("a.tif"))
    except UserError as error:
        assert mode in ("I", "F", "LAB") and str(error).startswith(f"Image a.tif has pixels of the kind {mode}: ")
    else:
        assert found.mode == "L" and found.size == (3, 2) and set(np.unique(found)) <= {0, 255}


WHITE_BLACK = {
    "CMYK": ((0, 0, 0, 0), (0, 0, 0, 255)),
    "YCbCr": ((255, 128, 128), (0, 128, 128)),
    "HSV": ((9, 0, 255), (9, 9, 0)),
}


@pytest.mark.parametrize("mode", WHITE_BLACK)
def test_other_colour_spaces(mode: str) -> None:
    for colour, wanted in zip(WHITE_BLACK[mode], (255, 0), strict=True):
        assert np.unique(grey(Image.new(mode, (2, 2), colour), Path("a"))) == [wanted]


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number in range(FRAMES):
        Image.fromarray(np.full((16, 16), 2570 * number, np.uint16)).save(tmp_path / "clip" / f"{number}.png")
    assert greys(load_clips(tmp_path, FRAMES, SIZE).clips[0]) == list(range(FRAMES))
    full = Image.fromarray(np.array([[0, 128, 129, 65535]], np.uint16))
    assert np.asarray(grey(full, Path("a"))).tolist() == [[0, 0, 1, 255]]


@pytest.mark.parametrize("name", ["0.jpg", "0.png", "0.webp", "0.tif"])
@pytest.mark.parametrize("orientation, corner", [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_photographs_are_upright(tmp_path: Path, name: str, orientation: int, corner: tuple[int, int]) -> None:
    """A light quarter at the top left of the file is where its orientation turns it."""
    picture = Image.new("RGB", (32, 32))
    picture.paste((255, 255, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    (tmp_path / "clip").mkdir()
    for number in range(FRAMES):
        picture.save(tmp_path / "clip" / name.replace("0", str(number)), exif=exif)
    clip = load_clips(tmp_path, FRAMES, SIZE).clips[0, 0, 0]
    quarters = clip.unflatten(0, (2, 8)).unflatten(2, (2, 8)).mean((1, 3))
    assert divmod(int(quarters.argmax()), 2) == corner and float(quarters.max()) > 0.9


def test_tiny_and_long_images(tmp_path: Path) -> None:
    for name, size in (("one", (1, 1)), ("wide", (3000, 1)), ("high", (1, 3000))):
        write_folder(tmp_path / name, size=size)
    assert [greys(clip) for clip in load_clips(tmp_path, FRAMES, SIZE).clips] == [list(range(FRAMES))] * 3


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif", "a.mp4"])
def test_damaged_files_are_read_or_refused_in_one_sentence(tmp_path: Path, name: str, rng, capfd) -> None:
    folder = tmp_path / "clips"
    if name == "a.mp4":
        write_video(folder / name)
    else:
        write_animation(folder / name)
    whole = (folder / name).read_bytes()
    refused = 0
    for _ in range(examples(40)):
        (folder / name).write_bytes(flipped(whole, rng))
        try:
            load_clips(folder, FRAMES, SIZE)
        except UserError as error:
            refused += 1
            assert name in str(error) and str(error).isprintable() and str(error).endswith(".")
    assert refused > 5 and capfd.readouterr() == ("", "")


def test_a_video_without_its_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "av", None)  # importing it is an error
    with pytest.raises(UserError, match=r"a\.mp4 needs the package av, .*: pip install 'radit\[clips\]', or use GIF"):
        load_clips(tmp_path, FRAMES, SIZE)


def write_video(path: Path, frames: int = 22) -> None:
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8, width=32, height=32)
        for number in range(frames):
            picture = frame(number, size=(32, 32))
            picture.paste((255, 255, 255) if number == 0 else 0, (0, 0, 16, 16) if number == 0 else (0, 0, 0, 0))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))


def test_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    seen = greys(load_clips(tmp_path, FRAMES, SIZE).clips[0])
    assert np.abs(np.array(seen) - [6, 3, 6, 9, 12, 15, 18, 21]).max() <= 1
    (tmp_path / "a.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:100])
    with pytest.raises(UserError, match=r"a\.mp4 cannot be read .*: repair it"):
        load_clips(tmp_path, FRAMES, SIZE)


def test_videos_are_upright(tmp_path: Path) -> None:
    """A telephone held sideways: the matrix of the track's header says so."""
    path = tmp_path / "a.mp4"
    write_video(path)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 32 << 16, 0, 1 << 30)
    path.write_bytes(content)
    first = load_clips(tmp_path, FRAMES, SIZE).clips[0, 0, 0]
    quarters = first.unflatten(0, (2, 8)).unflatten(2, (2, 8)).mean((1, 3))
    assert divmod(int(quarters.argmax()), 2) == (0, 1)  # clockwise
