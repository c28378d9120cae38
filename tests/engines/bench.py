"""The dummy accelerator in either engine, with memories of random words."""

import dataclasses
import hashlib
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from myhdl import ToVerilogWarning

from radit.accel.config import BuildConfig
from radit.accel.export.convert import LANGUAGES
from radit.accel.interfaces.top_ports import TopPorts, memory_ports
from radit.cosim.engines.base import Engine, Trace, Traffic
from radit.cosim.engines.myhdl import MyhdlEngine
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.setup import MemoryTiming, Setup
from radit.cosim.engines.verilator import VerilatorEngine
from tests.engines import dummy

ENGINES = ("myhdl", "verilator")
SMALL = BuildConfig(rows=4, cols=4)
EACH_ENGINE = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.needs("verilator") if name == "verilator" else ()) for name in ENGINES],
)
WORDS = 300  # in every memory
X_WORDS = 40
REGISTERS = {
    "weight_base": 7,
    "attention_words": 50,
    "cache_base": 20,
    "cache_base_other": 31,
    "heads": 12,
    "history_base": 3,
    "sub_block_words": 21,
    "mlp_words": 33,  # as the distance from the history's words to their copy
    "mod_base": 5,
    "hidden": 17,
    "param_base": 0,
    "mlp": 64,
    "codes_total": 10,
    "contexts": X_WORDS,
}
SETUPS = {
    "default": Setup(),
    "fast": Setup(MemoryTiming(latency=0)),
    "one at a time": Setup(MemoryTiming(latency=3, depth=1)),
    "narrow": Setup(MemoryTiming(latency=5), bandwidth=2.7),
    "stalls": Setup(MemoryTiming(latency=11, stall=0.4, seed=9)),
    "stalls and narrow": Setup(MemoryTiming(latency=2, stall=0.7, seed=4), bandwidth=9.3),
}


EACH_SETUP = pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
TWO_CORES = pytest.mark.skipif(os.cpu_count() == 1, reason="one core")


SOURCE = hashlib.sha256(Path(dummy.__file__).read_bytes()).hexdigest()[:16]
CACHE = Path("build") / "tests" / "engines" / SOURCE


def verilog(config: BuildConfig, folder: Path = CACHE) -> Path:
    """The converted dummy, made by one process for all: the order of its resets is another in each conversion."""
    return exported_verilog(config, folder, convert_dummy)


def convert_dummy(config: BuildConfig, language: str, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ToVerilogWarning)
        instance = dummy.dummy_top(config, **TopPorts(config).arguments())
        instance.convert(hdl=LANGUAGES[language], path=str(folder), name="dummy_top", testbench=False)
    return folder / "dummy_top.v"


def open_engine(name: str, config: BuildConfig, setup: Setup) -> Engine:
    """The dummy in an engine."""
    if name == "myhdl":
        return MyhdlEngine(config, dummy.dummy_top, setup)
    return VerilatorEngine(config, verilog(config), setup, top="dummy_top")


def load(engine: Engine, seed: int = 1, **registers: int) -> dict[str, np.ndarray]:
    """Bind memories of random bytes, one row per word, and write the registers."""
    random = np.random.default_rng(seed)
    memories = {}
    for port in memory_ports(engine.config):
        shape = WORDS, port.word_bytes
        memories[port.name] = random.integers(0, 256, shape, dtype=np.uint8) if not port.is_write else None
    memories["cache_wr"] = np.zeros_like(memories["cache_rd"])
    memories["hist_wr"] = memories["hist_rd"]
    for name, words in memories.items():
        engine.bind_memory(name, words)
    for name, value in {**REGISTERS, **registers}.items():
        engine.write_register(name, value)
    return memories


def random_x(config: BuildConfig, seed: int = 2) -> np.ndarray:
    """X_WORDS words of x."""
    return np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, (X_WORDS, config.rows), dtype=np.int16)


@dataclasses.dataclass
class Run:
    """One timestep of the dummy: its memories before and after, and what came of it."""

    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    x_in: np.ndarray
    x_out: np.ndarray
    trace: Trace
    cycles: int
    traffic: dict[str, Traffic]
    checksum: int  # of the previous branches


def measures(engine: Engine) -> tuple[int, dict[str, Traffic], int]:
    """Cycles, traffic and the checksum of a timestep, as ``Run`` wants them."""
    return engine.cycles, engine.traffic(), engine.read_register("heads")


def timestep(name: str, config: BuildConfig, setup: Setup, **registers: int) -> Run:
    """Run one in the named engine."""
    with open_engine(name, config, setup) as engine:
        memories = load(engine, **registers)
        before = {port: words.copy() for port, words in memories.items()}
        x_in = random_x(config)
        x_out = engine.run_timestep(x_in)
        return Run(before, memories, x_in, x_out, engine.take_trace(), *measures(engine))


def assert_equal_traces(first: Trace, second: Trace) -> None:
    """The same events of the same types."""
    for field in dataclasses.fields(Trace):
        a, b = getattr(first, field.name), getattr(second, field.name)
        assert a.dtype == b.dtype and np.array_equal(a, b), field.name


def assert_equal_runs(first: Run, second: Run) -> None:
    """The same words, traces, cycles and traffic."""
    assert first.cycles == second.cycles and first.traffic == second.traffic
    assert first.checksum == second.checksum
    assert np.array_equal(first.x_out, second.x_out)
    assert all(np.array_equal(words, second.after[port]) for port, words in first.after.items())
    assert_equal_traces(first.trace, second.trace)
