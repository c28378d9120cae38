"""Processes that judge mutants side by side, each in a workshop of its own."""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.system.gauntlet import prepare
from tools.mutations.mutants import Mutant
from tools.mutations.verdicts import Original, Verdict, judge
from tools.mutations.workshop import Workshop

_held: dict[str, Workshop] = {}


def judged(mutants: Sequence[Mutant], original: Original, workers: int, folder: Path) -> Iterator[Verdict]:
    """Verdicts as they come; the workshops are in ``folder``."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (folder,)) as pool:
        for done in as_completed([pool.submit(_judge, mutant, original) for mutant in mutants]):
            yield done.result()


def _begin(folder: Path) -> None:
    logging.disable(logging.INFO)
    prepare()
    _held["workshop"] = Workshop(folder / f"worker-{os.getpid()}", folder / "cache")


def _judge(mutant: Mutant, original: Original) -> Verdict:
    return judge(mutant, original, _held["workshop"])
