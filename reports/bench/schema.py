"""``bench.json``: the schema of ``radit bench``, how it is filled and shown. Everything in it is *measured*.

One definition holds for all simulators: GMAC/s are simulated cycles per second times the MACs that the work needs per
cycle, on average over the whole work and without padding. A slow simulator runs fewer cycles of the same work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from radit.accel.dims import Dims
from radit.cosim.speed.measure import Measurement
from radit.cosim.speed.work import Speed
from radit.model.files import write_json
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.common.machine import Machine
from radit.reports.common.schema_parts import Array
from radit.reports.cost.counts import model_macs

SCHEMA_VERSION = 1
FILE = "bench.json"
UNITS = {
    **dict.fromkeys(("build_seconds", "seconds", "seconds_limit"), "s"),
    **dict.fromkeys(("rows", "cols"), "MAC cells"),
    **dict.fromkeys(("compared", "mismatched"), "values"),
    **dict.fromkeys(("slower_than_verilator", "spread"), "ratio"),
    **dict.fromkeys(("hidden", "mlp"), "channels"),
    **dict.fromkeys(("contexts", "cores", "heads", "runs", "threads", "tokens"), "count"),
    "cycles": "clock cycles of the accelerator",
    "cycles_per_second": "1/s",
    "gmac_per_second": "1e9 MAC/s",
    "load": "processes",
    "macs": "MAC",
    "memory_gib": "GiB",
    "nanoseconds_per_mac": "ns",
}
METHODS = {
    "myhdl": "the recorded ports replayed from the reset on in MyHDL's simulator",
    "icarus": "the recorded ports replayed from the reset on by a Verilog testbench",
    "verilator": "the whole work through the C++ harness, trace off, one thread",
    "verilator-2": "the whole work through the C++ harness, trace off, two threads",
    "cocotb": "the recorded ports replayed from the reset on by a Python testbench, cycle by cycle, on Verilator",
}

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Block(_Part):
    """The work: one timestep of one transformer block, dense.

    Fields:
        tokens, hidden, heads, mlp, contexts: dimensions.
        macs: MACs of the block in all contexts, without padding.
        cycles: that the accelerator takes; None where it was not run to its end.
    """

    model: str
    tokens: Count
    hidden: Count
    heads: Count
    mlp: Count
    contexts: Count
    macs: Count
    cycles: Count | None


class EngineResult(_Part):
    """One simulator.

    Fields:
        status: measured; missing (``note`` says what to install); failed (``note`` says why).
        build_seconds: compilation or elaboration, apart from the simulation and from the export to Verilog.
        cycles, seconds: timed; for a replay from the array's first result on.
        macs: that the work needs in as many cycles, on average; None where the work's cycles are unknown.
        slower_than_verilator: cycles per second of ``verilator`` over this one's.
        compared, mismatched: values of outputs against the recording; of x against the integer reference.
    """

    status: Literal["measured", "missing", "failed"]
    note: str = ""
    method: str
    version: str = ""
    threads: Count = 1
    build_seconds: Amount | None = None
    cycles: Count = 0
    seconds: Amount = 0.0
    cycles_per_second: Amount | None = None
    macs: Count | None = None
    gmac_per_second: Amount | None = None
    slower_than_verilator: Amount | None = None
    compared: Count = 0
    mismatched: Count = 0


class ReferenceResult(_Part):
    """A reference in PyTorch on the same block: seconds of one run, measured over several."""

    seconds: Amount
    runs: Count
    threads: Count
    gmac_per_second: Amount


class SizeResult(_Part):
    """A model's block on the one-thread Verilator engine."""

    block: Block
    seconds: Amount
    cycles_per_second: Amount
    gmac_per_second: Amount
    nanoseconds_per_mac: Amount


class BenchProvenance(_Part):
    """What the numbers rest on."""

    created: str
    command: str
    seed: int
    seconds_limit: Amount
    versions: dict[str, str]
    machine: Machine


class BenchResult(_Part):
    """The whole of bench.json.

    Fields:
        block: the work of ``engines`` and ``references``.
        sizes: the one-thread Verilator engine on the first block of each model.
        spread: largest over smallest wall time per MAC of ``sizes``.
        problems: what went wrong with ``sizes``, one sentence each.
    """

    schema_version: int = SCHEMA_VERSION
    basis: Literal["measured"] = "measured"
    units: dict[str, str] = UNITS
    array: Array
    block: Block
    engines: dict[str, EngineResult]
    references: dict[str, ReferenceResult]
    sizes: list[SizeResult]
    spread: Amount | None
    problems: list[str]
    provenance: BenchProvenance

    @property
    def passed(self) -> bool:
        """Nothing failed, and what was compared was equal."""
        return not self.problems and all(e.status != "failed" and not e.mismatched for e in self.engines.values())


def block_of(model: str, dims: Dims, cycles: int | None) -> Block:
    """The work in numbers."""
    return Block(
        model=model,
        tokens=dims.tokens,
        hidden=dims.hidden,
        heads=dims.heads,
        mlp=dims.mlp,
        contexts=dims.contexts,
        macs=model_macs(dims, DecisionRecord.dense(1, 1, dims.sub_blocks, dims.contexts)),
        cycles=cycles,
    )


def engine_results(measured: list[Measurement], block: Block) -> dict[str, EngineResult]:
    """Rates and ratios of all simulators."""
    rates = {m.engine: m.cycles / m.seconds for m in measured if m.seconds}
    return {m.engine: _engine_result(m, block, rates.get(m.engine), rates.get("verilator")) for m in measured}


def _engine_result(m: Measurement, block: Block, rate: float | None, fastest: float | None) -> EngineResult:
    method = METHODS[m.engine]
    if rate is None:
        return EngineResult(status="missing" if m.missing else "failed", note=m.missing or m.failed, method=method)
    per_cycle = None if block.cycles is None else block.macs / block.cycles
    return EngineResult(
        status="failed" if m.failed else "measured",
        note=m.failed,
        method=method,
        version=m.version,
        threads=m.threads,
        build_seconds=m.build_seconds,
        cycles=m.cycles,
        seconds=m.seconds,
        cycles_per_second=rate,
        macs=None if per_cycle is None else round(per_cycle * m.cycles),
        gmac_per_second=None if per_cycle is None else per_cycle * rate / 1e9,
        slower_than_verilator=None if fastest is None else fastest / rate,
        compared=m.compared,
        mismatched=m.different,
    )


def reference_result(speed: Speed, block: Block) -> ReferenceResult:
    """Rate of a reference."""
    rate = block.macs / speed.seconds / 1e9
    return ReferenceResult(seconds=speed.seconds, runs=speed.runs, threads=speed.threads, gmac_per_second=rate)


def size_result(block: Block, m: Measurement) -> SizeResult:
    """Rates of the Verilator engine on one model."""
    rate = m.cycles / m.seconds
    macs_per_second = block.macs / (block.cycles or 1) * rate
    return SizeResult(
        block=block,
        seconds=m.seconds,
        cycles_per_second=rate,
        gmac_per_second=macs_per_second / 1e9,
        nanoseconds_per_mac=1e9 / macs_per_second,
    )


def spread_of(sizes: list[SizeResult]) -> float | None:
    """Largest over smallest wall time per MAC."""
    times = [size.nanoseconds_per_mac for size in sizes]
    return max(times) / min(times) if times else None


def write_bench(path: Path, result: BenchResult) -> None:
    """Check against the schema and write whole or not at all."""
    write_json(path, result)
