"""Folders of clips: every layout and kind of file, and one sentence for each kind of bad ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radit.model.errors import UserError
from radit.model.training.clips import load_clips

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
    first.save(path, save_all=True, append_images=others, lossless=True)


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


def sixteen_bits(folder: Path) -> None:
    (folder / "clip").mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint16)).save(folder / "clip" / "0.png")


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
    "has pixels of the kind I;16: give it 8 bits": sixteen_bits,
}


@pytest.mark.parametrize("words", BAD)
def test_bad_clips_are_one_sentence(tmp_path: Path, words: str) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    BAD[words](folder)
    with pytest.raises(UserError, match=words) as caught:
        load_clips(folder, FRAMES, SIZE)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_video_without_its_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "av", None)  # importing it is an error
    with pytest.raises(UserError, match=r"a\.mp4 needs the package av, .*: pip install 'radit\[clips\]', or use GIF"):
        load_clips(tmp_path, FRAMES, SIZE)


def test_videos(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=8, width=32, height=32)
        for number in range(22):
            container.mux(stream.encode(av.VideoFrame.from_image(frame(number, size=(32, 32)))))
        container.mux(stream.encode(None))
    seen = greys(load_clips(tmp_path, FRAMES, SIZE).clips[0])
    assert np.abs(np.array(seen) - [0, 3, 6, 9, 12, 15, 18, 21]).max() <= 1
    (tmp_path / "a.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:100])
    with pytest.raises(UserError, match=r"a\.mp4 cannot be read .*: repair it"):
        load_clips(tmp_path, FRAMES, SIZE)
