"""Damaged files of every format, each given to what reads it: its content, or one sentence; nothing is executed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from radit.model.errors import UserError
from tests.fuzz.child import calls
from tests.fuzz.conftest import FILES, SEED
from tests.fuzz.mutate import mutated
from tests.fuzz.plan import chosen
from tests.fuzz.promise import CONTROL, INTERNAL, MOST_LETTERS
from tests.fuzz.sandbox import WORK, copy, marks
from tests.fuzz.template import cheapen, replace

SHARE = 10  # files of one process, so that few of them wait for the operating system


@dataclass(frozen=True)
class Format:
    """A kind of file: a good one in the template, and what reads it, from its path and the working directory."""

    pattern: str
    read: Callable[[Path], Any]


def checkpoint(path: Path) -> None:
    from radit.model.dit.checkpoint import load_checkpoint

    load_checkpoint(path)


def calibration(path: Path) -> None:
    from radit.model.dit.checkpoint import load_model
    from radit.model.dit.sampler import Sampler
    from radit.model.integer.calibration import load_or_calibrate

    load_or_calibrate(load_model("tiny.safetensors"), "tiny.safetensors", Sampler(2))


def policy(path: Path) -> None:
    from radit.model.policy.policy_file import read_policy

    read_policy(path)


def quality(path: Path) -> None:
    from radit.model.dit.sampler import Sampler
    from radit.model.quality.quality_run import run_quality

    replace("radit.model.quality.quality_run", "measure", lambda settings: {"result": {}})
    run_quality(model="tiny.safetensors", samples=2, sampler=Sampler(2), cfg=1.5, seed=0, force=False)


def summary(path: Path) -> None:
    from radit.reports.run.runs import rerun_report

    rerun_report(run=path.parent, table="default", readme=None)


def decisions(path: Path) -> None:
    from radit.reports.run.arrays import load_arrays, load_decisions

    load_arrays(path)
    load_decisions(path)


def table(path: Path) -> None:
    from radit.reports.energy.energy_table import load_table

    load_table(path)


def liberty(path: Path) -> None:
    from radit.reports.area.synthesis import find_library

    find_library(path)


def readme(path: Path) -> None:
    from radit.reports.run.readme_table import update_readme

    update_readme(Path("run/summary.json"), path)


def clips(path: Path) -> None:
    from radit.model.training.clips import read_clip

    read_clip(path if path.parent.name == "clips" else path.parent, 8, 16)


def training(path: Path) -> None:
    from radit.model.training.train import train_model

    train_model("digits", "resumed.safetensors", steps=2, batch_size=2, resume=True)


FORMATS = {
    "checkpoint": Format("tiny.safetensors", checkpoint),
    "pickled checkpoint": Format("tiny.pt", checkpoint),
    "calibration": Format("tiny.calibration.safetensors", calibration),
    "policy": Format("tiny.policy.json", policy),
    "quality": Format("tiny.quality.json", quality),
    "summary": Format("run/summary.json", summary),
    "arrays": Format("run/arrays.npz", decisions),
    "energy table": Format("table.toml", table),
    "Liberty file": Format("cells.lib", liberty),
    "README": Format("README.md", readme),
    "GIF": Format("clips/a.gif", clips),
    "PNG": Format("clips/b.png", clips),
    "WebP": Format("clips/c.webp", clips),
    "MP4": Format("clips/d.mp4", clips),
    "frame": Format("clips/frames/3.png", clips),
    "interrupted training": Format("resumed.training", training),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_sentence(name, template, tmp_path):
    kind, before = FORMATS[name], marks(template)
    read, wrong = 0, []
    for seeds, ended in calls(_batches(), lambda seeds: _reading(kind, seeds, template, tmp_path)):
        told = [line.split("\t", 1) for line in ended.out.split("\n") if "\t" in line]
        read += len(told)
        wrong += [f"{seed}: {said}" for seed, said in told if said]
        if ended.status:
            wrong.append(f"{seeds[len(told)]}: {ended.how} {ended.err[-500:]}")
        shutil.rmtree(tmp_path / f"{seeds[0]}")
    assert not wrong, f"{len(wrong)} of {FILES} files of kind {name}, as mutated(path, seed):\n" + "\n".join(wrong)
    assert read == FILES and marks(template) == before


def _batches() -> Iterator[list[int]]:
    return iter([list(range(start, min(start + SHARE, FILES))) for start in range(0, FILES, SHARE)])


def _reading(kind: Format, seeds: list[int], template: Path, folder: Path) -> tuple[Callable[[], None], Path, Path]:
    sandbox = copy(template, folder / f"{seeds[0]}")

    def read_all() -> None:
        cheapen(Path.cwd())
        path = chosen(kind.pattern, Path.cwd(), random.Random(0))
        good = path.read_bytes()
        for seed in seeds:
            path.write_bytes(mutated(path, f"{SEED}/{seed}"))
            print(f"{seed}\t{_said(kind, path)}".replace("\n", " "), flush=True)
            path.write_bytes(good)

    return read_all, sandbox / WORK, folder / "said" / f"{seeds[0]}"


def _said(kind: Format, path: Path) -> str:
    """What is wrong with what a reader says; empty: nothing."""
    try:
        kind.read(path)
    except UserError as error:
        said = str(error)
        if "\n" in said or CONTROL.search(said) or INTERNAL.search(said) or len(said) > MOST_LETTERS:
            return f"no clean sentence: {said[:300]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""
