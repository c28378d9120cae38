"""The caches of exports and libraries: several processes find them empty at once, or damaged, or half made."""

import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from radit.accel.config import BuildConfig
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.verilate import Build, built
from radit.model.system.caches import DIGESTS, made_once
from tests.engines import bench
from tests.together import PATIENCE, PROCESSES, WHOLE, leftovers, together

SMALL = BuildConfig(rows=4, cols=4)
PAUSE = 0.2  # seconds between the halves of a file: long enough that every other process looks meanwhile


def write_slowly(path: Path) -> None:
    half = len(WHOLE) // 2
    with open(path, "w") as file:
        file.write(WHOLE[:half])
        file.flush()
        time.sleep(PAUSE)
        file.write(WHOLE[half:])


def note_making(cache: Path) -> None:
    (cache / f"made-{time.monotonic_ns()}").touch()


def makings(cache: Path) -> int:
    return len(list(cache.rglob("made-*")))


def convert_slowly(config, language, folder):
    write_slowly(folder / "top.v")
    note_making(folder.parent)


@dataclass(frozen=True)
class SlowBuild:
    """Stands for a compiler run: what `built` asks of a `Build`."""

    product = Build.product

    def key(self) -> str:
        return "key"

    def run(self, work: Path, cache: Path) -> None:
        write_slowly(work / self.product)
        note_making(cache)


def export(cache: Path) -> str:
    return exported_verilog(SMALL, cache, convert_slowly).read_text()


def compile_library(cache: Path) -> str:
    return built(SlowBuild(), cache).read_text()


def convert_dummy(cache: Path) -> str:
    text = bench.verilog(SMALL, cache).read_text()
    return WHOLE if text.rstrip().endswith("endmodule") else text


@pytest.mark.parametrize("work", [export, compile_library, convert_dummy])
def test_every_process_gets_a_whole_file(work, tmp_path):
    assert together(work, tmp_path) == [WHOLE] * PROCESSES
    assert leftovers(tmp_path) == []
    assert makings(tmp_path) == (work is not convert_dummy), "what takes long is made once"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(WHOLE[:9]),
        lambda path: path.unlink(),
        lambda path: (path.parent / DIGESTS).unlink(),
        lambda path: (path.parent / DIGESTS).write_text("{"),
    ],
    ids=["cut off", "missing", "unfinished", "unfinished record"],
)
@pytest.mark.parametrize("work, file", [(export, "*/top.v"), (compile_library, f"*/{Build.product}")])
def test_damage_is_made_good(work, file, damage, tmp_path):
    assert work(tmp_path) == work(tmp_path) == WHOLE and makings(tmp_path) == 1
    damage(next(tmp_path.glob(file)))
    assert work(tmp_path) == work(tmp_path) == WHOLE and makings(tmp_path) == 2


def test_what_an_interrupted_process_left_is_made_again(tmp_path):
    """Killed in the middle of a file: its lock ends with it, what it wrote counts for nothing."""
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=begin_and_hang, args=(tmp_path / "folder",))
    victim.start()
    while not list(tmp_path.glob("folder.*.part/half")):
        assert victim.is_alive()
        time.sleep(0.01)
    victim.kill()
    victim.join()
    folder = made_once(tmp_path / "folder", lambda work: (work / "whole").write_text(WHOLE))
    assert {path.name for path in folder.iterdir()} == {"whole", DIGESTS}


def begin_and_hang(folder: Path) -> None:
    def make(work: Path) -> None:
        (work / "half").write_text("half")
        time.sleep(PATIENCE)

    made_once(folder, make)
