"""A comparison of simulators on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from radit.reports.bench.schema import BenchResult
from radit.terminal.tables import show_table, table_of


def show_bench(result: BenchResult, console: Console) -> None:
    """The tables on the terminal."""
    block, machine = result.block, result.provenance.machine
    _say(
        console,
        f"{result.array.shape} array, one block of {block.model}: {block.macs / 1e6:,.1f} MMAC"
        + (f" in {block.cycles:,} cycles" if block.cycles else ""),
    )
    show_table(console, _engine_table(result))
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
        show_table(console, _size_table(result))
    load = "unknown" if machine.load is None else f"{machine.load:g}"
    _say(console, f"measured on {machine.processor}, {machine.cores} cores; load before: {load}")


def _say(console: Console, text: str) -> None:
    console.print(text)


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
