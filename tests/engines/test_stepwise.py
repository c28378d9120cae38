"""A timestep in steps: the engine hands back control after every sub-block, and nothing else changes."""

import numpy as np
import pytest

from radit.cosim.engines import EngineError, Failure, Setup
from tests.engines.bench import (
    EACH_ENGINE,
    EACH_SETUP,
    SETUPS,
    SMALL,
    Run,
    assert_equal_runs,
    load,
    measures,
    open_engine,
    random_x,
    timestep,
)
from tests.engines.dummy import SUB_BLOCK


def joined(traces):
    """Traces one after the other."""
    parts = [vars(trace) for trace in traces]
    return type(traces[0])(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


@EACH_ENGINE
@EACH_SETUP
def test_steps_make_the_same_timestep(name, setup):
    whole = timestep(name, SMALL, setup)
    traces, ended = [], []
    with open_engine(name, SMALL, setup) as engine:
        memories = load(engine)
        engine.start_timestep(whole.x_in)
        while (sub_block := engine.run_sub_block()) is not None:
            ended.append(sub_block)
            traces.append(engine.take_trace())
            assert traces[-1].advance_sub_block.tolist() == [sub_block]
            assert len(traces[-1].x_data) == SUB_BLOCK
        x_out = engine.finish_timestep()
        traces.append(engine.take_trace())
        stepped = Run(whole.before, memories, whole.x_in, x_out, joined(traces), *measures(engine))
    assert ended == list(range(len(whole.x_in) // SUB_BLOCK))
    assert_equal_runs(whole, stepped)


@EACH_ENGINE
def test_a_step_ends_with_the_cycle_of_its_pulse(name):
    """x alone passes one word per cycle, so that sub-blocks are SUB_BLOCK cycles apart."""
    with open_engine(name, SMALL, Setup(trace=False)) as engine:
        load(engine, attention_words=0, sub_block_words=0, hidden=0, mlp=0, codes_total=0, heads=0)
        engine.start_timestep(random_x(SMALL))
        ends = [engine.cycles for _ in iter(engine.run_sub_block, None)]
        assert np.diff(ends).tolist() == [SUB_BLOCK] * (len(ends) - 1)
        assert engine.read_register("status") == 0


@EACH_ENGINE
def test_a_started_timestep_can_be_finished_at_once(name):
    whole = timestep(name, SMALL, SETUPS["stalls"])
    with open_engine(name, SMALL, SETUPS["stalls"]) as engine:
        load(engine)
        x = random_x(SMALL)
        engine.start_timestep(x)
        x[:] = 0  # the engine has its own copy
        assert engine.run_sub_block() == 0
        assert 0 < engine.cycles < whole.cycles
        assert np.array_equal(engine.finish_timestep(), whole.x_out)
        assert engine.cycles == whole.cycles


@EACH_ENGINE
def test_there_is_no_step_outside_a_timestep(name):
    with open_engine(name, SMALL, Setup()) as engine:
        load(engine)
        with pytest.raises(RuntimeError, match="call start_timestep first"):
            engine.run_sub_block()
        engine.run_timestep(random_x(SMALL))
        with pytest.raises(RuntimeError, match="call start_timestep first"):
            engine.run_sub_block()


@EACH_ENGINE
def test_the_limit_of_cycles_holds_for_the_whole_timestep(name):
    with open_engine(name, SMALL, Setup(max_cycles=150)) as engine:
        load(engine)
        engine.start_timestep(random_x(SMALL))
        with pytest.raises(EngineError, match="still busy after 150 cycles") as error:
            engine.finish_timestep()
        assert error.value.code == Failure.TIMEOUT and engine.cycles == 150
