"""Run one unit three ways on the same vectors: in MyHDL, as converted Verilog and as converted VHDL.

    bench = Bench(residual_unit, ports(lanes=4), lanes=4)   # factory, name -> Signal, parameters of the block
    bench.simulate(stimulus)        # generator function: set ports, ``yield bench.clk.posedge``
    bench.trace["dst"]              # value of every port just before each rising edge
    bench.check_verilog()           # converts (warnings are errors), replays, returns {output: values compared}
    bench.check_vhdl()

MyHDL is the reference of the replay: its inputs are driven cycle by cycle into the converted unit, and every output
is compared with the recorded value before each edge. An output may be unknown (X) only until it has been known
once; a test fails when an output was never known. Registers get no initial values in the converted text: what has no
reset must become known through data. ``Vectors`` plays words into a valid-only pipeline and collects the results.
"""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from myhdl import (
    ResetSignal,
    Signal,
    StopSimulation,
    ToVerilogWarning,
    ToVHDLWarning,
    always,
    block,
    delay,
    instance,
    intbv,
)

from radit.accel.export.convert import forgotten_signals
from radit.model.system.processes import in_thread
from tests.units import replay

HALF_PERIOD = 5
MAX_CYCLES = 200_000


def word(bits: int) -> Signal:
    """An unsigned signal of ``bits`` bits."""
    return Signal(intbv(0)[bits:])


def number(bits: int) -> Signal:
    """A two's-complement signal of ``bits`` bits."""
    return Signal(intbv(0, min=-(1 << (bits - 1)), max=1 << (bits - 1)))


def flag(value: bool = False) -> Signal:
    """A single bit."""
    return Signal(bool(value))


def reset() -> ResetSignal:
    """The synchronous reset ``aresetn``, active low."""
    return ResetSignal(0, active=0, isasync=False)


def pack(lanes: Iterable[int], bits: int) -> int:
    """Lanes of ``bits`` bits into one unsigned word, lane 0 lowest."""
    return sum((int(lane) & ((1 << bits) - 1)) << (bits * i) for i, lane in enumerate(lanes))


def unpack(value: int, bits: int, lanes: int, signed: bool = True) -> list[int]:
    """The lanes of a word, lane 0 lowest."""
    fields = [(int(value) >> (bits * i)) & ((1 << bits) - 1) for i in range(lanes)]
    return [f - (1 << bits) if signed and f >> (bits - 1) else f for f in fields]


def edge_values(bits: int, signed: bool = True) -> list[int]:
    """The limits of a format, their neighbours, and the values around zero."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return sorted({low, low + 1, *((-2, -1) if signed else ()), 0, 1, 2, high // 2, high // 2 + 1, high - 1, high})


def mixed(rng: np.random.Generator, bits: int, count: int, signed: bool = True) -> list[int]:
    """Random values, a third of them at the edges of the format and a third of small magnitude."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    edges, small = edge_values(bits, signed), 1 << (bits // 2)
    wide = rng.integers(low, high, count, endpoint=True)
    near = rng.integers(max(low, -small), min(high, small), count, endpoint=True)
    edge = np.array([edges[i] for i in rng.integers(0, len(edges), count)])
    return np.choose(rng.integers(0, 3, count), (wide, near, edge)).tolist()


def _copy(signal):
    """A fresh signal of the same type: a converted unit must not see what a simulation left behind."""
    if isinstance(signal, ResetSignal):
        return ResetSignal(int(signal._init), active=signal.active, isasync=signal.isasync)
    return Signal(signal._init)


@block
def _testbench(factory, arguments, clk, columns, stimuli):
    """Unit, clock, recorder of the values before each edge, and the stimuli; the first one ends the run."""
    unit = factory(**arguments)
    drivers = [_driver(clk, stimulus, last=i == 0) for i, stimulus in enumerate(stimuli)]

    @always(delay(HALF_PERIOD))
    def clock():
        clk.next = not clk

    @instance
    def record():
        for _ in range(MAX_CYCLES):
            yield clk.posedge
            for append, signal in columns:
                append(int(signal))
        raise AssertionError(f"The stimulus did not end within {MAX_CYCLES} cycles.")

    return unit, drivers, clock, record


def _run(*arguments) -> None:
    with forgotten_signals():
        simulation = _testbench(*arguments)
        try:
            simulation.run_sim(quiet=1)
        finally:
            simulation.quit_sim()


@block
def _driver(clk, stimulus, last):
    @instance
    def drive():
        # MyHDL reads this text to know what may be waited for; a variable stands for anything.
        for clause in stimulus():  # noqa: UP028
            yield clause
        yield clk.posedge
        if last:
            raise StopSimulation

    return drive


class Bench:
    """One unit with flat ports; ``parameters`` are the block's arguments that are not signals."""

    def __init__(self, factory: Callable, ports: dict[str, Signal], clk: str = "clk", **parameters) -> None:
        self.factory, self.clk_name, self.parameters = factory, clk, parameters
        self.ports = {clk: flag()} | ports
        self.name = getattr(factory, "__name__", type(factory).__name__)
        self.trace: dict[str, list[int]] = {}

    @property
    def clk(self) -> Signal:
        return self.ports[self.clk_name]

    def __getattr__(self, name: str) -> Signal:
        """``bench.src_valid`` is the port of that name."""
        try:
            return self.__dict__["ports"][name]
        except KeyError:
            raise AttributeError(f"the bench has no attribute or port {name!r}.") from None

    def simulate(self, *stimuli: Callable) -> dict[str, list[int]]:
        """Run the unit in MyHDL until the first stimulus ends; return the trace."""
        recorded = {name: signal for name, signal in self.ports.items() if name != self.clk_name}
        self.trace = {name: [] for name in recorded}
        columns = [(self.trace[name].append, signal) for name, signal in recorded.items()]
        in_thread(_run, self.factory, self.ports | self.parameters, self.clk, columns, stimuli)
        return self.trace

    @property
    def cycles(self) -> int:
        return len(next(iter(self.trace.values())))

    def convert(self, language: str, folder: Path, name: str = "dut") -> str:
        """Convert a fresh instance; every warning of the converter is an error. Return the text."""
        return in_thread(self._convert, language, folder, name)

    def _convert(self, language: str, folder: Path, name: str) -> str:
        with forgotten_signals():
            return self._write(language, folder, name)

    def _write(self, language: str, folder: Path, name: str) -> str:
        unit = self.factory(**{port: _copy(signal) for port, signal in self.ports.items()}, **self.parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ToVerilogWarning)
            warnings.simplefilter("error", ToVHDLWarning)
            options = {"testbench": False} if language == "Verilog" else {}
            unit.convert(hdl=language, path=str(folder), name=name, **options)
        return (folder / f"{name}.{'v' if language == 'Verilog' else 'vhd'}").read_text()

    def check_verilog(self) -> dict[str, int]:
        """Replay the recorded inputs on the converted Verilog with Icarus Verilog."""
        return self._check("Verilog", "iverilog", replay.run_icarus)

    def check_vhdl(self) -> dict[str, int]:
        """Replay the recorded inputs on the converted VHDL with GHDL."""
        return self._check("VHDL", "ghdl", replay.run_ghdl)

    def _check(self, language: str, tool: str, run: Callable) -> dict[str, int]:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}: {tool} is not installed")
        assert self.cycles > 0, "Call simulate() before checking the converted unit."
        with tempfile.TemporaryDirectory(prefix=f"bench_{self.name}_") as folder:
            text = self.convert(language, Path(folder))
            keep = os.environ.get("BENCH_KEEP")
            try:
                counts = run(Path(folder), text, self.clk_name, self.trace)
            finally:
                if keep:
                    shutil.copytree(folder, Path(keep) / f"{self.name}_{language}", dirs_exist_ok=True)
        assert counts and all(counts.values()), f"{self.name}, {language}: some output was never compared: {counts}"
        return counts


class Vectors:
    """Plays words into a valid-only pipeline (``src_valid`` .. ``dst_valid``) with gaps; a stimulus of ``Bench``.

    ``words`` are dicts of port values for one transfer each; in a gap cycle the inputs keep their last value when
    ``idle`` is None or are set from the dict ``idle``. ``flush`` cycles run before and after the words.
    """

    def __init__(
        self, bench: Bench, words: Sequence[dict[str, int]], gaps: float = 0.0, seed: int = 1, flush: int = 24
    ) -> None:
        self.bench, self.words, self.gaps, self.flush = bench, words, gaps, flush
        self.random = np.random.default_rng(seed)

    def __call__(self):
        bench, clk = self.bench, self.bench.clk
        for cycle in range(self.flush):
            if "aresetn" in bench.ports:
                bench.aresetn.next = cycle >= 2
            yield clk.posedge
        for values in self.words:
            while self.random.random() < self.gaps:
                bench.src_valid.next = False
                yield clk.posedge
            for name, value in values.items():
                bench.ports[name].next = value
            bench.src_valid.next = True
            yield clk.posedge
        bench.src_valid.next = False
        for _ in range(self.flush):
            yield clk.posedge

    def results(self, *names: str) -> list[tuple[int, ...]]:
        """The values of the named outputs in the cycles of ``dst_valid``, one tuple per word."""
        trace = self.bench.trace
        rows = zip(trace["dst_valid"], *(trace[name] for name in names), strict=True)
        return [row[1:] for row in rows if row[0]]

    def latency(self) -> int:
        """Measured cycles from ``src_valid`` to ``dst_valid``: the same for every word, or the test fails."""
        trace = self.bench.trace
        starts = [i for i, v in enumerate(trace["src_valid"]) if v]
        ends = [i for i, v in enumerate(trace["dst_valid"]) if v]
        assert len(starts) == len(ends) == len(self.words) > 0, f"{len(starts)} words in, {len(ends)} words out"
        latencies = {end - start for start, end in zip(starts, ends, strict=True)}
        assert len(latencies) == 1, f"latency varies: {latencies}"
        return latencies.pop()


def run_everywhere(bench: Bench, vhdl: bool = True) -> int:
    """Check the converted Verilog, then the VHDL; return the number of compared values of the Verilog."""
    compared = sum(bench.check_verilog().values())
    assert compared > bench.cycles // 2, f"only {compared} values compared in {bench.cycles} cycles"
    if vhdl:
        bench.check_vhdl()
    return compared
