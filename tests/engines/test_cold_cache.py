"""Caches that several processes find empty at the same moment: each of them gets a whole file, made once or by all."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from accel.config import BuildConfig
from cosim.engines.open import exported_verilog
from cosim.engines.verilate import Build, built
from model.files import write_json
from tests.engines import bench

SMALL = BuildConfig(rows=4, cols=4)
PROCESSES = 4
PAUSE = 0.2  # seconds between the halves of a file: long enough that every other process looks meanwhile
WHOLE = "module top;\nendmodule\n"


def write_slowly(path: Path) -> None:
    half = len(WHOLE) // 2
    with open(path, "w") as file:
        file.write(WHOLE[:half])
        file.flush()
        time.sleep(PAUSE)
        file.write(WHOLE[half:])


def convert_slowly(config, language, folder):
    write_slowly(folder / "top.v")
    (folder / f"made-{time.monotonic_ns()}").touch()
    return folder / "top.v"


@dataclass(frozen=True)
class SlowBuild:
    """Stands for a compiler run: what `built` asks of a `Build`."""

    product = Build.product

    def key(self) -> str:
        return "key"

    def run(self, folder: Path) -> None:
        folder.mkdir()
        write_slowly(folder / self.product)
        (folder.parent / f"made-{time.monotonic_ns()}").touch()


def export(cache: Path) -> str:
    return exported_verilog(SMALL, cache, convert_slowly).read_text()


def compile_library(cache: Path) -> str:
    return built(SlowBuild(), cache).read_text()


def convert_dummy(cache: Path) -> str:
    text = bench.verilog(SMALL, cache).read_text()
    return WHOLE if text.rstrip().endswith("endmodule") else text


def write_result(cache: Path) -> str:
    """As results and calibrations are stored: whoever reads finds a whole file or none."""
    path = cache / "result.json"
    for _ in range(50):
        write_json(path, {"text": WHOLE, "filling": ["x" * 100] * 100})
        assert path.read_text().endswith("}\n")
    return WHOLE


def together(work: Callable[[Path], str], cache: Path) -> list[str]:
    """What each process got, all of them started at once."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=answer, args=(work, cache, barrier, answers)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    return found


def answer(work, cache, barrier, answers):
    barrier.wait()
    try:
        answers.put(work(cache))
    except Exception as error:
        answers.put(repr(error))


@pytest.mark.parametrize("work", [export, compile_library, convert_dummy, write_result])
def test_every_process_gets_a_whole_file(work, tmp_path):
    assert together(work, tmp_path) == [WHOLE] * PROCESSES


@pytest.mark.parametrize("work", [export, compile_library])
def test_what_takes_long_is_made_once(work, tmp_path):
    together(work, tmp_path)
    assert len(list(tmp_path.rglob("made-*"))) == 1
