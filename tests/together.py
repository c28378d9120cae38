"""Processes that do the same work on one cold cache at the same moment."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

PROCESSES = 4
PATIENCE = 300  # seconds, on a busy machine
WHOLE = "module top;\nendmodule\n"  # what work returns that found a whole file


def together(work: Callable[[Path], str], cache: Path) -> list[str]:
    """What each process got, all of them started at once."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=answer, args=(work, cache, barrier, answers)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=PATIENCE) for _ in workers]
    for worker in workers:
        worker.join()
    return found


def answer(work, cache, barrier, answers):
    barrier.wait()
    try:
        answers.put(work(cache))
    except Exception as error:
        answers.put(repr(error))


def leftovers(cache: Path) -> list[Path]:
    """Temporary files and folders that nobody removed."""
    return [path for path in cache.rglob("*") if path.name.endswith(".part") or path.name.startswith(".")]
