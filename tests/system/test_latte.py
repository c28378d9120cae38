"""Latte through the hardware: the frame embedding after the first spatial block, once, and every cycle predicted."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims, Group, check_fit, registers
from radit.accel.interfaces.conditioning import HEADER_BEATS, HEADER_FIELDS
from radit.cosim.driver import Driver
from radit.cosim.engines import EngineError, MemoryTiming, Setup
from radit.cosim.pack import pack_frames, pack_headers
from radit.model.errors import UserError
from radit.model.policy.skip_policy import dense
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel
from tests.system.cosimulate import (
    DIFFERING,
    FORECASTING,
    SKIPPING,
    STREAM,
    Outcome,
    Shape,
    Task,
    cosimulate,
    make_task,
)
from tests.system.quick_build import using
from tests.system.test_cycles import LATENCIES, measured, random_policy
from tests.system.test_gauntlet import library

pytestmark = pytest.mark.needs("verilator")

CONFIGURATIONS = 8
MOST_CYCLES = 200_000
SIZES = {"max_hidden": 24, "max_mlp": 24, "max_tokens": 64, "max_sub_blocks": 6, "frame_banks": 4}
BUILDS = {
    "8x4": BuildConfig(8, 4, **SIZES, max_frames=4),
    "4x8x2 with text": BuildConfig(4, 8, **SIZES, products=2, max_frames=4, max_text=12),
}
MOTION = ("jsdj", "jjss")
# Two frames of 16 tokens: spatial, then temporal attention. With text only the spatial block reads it.
CLIP = Shape(32, 16, 2, 16, motion=MOTION, even=Group(keys=16), odd=Group(frames=2), frames=2, seed=3)
VIDEO = replace(CLIP, texts=((5, 12),), cross="even")
MODELS = {"8x4": CLIP, "4x8x2 with text": VIDEO}
POLICIES = {
    "dense": dense(), "skipping": SKIPPING, "forecasting": FORECASTING, "stream": STREAM, "difference": DIFFERING
}  # fmt: skip

each_build = pytest.mark.parametrize("name", BUILDS)


def run(name: str, task: Task, policy=SKIPPING, setup: Setup | None = None, **more) -> Outcome:
    """A task on one of the builds."""
    build, setup = BUILDS[name], replace(setup or Setup(MemoryTiming(0)), max_cycles=MOST_CYCLES)
    with using(library(build)):
        return cosimulate("verilator", build, task, policy, setup, **more)


@each_build
@pytest.mark.parametrize("policy", POLICIES)
def test_every_word_is_right(name, policy):
    """A spatial and a temporal block, both contexts, computed and reused; the stream is right behind the embedding."""
    task = make_task(MODELS[name])
    outcome = run(name, task, POLICIES[policy])
    outcome.assert_exact()
    build, timesteps = BUILDS[name], len(MOTION[0])
    reads = outcome.counters["frame_reads"] * 4
    if policy in ("stream", "difference"):  # what lets x pass gets no embedding
        assert 0 < reads == outcome.computed[:, 0].sum() * task.dims.sub_block_words(build)
    else:
        assert reads == timesteps * task.dims.contexts * task.dims.sub_block_words(build)
        assert outcome.counters["frame_writes"] == timesteps * task.dims.frame_beats
    assert outcome.computed.all() == (policy == "dense")


@each_build
def test_reused_branches_get_the_embedding(name):
    """Everything is reused in between: the pass of the temporal attention then only adds, or is all there is."""
    still = replace(MODELS[name], motion=("jss", "jss"))
    outcome = run(name, make_task(still), replace(SKIPPING, threshold=1.0))
    outcome.assert_exact()
    assert not outcome.computed[1:].any() and outcome.computed[0].all()
    each = outcome.dims[0].contexts * outcome.dims[0].sub_block_words(BUILDS[name])
    assert outcome.counters["frame_reads"] * 4 == 3 * each


def random_clip(rng: np.random.Generator, build: BuildConfig) -> Task:
    """Clips of one to three blocks, of spatial and temporal attention or of joint, with or without text."""
    heads = int(rng.choice([1, 2, 3]))
    hidden = 4 * heads * int(rng.integers(1, 24 // (4 * heads) + 1))
    frames = int(rng.choice([2, 4]))
    each = build.wide * int(rng.integers(1, 1 + build.padded_tokens // (frames * build.wide)))
    contexts = int(rng.integers(1, 3))
    shape = Shape(
        tokens=frames * each,
        hidden=hidden,
        heads=heads,
        mlp=4 * int(rng.integers(1, 7)),
        depth=int(rng.integers(1, 3)),
        motion=tuple("j" + "".join(rng.choice(list("sdj"), 3)) for _ in range(contexts)),
        seed=int(rng.integers(3)),
        frames=frames,
    )
    if build.max_text:
        texts = (tuple(int(text) for text in rng.integers(1, build.max_text + 1, contexts)),)
        shape = replace(shape, texts=texts, cross=str(rng.choice(["all", "even"])))
    if rng.random() < 0.7:
        shape = replace(shape, even=Group(keys=each), odd=Group(frames=frames))
    return make_task(shape)


@each_build
def test_every_cycle_is_predicted(name, rng):
    build, computed = BUILDS[name], []
    for _ in range(CONFIGURATIONS):
        task, policy, latency = random_clip(rng, build), random_policy(rng), int(rng.choice(LATENCIES))
        outcome = run(name, task, policy, Setup(MemoryTiming(latency)))
        outcome.assert_exact()
        predicted = outcome.predicted(build, RunTables.of(policy.tables(task.integer)), MemoryModel(latency))
        assert predicted == measured(outcome), (outcome.dims, policy, latency)
        computed.append(outcome.computed.mean())
    assert min(computed) < 0.9


def test_a_late_embedding_is_waited_for():
    """Where nothing computes, only the passes hide how long it takes from far away."""
    still, policy = replace(CLIP, motion=("jss", "jss")), replace(SKIPPING, threshold=1.0)
    task, build, latency = make_task(still), BUILDS["8x4"], 2000
    outcome = run("8x4", task, policy, Setup(MemoryTiming(latency)))
    outcome.assert_exact()
    predicted = outcome.predicted(build, RunTables.of(policy.tables(task.integer)), MemoryModel(latency))
    assert predicted == measured(outcome)
    elsewhere = make_task(replace(still, frames=0))
    plain = run("8x4", elsewhere, policy, Setup(MemoryTiming(latency)))
    plain.assert_exact()
    assert outcome.counters["cycles"] > plain.counters["cycles"] + 2 * latency  # two reused timesteps


@each_build
def test_a_limited_memory_is_met_within_the_tolerance_of_the_regime(name):
    build, task = BUILDS[name], make_task(MODELS[name])
    for memory in (MemoryModel(50, 2.0 * build.wide), MemoryModel(20, None, 0.2)):
        timing = Setup(MemoryTiming(memory.latency, stall=memory.stall), bandwidth=memory.bandwidth)
        outcome = run(name, task, dense(), timing)
        outcome.assert_exact()
        predicted = outcome.predicted(build, RunTables.of(dense().tables(task.integer)), memory)
        assert sum(predicted.values()) == pytest.approx(outcome.counters["cycles"], rel=memory.tolerance)


def test_both_engines_take_the_same_cycles():
    task = make_task(replace(CLIP, tokens=16, hidden=4, mlp=4, heads=1, even=Group(keys=8), motion=("js", "js")))
    compiled = run("8x4", task)
    simulated = cosimulate("myhdl", BUILDS["8x4"], task, SKIPPING, Setup(MemoryTiming(0), max_cycles=MOST_CYCLES))
    for outcome in (compiled, simulated):
        outcome.assert_exact()
    assert simulated.counters == compiled.counters and simulated.cycles == compiled.cycles


def set_frames(driver: Driver, sub_block: int, value: int) -> None:
    """The header's bit that adds the embedding."""
    beats = HEADER_BEATS + driver.dims.contexts * driver.dims.hidden
    beat, field, *_ = HEADER_FIELDS["frames"]
    driver.conditioning[:, sub_block * beats + beat, field] = value


def swap_frames(driver: Driver) -> None:
    """The embeddings of the two frames in each other's place, behind the conditioning."""
    memory = driver.conditioning.base
    found = memory[-len(driver.frames) :]
    found[:] = np.roll(found, len(found) // 2, axis=0).copy()


def write(name: str, value: int) -> Callable[[Driver], None]:
    return lambda driver: driver.engine.write_register(name, value)


PLACE = CLIP.frames  # number of the first sub-block of block 1
FAULTS: dict[str, tuple[Callable[[Driver], None], int]] = {  # and the sub-block whose stream shows it
    "the embedding missing": (lambda driver: set_frames(driver, PLACE, 0), PLACE),
    "the embedding twice": (lambda driver: set_frames(driver, PLACE + 1, 1), PLACE + 1),
    "the embedding before its place": (lambda driver: set_frames(driver, PLACE - 1, 1), PLACE - 1),
    "the embedding again at the end": (lambda driver: set_frames(driver, 4, 1), 4),
    "another frame's": (swap_frames, PLACE),
    "frames of another length": (write("frame_row_tiles", 1), PLACE),
    "an embedding elsewhere": (write("frame_base", 0), PLACE),
    "half of it": (write("frame_beats", 4), PLACE),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    plant, sub_block = FAULTS[fault]
    task, place = make_task(CLIP), f"block {sub_block // 2} ({('attention', 'MLP')[sub_block % 2]}), stage x,"

    def spoil(driver: Driver, timestep: int) -> None:
        if timestep == 0:
            plant(driver)

    assert run("8x4", task).problems == []
    try:
        problems = run("8x4", task, spoil=spoil).problems
    except EngineError:
        return  # a machine that stops is found as well
    assert (place if sub_block < 4 else "stage x") in problems[0], problems[:1]
    assert problems[0].startswith("image 0, timestep 0,")


def test_the_embedding_is_packed_as_the_interface_says():
    """Frame after frame, four channels a beat, in the fraction of x; one header of a timestep asks for it."""
    integer = make_task(CLIP).integer
    wanted = np.round(integer.dit.temp_embed[0].numpy() * 2.0**integer.x_frac).astype(np.int64)
    beats = pack_frames(integer)
    assert beats.shape == (2 * 16 // 4, 4)
    assert np.abs(beats.reshape(2, 16).view(np.int16) - wanted).max() <= 1 and np.abs(wanted).max() > 50
    beat, field, *_ = HEADER_FIELDS["frames"]
    flags = pack_headers(integer, dense().tables(integer))[:, :, beat, field]
    assert (flags == [0, 0, 1, 0, 0]).all()
    text = make_task(VIDEO).integer
    assert pack_headers(text, dense().tables(text))[0, :, beat, field].tolist() == [0, 0, 0, 1, 0, 0]


DIMS = {"hidden": 8, "heads": 2, "head_dim": 4, "mlp": 8, "tokens": 32, "sub_blocks": 4, "contexts": 2, "frames": 4}


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"frames": 8}, "frames is 8, above this build's limit of 4 frames whose embeddings are added; build with max"),
        ({"tokens": 16}, "frames is 4 of 4 tokens each on 8 lanes, and the frame embedding is added to whole words"),
        ({"frames": 3}, "frames is 3 of 32 tokens; give a number that divides them"),
        ({"frames": -1}, "frames is -1 of 32 tokens"),
    ],
)
def test_a_clip_that_does_not_fit_is_refused(fields, words):
    with pytest.raises(UserError) as error:
        check_fit(Dims(**{**DIMS, **fields}), BUILDS["8x4"])
    assert words in str(error.value)


def test_registers_and_builds():
    dims, build = Dims(**DIMS), BUILDS["8x4"]
    found = registers(dims, build)
    assert (found["frame_beats"], found["frame_row_tiles"], dims.frames_before) == (4 * 8 // 4, 1, 2)
    assert "frame_beats" not in registers(replace(dims, frames=0), replace(build, max_frames=0))
    with pytest.raises(UserError, match="max_frames is -1"):
        BuildConfig(max_frames=-1)
