"""The engines' contract, on a dummy accelerator: the same words, traces, cycles and failures in all of them."""

import dataclasses

import numpy as np
import pytest

from accel.config import BuildConfig
from cosim.engines.base import EngineError, Failure, MemoryTiming, Setup
from model.errors import UserError
from tests.engines.bench import ENGINES, REGISTERS, TIMINGS, WORDS, load, open_engine, random_x
from tests.engines.dummy import SUB_BLOCK

SHAPES = {"4x4": BuildConfig(rows=4, cols=4), "8x16": BuildConfig(rows=8, cols=16)}
SMALL = SHAPES["4x4"]
EACH_ENGINE = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.needs("verilator") if name == "verilator" else ()) for name in ENGINES],
)
EACH_TIMING = pytest.mark.parametrize("timing", TIMINGS.values(), ids=TIMINGS)
EACH_SHAPE = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)


def timestep(name, config, setup):
    """One timestep of the dummy: its memories before and after, x, trace and cycles."""
    with open_engine(name, config, setup) as engine:
        memories = load(engine)
        before = {port: words.copy() for port, words in memories.items()}
        x_in = random_x(config)
        x_out = engine.run_timestep(x_in)
        return before, memories, x_in, x_out, engine.take_trace(), engine.cycles


@EACH_ENGINE
@EACH_TIMING
@EACH_SHAPE
def test_words_arrive_where_they_should(name, config, timing):
    before, after, x_in, x_out, trace, _ = timestep(name, config, Setup(timing))
    r, rows = REGISTERS, config.rows
    weights = before["weight"][r["weight_base"] :][: r["attention_words"]]
    expected = np.zeros_like(before["cache_wr"])
    expected[r["cache_base"] :][: r["attention_words"]] = weights[:, :rows]
    assert np.array_equal(after["cache_wr"], expected)
    expected = before["hist_rd"].copy()
    history = before["hist_rd"][r["history_base"] :][: r["sub_block_words"]]
    expected[r["history_base"] + r["mlp_words"] :][: r["sub_block_words"]] = history
    assert np.array_equal(after["hist_wr"], expected)
    assert np.array_equal(x_out, x_in)
    assert np.array_equal(trace.x_data, x_in)
    assert np.array_equal(trace.drain_kind, weights[:, 0] & 15)
    shown = trace.drain_data.view(np.uint8)[:, : weights.shape[1]]
    assert np.array_equal(shown, weights[:, : shown.shape[1]])
    params = before["param"][r["param_base"] :][: r["mlp"]]
    assert np.array_equal(trace.prob_data[:, :8], params[:, :rows])
    cached = before["cache_rd"][r["cache_base"] :][: r["codes_total"]]
    assert np.array_equal(trace.act_data, cached.view(np.int8))
    beats = before["mod"][r["mod_base"] :][: r["hidden"]].view(np.uint64)[:, 0]
    assert np.array_equal(trace.decide_index, beats & 0xFFFF)
    assert np.array_equal(trace.decide_count, beats >> 16 & 0xFFFFFF)
    assert np.array_equal(trace.decide_reuse, beats >> 40 & 1)
    assert np.array_equal(trace.advance_sub_block, np.arange(len(x_in) // SUB_BLOCK))


@pytest.mark.needs("verilator")
@EACH_TIMING
@EACH_SHAPE
def test_engines_need_the_same_cycles(config, timing):
    _, slow_words, _, _, slow, slow_cycles = timestep("myhdl", config, Setup(timing))
    _, fast_words, _, _, fast, fast_cycles = timestep("verilator", config, Setup(timing))
    assert slow_cycles == fast_cycles
    assert all(np.array_equal(slow_words[port], fast_words[port]) for port in slow_words)
    for field in dataclasses.fields(slow):
        a, b = getattr(slow, field.name), getattr(fast, field.name)
        assert a.dtype == b.dtype and np.array_equal(a, b), field.name


@EACH_ENGINE
def test_latency_and_bandwidth_take_the_cycles_they_say(name):
    def cycles(**timing):
        return timestep(name, SMALL, Setup(MemoryTiming(latency=0), {"weight": MemoryTiming(**timing)}))[-1]

    first = cycles(latency=200)
    assert cycles(latency=300) == first + 100
    assert cycles(latency=200, depth=1) > first + 2 * 200  # one after another
    words, word_bytes = REGISTERS["attention_words"], 4
    assert cycles(latency=0, bandwidth=0.5) == pytest.approx(words * word_bytes / 0.5, abs=2 * word_bytes / 0.5)


@EACH_ENGINE
def test_timesteps_follow_each_other_and_a_reset_repeats_them(name):
    setup = Setup(TIMINGS["stalls"])
    with open_engine(name, SMALL, setup) as engine:
        runs = []
        for _ in range(2):
            engine.reset()
            load(engine)
            engine.write_register("control", 4)  # clear the counters
            for seed in (1, 2):
                x = random_x(SMALL, seed)
                assert np.array_equal(engine.run_timestep(x), x)
                assert np.array_equal(engine.take_trace().x_data, x)
                runs.append(engine.cycles)
            assert engine.counters()["cycles"] == runs[-1] + runs[-2]
            assert engine.read_register("attention_words") == REGISTERS["attention_words"]
            assert engine.read_register("status") == 0
        assert runs[:2] == runs[2:]
        assert len(engine.take_trace().drain_kind) == 0


FAILURES = {
    Failure.TIMEOUT: (dict(contexts=41), "still busy after 2000 cycles"),
    Failure.OUT_OF_RANGE: (dict(weight_base=WORDS - 20), "port weight asked for words 296 to 311 .* holds 300"),
    Failure.UNSTABLE: (dict(policy=1), "port m_x changed its payload or valid"),
    Failure.NOT_BUSY: (dict.fromkeys(REGISTERS, 0), "busy did not rise"),
    Failure.LEFT_OVER: ({**dict.fromkeys(REGISTERS, 0), "contexts": 30}, "words of port s_x were to come"),
}


@EACH_ENGINE
@pytest.mark.parametrize("code", FAILURES)
def test_failures_are_found_and_explained(name, code):
    registers, sentence = FAILURES[code]
    setup = Setup(MemoryTiming(latency=30, stall=0.2), max_cycles=2000)
    found = []
    with open_engine(name, SMALL, setup) as engine:
        for _ in range(2):  # a reset brings the engine back
            engine.reset()
            load(engine, **registers)
            with pytest.raises(EngineError, match=sentence) as error:
                engine.run_timestep(random_x(SMALL))
            assert error.value.code == code
            found.append(str(error.value))
        engine.reset()
        load(engine, policy=0)
        engine.run_timestep(random_x(SMALL))
    assert found[0] == found[1]


@pytest.mark.needs("verilator")
@pytest.mark.parametrize("code", FAILURES)
def test_engines_fail_with_the_same_words(code):
    found = []
    for name in ENGINES:
        with open_engine(name, SMALL, Setup(MemoryTiming(latency=30, stall=0.2), max_cycles=2000)) as engine:
            load(engine, **FAILURES[code][0])
            with pytest.raises(EngineError) as error:
                engine.run_timestep(random_x(SMALL))
            found.append(str(error.value))
    assert found[0] == found[1]


@EACH_ENGINE
def test_trace_can_be_left_out_and_outlives_its_engine(name):
    assert len(timestep(name, SMALL, Setup(trace=False))[4].x_data) == 0
    _, _, x_in, _, trace, _ = timestep(name, SMALL, Setup())
    assert np.array_equal(trace.x_data, x_in)


@EACH_ENGINE
def test_waveform_is_written(name, tmp_path):
    waves = tmp_path / "waves" / "run.vcd"
    timestep(name, SMALL, Setup(waves=waves))
    text = waves.read_text()
    assert "reg_wdata" in text and text.count("\n#") > 200


@EACH_ENGINE
def test_memories_and_x_must_fit_the_ports(name):
    with open_engine(name, SMALL, Setup()) as engine:
        with pytest.raises(ValueError, match="no whole words of port weight"):
            engine.bind_memory("weight", np.zeros(7, np.uint8))
        with pytest.raises(ValueError, match="must be contiguous"):
            engine.bind_memory("weight", np.zeros((8, 8), np.uint8)[:, :4])
        with pytest.raises(ValueError, match="x must be int16 in words of 4 lanes"):
            engine.run_timestep(np.zeros(6, np.int16))
        with pytest.raises(ValueError, match="32 bits"):
            engine.write_register("hidden", 1 << 32)


@pytest.mark.parametrize(
    "settings, sentence",
    [
        (dict(latency=-1), "memory latency is -1"),
        (dict(bandwidth=0.0), "memory bandwidth is 0.0"),
        (dict(stall=1.0), "stall probability is 1.0"),
        (dict(depth=17), "command queue depth is 17"),
    ],
)
def test_timing_checks_itself(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        MemoryTiming(**settings)
