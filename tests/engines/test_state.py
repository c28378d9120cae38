"""A simulation is kept in a file and goes on in another engine, as if nothing had happened."""

import copy
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from radit.accel.config import BuildConfig
from radit.cosim.engines import MemoryTiming, Setup
from radit.cosim.engines.state import read_state, write_state
from radit.model.errors import UserError
from tests.engines.bench import (
    EACH_SETUP,
    SETUPS,
    SMALL,
    TWO_CORES,
    WORDS,
    Run,
    assert_equal_runs,
    load,
    measures,
    open_engine,
    random_x,
    timestep,
)

NEEDS_VERILATOR = pytest.mark.needs("verilator")


def begin(path: Path, setup: Setup, sub_blocks: int) -> dict[str, np.ndarray]:
    """Run a timestep up to some sub-block, keep it, and return the memories of that time."""
    with open_engine("verilator", SMALL, setup) as engine:
        memories = load(engine)
        engine.start_timestep(random_x(SMALL))
        assert [engine.run_sub_block() for _ in range(sub_blocks)] == list(range(sub_blocks))
        engine.save(path)
        kept = copy.deepcopy(memories)
        engine.finish_timestep()  # of no consequence to the file
        return kept


def go_on(path: Path, setup: Setup, memories: dict[str, np.ndarray]) -> Run:
    """Finish the timestep in an engine that has a history of its own."""
    before = copy.deepcopy(memories)
    with open_engine("verilator", SMALL, setup) as engine:
        load(engine, seed=5, attention_words=9)
        engine.run_timestep(random_x(SMALL, 6))
        for port, words in memories.items():
            engine.bind_memory(port, words)
        engine.restore(path)
        x_out = engine.finish_timestep()
        return Run(before, memories, random_x(SMALL), x_out, engine.take_trace(), *measures(engine))


@NEEDS_VERILATOR
@EACH_SETUP
@pytest.mark.parametrize("sub_blocks", [0, 1, 5])
def test_a_timestep_goes_on_where_it_was_saved(setup, sub_blocks, tmp_path):
    memories = begin(tmp_path / "deep" / "state", setup, sub_blocks)
    assert_equal_runs(go_on(tmp_path / "deep" / "state", setup, memories), timestep("verilator", SMALL, setup))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state"]


@NEEDS_VERILATOR
def test_a_timestep_goes_on_in_another_process(tmp_path):
    setup = SETUPS["stalls and narrow"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        memories = pool.apply(begin, (tmp_path / "state", setup, 3))
    assert_equal_runs(go_on(tmp_path / "state", setup, memories), timestep("verilator", SMALL, setup))


@TWO_CORES
@NEEDS_VERILATOR
def test_a_timestep_of_two_threads_goes_on(tmp_path):
    setup = Setup(threads=2)
    assert_equal_runs(
        go_on(tmp_path / "s", setup, begin(tmp_path / "s", setup, 2)), timestep("verilator", SMALL, setup)
    )


@NEEDS_VERILATOR
def test_registers_and_the_time_between_timesteps_are_kept(tmp_path):
    with (
        open_engine("verilator", SMALL, SETUPS["stalls"]) as engine,
        open_engine("verilator", SMALL, SETUPS["stalls"]) as other,
    ):
        memories = load(engine, attention_words=13)
        engine.run_timestep(random_x(SMALL))
        engine.save(tmp_path / "state")
        for port, words in memories.items():
            other.bind_memory(port, words)
        other.restore(tmp_path / "state")
        assert other.read_register("attention_words") == engine.read_register("attention_words") == 13
        with pytest.raises(RuntimeError, match="call start_timestep first"):
            other.run_sub_block()
        assert np.array_equal(engine.run_timestep(random_x(SMALL, 3)), other.run_timestep(random_x(SMALL, 3)))
        assert engine.cycles == other.cycles and engine.counters() == other.counters()


@NEEDS_VERILATOR
@pytest.mark.parametrize(
    "config, setup, words, sentence",
    [
        (BuildConfig(rows=8, cols=4), Setup(), WORDS, "is of another build: delete it and start the run anew"),
        (SMALL, Setup(MemoryTiming(latency=99)), WORDS, "is of another memory timing: delete it"),
        (SMALL, Setup(bandwidth=7), WORDS, "is of another memory timing: delete it"),
        (SMALL, Setup(), WORDS - 1, "is of another memory size: delete it"),
    ],
    ids=["build", "latency", "bandwidth", "memories"],
)
def test_the_state_of_another_run_is_refused(config, setup, words, sentence, tmp_path):
    begin(tmp_path / "state", Setup(), 1)
    with open_engine("verilator", config, setup) as engine:
        for port, memory in load(engine).items():
            engine.bind_memory(port, memory[:words])
        with pytest.raises(UserError, match=sentence):
            engine.restore(tmp_path / "state")
        engine.run_timestep(random_x(config))  # a refusal leaves the engine as it was


@NEEDS_VERILATOR
def test_a_damaged_state_is_refused(tmp_path):
    path = tmp_path / "state"
    begin(path, Setup(), 1)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    with open_engine("verilator", SMALL, Setup()) as engine:
        load(engine)
        for damaged in (b"", whole[:100], whole[:-1000], whole[:-1], bytes(flipped)):
            path.write_bytes(damaged)
            with pytest.raises(UserError, match="cannot be read, it may be cut off .*: delete it and start the run"):
                engine.restore(path)
        path.unlink()
        with pytest.raises(UserError, match="simulation state .* cannot be read .No such file"):
            engine.restore(path)


def test_an_interrupted_write_leaves_the_last_state(tmp_path):
    write_state(tmp_path / "state", number=1)
    with pytest.raises(ValueError, match="cannot be saved"):
        write_state(tmp_path / "state", number=2, thing=np.array([object()]))
    assert read_state(tmp_path / "state")["number"] == 1


def test_myhdl_cannot_save(tmp_path):
    with open_engine("myhdl", SMALL, Setup()) as engine:
        with pytest.raises(UserError, match="only the engine verilator can save"):
            engine.save(tmp_path / "state")
        with pytest.raises(UserError, match="only the engine verilator can restore"):
            engine.restore(tmp_path / "state")
