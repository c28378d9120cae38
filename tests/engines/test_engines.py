"""The engines' contract, on a dummy accelerator: the same words, traces, cycles and failures in all of them."""

import numpy as np
import pytest

from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import memory_ports
from radit.cosim.engines import EngineError, Failure, MemoryTiming, Setup, Traffic
from radit.cosim.engines.setup import URGENT
from radit.model.errors import UserError
from tests.engines.bench import (
    EACH_ENGINE,
    EACH_SETUP,
    ENGINES,
    REGISTERS,
    SETUPS,
    SMALL,
    TWO_CORES,
    WORDS,
    assert_equal_runs,
    load,
    open_engine,
    random_x,
    timestep,
)
from tests.engines.dummy import SUB_BLOCK

SHAPES = {"4x4": SMALL, "8x16": BuildConfig(rows=8, cols=16)}
EACH_SHAPE = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)

COPIED = {  # the register that says how many words a port moves
    "weight": "attention_words",
    "mod": "hidden",
    "param": "mlp",
    "cache_rd": "codes_total",
    "prev_rd": "heads",
    "hist_rd": "sub_block_words",
    "cache_wr": "attention_words",
    "hist_wr": "sub_block_words",
}


@EACH_ENGINE
@EACH_SETUP
@EACH_SHAPE
def test_words_arrive_where_they_should(name, config, setup):
    run = timestep(name, config, setup)
    before, after, trace = run.before, run.after, run.trace
    r, rows = REGISTERS, config.rows
    weights = before["weight"][r["weight_base"] :][: r["attention_words"]]
    expected = np.zeros_like(before["cache_wr"])
    expected[r["cache_base"] :][: r["attention_words"]] = weights[:, :rows]
    assert np.array_equal(after["cache_wr"], expected)
    expected = before["hist_rd"].copy()
    history = before["hist_rd"][r["history_base"] :][: r["sub_block_words"]]
    expected[r["history_base"] + r["mlp_words"] :][: r["sub_block_words"]] = history
    assert np.array_equal(after["hist_wr"], expected)
    assert np.array_equal(run.x_out, run.x_in)
    assert np.array_equal(trace.x_data, run.x_in)
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
    assert np.array_equal(trace.decide_slope, beats >> 41 & 0x7FF)
    previous = before["prev_rd"][r["cache_base_other"] :][: r["heads"], :4]
    assert run.checksum == np.bitwise_xor.reduce(previous.copy().view(np.uint32)[:, 0])
    assert np.array_equal(trace.advance_sub_block, np.arange(len(run.x_in) // SUB_BLOCK))


@pytest.mark.needs("verilator")
@EACH_SETUP
@EACH_SHAPE
def test_engines_need_the_same_cycles(config, setup):
    assert_equal_runs(timestep("myhdl", config, setup), timestep("verilator", config, setup))


@TWO_CORES
@pytest.mark.needs("verilator")
def test_threads_change_nothing():
    one, two = (timestep("verilator", SMALL, Setup(threads=threads)) for threads in (1, 2))
    assert_equal_runs(one, two)


@TWO_CORES
def test_myhdl_has_one_thread():
    with pytest.raises(UserError, match="MyHDL simulates on one thread: choose the engine verilator"):
        open_engine("myhdl", SMALL, Setup(threads=2))


@EACH_ENGINE
def test_latency_and_depth_take_the_cycles_they_say(name):
    def cycles(**timing):
        return timestep(name, SMALL, Setup(MemoryTiming(latency=0), {"weight": MemoryTiming(**timing)})).cycles

    first = cycles(latency=200)
    assert cycles(latency=300) == first + 100
    assert cycles(latency=200, depth=1) > first + 2 * 200  # one after another


@EACH_ENGINE
@pytest.mark.parametrize("bandwidth", [0.5, 2.0, 5.75])
def test_all_ports_share_the_bandwidth(name, bandwidth):
    run = timestep(name, SMALL, Setup(MemoryTiming(latency=0), bandwidth=bandwidth))
    sizes = {port.name: port.word_bytes for port in memory_ports(SMALL)}
    moved = {port: part.bytes for port, part in run.traffic.items()}
    assert moved == {port: REGISTERS[words] * sizes[port] for port, words in COPIED.items()}
    assert run.cycles == pytest.approx(sum(moved.values()) / bandwidth, abs=10 + max(sizes.values()) / bandwidth)
    later = [port.name for port in memory_ports(SMALL) if not port.is_write and port.name != URGENT]
    assert all(run.traffic[port].starved for port in later)
    unlimited = timestep(name, SMALL, Setup(MemoryTiming(latency=0)))
    assert unlimited.traffic == {port: Traffic(size, 0) for port, size in moved.items()}


@EACH_ENGINE
def test_codes_wait_for_nobody(name):
    run = timestep(name, SMALL, Setup(MemoryTiming(latency=0), bandwidth=4.0))
    assert run.traffic[URGENT].bytes > 0 and run.traffic[URGENT].starved == 0
    assert run.traffic["cache_rd"].starved and run.traffic["weight"].starved


@EACH_ENGINE
def test_the_weights_wait_for_all_others(name):
    def run(**registers):
        setup = Setup(MemoryTiming(latency=0), bandwidth=4.0)  # a beat in every second cycle
        return timestep(name, SMALL, setup, **{**dict.fromkeys(REGISTERS, 0), **registers})

    weights, beats = dict(attention_words=50), dict(hidden=30, mlp=30)
    alone, others, together = run(**weights), run(**beats), run(**weights, **beats)
    assert together.cycles == pytest.approx(alone.cycles + others.cycles, abs=4)
    assert all(together.traffic[port] == others.traffic[port] for port in ("mod", "param"))
    assert together.traffic["weight"].starved == pytest.approx(alone.traffic["weight"].starved + others.cycles, abs=4)


@EACH_ENGINE
def test_timesteps_follow_each_other_and_a_reset_repeats_them(name):
    with open_engine(name, SMALL, SETUPS["stalls"]) as engine:
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
    assert len(timestep(name, SMALL, Setup(trace=False)).trace.x_data) == 0
    run = timestep(name, SMALL, Setup())
    assert np.array_equal(run.trace.x_data, run.x_in)


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
        (dict(stall=1.0), "stall probability is 1.0"),
        (dict(depth=17), "command queue depth is 17"),
    ],
)
def test_timing_checks_itself(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        MemoryTiming(**settings)


@pytest.mark.parametrize("threads", [0, -1, 1 << 20])
def test_threads_check_themselves(threads):
    with pytest.raises(UserError, match=f"simulation threads is {threads}; give a number from 1 to "):
        Setup(threads=threads)


@pytest.mark.parametrize("bandwidth", [0.0, -3.0, 2.0**20])
def test_bandwidth_checks_itself(bandwidth):
    with pytest.raises(UserError, match=f"memory bandwidth is {bandwidth}; give bytes per cycle from"):
        Setup(bandwidth=bandwidth)
