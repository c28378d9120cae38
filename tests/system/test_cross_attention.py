"""Cross-attention through the hardware: every cycle predicted, every planted fault found, prompts that do not fit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from radit.accel.config import BuildConfig
from radit.accel.dims import CROSS, Dims, Group, check_fit, registers, text_registers
from radit.accel.interfaces.conditioning import HEADER_BEATS, HEADER_FIELDS
from radit.cosim.driver import Driver
from radit.cosim.engines import EngineError, MemoryTiming, Setup
from radit.cosim.pack import pack_prompts
from radit.model.errors import UserError
from radit.model.integer.integer_dit import PromptWords
from radit.model.policy.skip_policy import dense
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel
from tests.system.cosimulate import SKIPPING, Outcome, Shape, Task, cosimulate, make_task
from tests.system.gauntlet import TEXT_BUILDS
from tests.system.quick_build import using
from tests.system.test_cycles import LATENCIES, measured, random_policy
from tests.system.test_gauntlet import library

pytestmark = pytest.mark.needs("verilator")

CONFIGURATIONS = 8  # of each build
MOST_CYCLES = 200_000
SMALL = "4x8x2 with text"
READER = Shape(9, 8, 2, 12, depth=1, motion=("jj", "jj"), texts=((5, 9), (9, 5)), seed=2)

each_build = pytest.mark.parametrize("name", TEXT_BUILDS)


def run(name: str, task: Task, policy=SKIPPING, setup: Setup | None = None, **more) -> Outcome:
    """A task on one of the builds with text."""
    build, setup = TEXT_BUILDS[name], replace(setup or Setup(MemoryTiming(0)), max_cycles=MOST_CYCLES)
    with using(library(build)):
        return cosimulate("verilator", build, task, policy, setup, **more)


def random_reader(rng: np.random.Generator, build: BuildConfig) -> Task:
    """Dimensions, groups and prompts that may or may not fill the tiles."""
    heads = int(rng.choice([1, 2, 3, 4]))
    hidden = 4 * heads * int(rng.integers(1, 24 // (4 * heads) + 1))
    contexts = int(rng.integers(1, 3))
    shape = Shape(
        tokens=int(rng.integers(1, 25)),
        hidden=hidden,
        heads=heads,
        mlp=4 * int(rng.integers(1, 7)),
        depth=int(rng.integers(1, 3)),
        motion=tuple("j" + "".join(rng.choice(list("sdj"), 3)) for _ in range(contexts)),
        seed=int(rng.integers(3)),
        texts=(tuple(int(text) for text in rng.integers(1, 21, contexts)),),
        cross=str(rng.choice(["all", "even"])),
    )
    if rng.random() < 0.3:
        wide = build.wide
        shape = replace(shape, tokens=2 * wide, even=Group(keys=wide), odd=Group(frames=2))
    return make_task(shape)


@each_build
def test_every_cycle_is_predicted(name, rng):
    build, computed, reading = TEXT_BUILDS[name], [], []
    for _ in range(CONFIGURATIONS):
        task, policy, latency = random_reader(rng, build), random_policy(rng), int(rng.choice(LATENCIES))
        outcome = run(name, task, policy, Setup(MemoryTiming(latency)))
        outcome.assert_exact()
        predicted = outcome.predicted(build, RunTables.of(policy.tables(task.integer)), MemoryModel(latency))
        assert predicted == measured(outcome), (outcome.dims, policy, latency)
        assert sum(predicted.values()) == outcome.counters["cycles"]
        computed.append(outcome.computed.mean())
        reading.append(outcome.counters["cross_attend_array"])
    assert min(computed) < 0.9 and min(reading) > 0


@each_build
def test_a_limited_memory_is_met_within_the_tolerance_of_the_regime(name):
    build = TEXT_BUILDS[name]
    task = make_task(Shape(24, 24, 2, 48, depth=1, motion=("jjs", "jsj"), texts=((20, 13),), seed=1))
    for memory in (MemoryModel(50, 2.0 * build.wide), MemoryModel(50, build.wide / 2), MemoryModel(20, None, 0.2)):
        timing = Setup(MemoryTiming(memory.latency, stall=memory.stall), bandwidth=memory.bandwidth)
        outcome = run(name, task, dense(), timing)
        outcome.assert_exact()
        predicted = outcome.predicted(build, RunTables.of(dense().tables(task.integer)), memory)
        assert sum(predicted.values()) == pytest.approx(outcome.counters["cycles"], rel=memory.tolerance)


def test_a_barrier_waits_for_a_late_prompt():
    """Of a port of its own pace: the wait is booked to external memory."""
    task = make_task(READER)
    early, late = (
        run(SMALL, task, dense(), Setup(MemoryTiming(0), ports={"prompt": MemoryTiming(latency)}))
        for latency in (0, 3000)
    )
    for outcome in (early, late):
        outcome.assert_exact()
    assert early.counters["cross_weights"] < 100
    assert late.counters["cross_weights"] > early.counters["cross_weights"] + 2 * 2 * 2500  # timesteps, contexts
    assert late.counters["array_cycles"] == early.counters["array_cycles"]


def test_both_engines_take_the_same_cycles():
    build = TEXT_BUILDS[SMALL]
    task = make_task(replace(READER, tokens=5, hidden=4, mlp=4, heads=1, texts=((3, 9),)))
    compiled = run(SMALL, task, dense(), Setup())
    simulated = cosimulate("myhdl", build, task, dense(), Setup(max_cycles=MOST_CYCLES))
    for outcome in (compiled, simulated):
        outcome.assert_exact()
    assert simulated.counters == compiled.counters and simulated.cycles == compiled.cycles


def other_number(driver: Driver, timestep: int, more: int) -> None:
    """A context with another number of text tokens than its prompt has."""
    driver.engine.write_register("text_keys_1", driver.dims.prompts[1] + more)


def swap_contexts(driver: Driver, timestep: int) -> None:
    """Keys and values of the other context."""
    each = driver.dims.prompt_words(driver.engine.config)
    words = driver.prompts.reshape(-1, driver.dims.contexts, each, driver.engine.config.rows)
    words[:] = words[:, ::-1].copy()


def swap_parts(driver: Driver, timestep: int) -> None:
    """Keys where values belong."""
    words = driver.prompts
    words[:] = np.roll(words, len(words) // 3, axis=0)


def set_bypass(driver: Driver, sub_block: int, value: int) -> None:
    """The header's bit that leaves out the norm."""
    beats = HEADER_BEATS + driver.dims.contexts * driver.dims.hidden
    beat, field, *_ = HEADER_FIELDS["bypass"]
    driver.conditioning[:, sub_block * beats + beat, field] = value


FAULTS: dict[str, tuple[Callable[[Driver, int], None], str]] = {
    "a key too many": (lambda driver, timestep: other_number(driver, timestep, 1), "score"),
    "a key too few": (lambda driver, timestep: other_number(driver, timestep, -1), "score"),
    "the other context's keys": (swap_contexts, "score"),
    "values among the keys": (swap_parts, "score"),
    "a norm that is not there": (lambda driver, timestep: set_bypass(driver, 1, 0), "a"),
    "a norm left out": (lambda driver, timestep: set_bypass(driver, 0, 1), "a"),
    "no cross-attention": (lambda driver, timestep: driver.engine.write_register("cross_even", 0), "q"),
    "a prompt elsewhere": (lambda driver, timestep: driver.engine.write_register("prompt_base", 1), "score"),
    "text tokens of another stride": (
        lambda driver, timestep: driver.engine.write_register("text_supertiles", 0), "score"
    ),
}  # fmt: skip


def with_keys(task: Task, image: int, context: int | slice) -> Task:
    """Keys of the opposite sign there."""
    words = task.conditioning.prompts
    keys = words.k.clone()
    keys[image, context] = -keys[image, context]
    return replace(task, conditioning=replace(task.conditioning, prompts=replace(words, k=keys)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    plant, stage = FAULTS[fault]
    task = make_task(READER) if "context" not in fault else with_keys(make_task(replace(READER, texts=((9, 9),))), 0, 1)

    def spoil(driver: Driver, timestep: int) -> None:
        if timestep == 0:
            plant(driver, timestep)
            room = np.zeros_like(driver.prompts)  # for who asks for too many words
            driver.engine.bind_memory("prompt", np.concatenate([driver.prompts, room]))

    assert run(SMALL, task, dense()).problems == []
    try:
        problems = run(SMALL, task, dense(), spoil=spoil).problems
    except (EngineError, AssertionError):
        return  # a machine that stops, or is elsewhere, is found as well
    assert f"stage {stage}," in problems[0], problems[:1]


def test_the_prompt_of_the_image_before_is_found():
    task = with_keys(make_task(replace(READER, texts=((5, 9), (5, 9))), images=2), 1, slice(None))
    stale: list[np.ndarray] = []

    def spoil(driver: Driver, timestep: int) -> None:
        if timestep == 0:
            stale.append(driver.prompts.copy())
            driver.prompts[:] = stale[0]

    assert run(SMALL, task, dense()).problems == []
    problems = run(SMALL, task, dense(), spoil=spoil).problems
    assert problems[0].startswith("image 1, timestep 0, block 0 (cross-attention), stage score,")


def test_prompts_are_packed_as_the_interface_says():
    """Keys by row tile and channel, then values by token and channel tile, of as many text tokens as there are."""
    build = BuildConfig(4, 8, max_text=10)
    dims = Dims(8, 2, 4, 8, 4, 3, 2, text=10, cross_even=True, texts=(6, 1))
    rng = np.random.default_rng(1)
    k, v = (rng.integers(-128, 128, (1, 2, 1, 10, 8)).astype(np.int8) for _ in range(2))
    torch = pytest.importorskip("torch")
    words = PromptWords(torch.tensor(k), torch.tensor(v), torch.tensor([[6, 1]]))
    found = pack_prompts(words, 0, dims, build)
    each = dims.prompt_words(build)
    assert (each, dims.prompt_words(build, 6), len(found)) == (3 * 8 + 10 * 2, 2 * 8 + 6 * 2, 2 * each)
    assert found[8 + 3].tolist() == [*k[0, 0, 0, 4:6, 3].tolist(), 0, 0]  # row tile 1, channel 3
    assert found[16 + 2 * 5 + 1].tolist() == v[0, 0, 0, 5, 4:].tolist()  # token 5, channel tile 1
    assert found[each].tolist() == [int(k[0, 1, 0, 0, 0]), 0, 0, 0]
    assert not found[28:each].any() and not found[each + 8 + 2 :].any()
    assert text_registers(dims) == {"text_keys_0": 6, "text_keys_1": 1}
    shape = registers(dims, build)
    assert (shape["cross_even"], shape["cross_odd"], shape["cross_words"]) == (1, 0, 2 * 8)
    assert (shape["text_supertiles"], shape["text_supertiles_all"], shape["prompt_words"]) == (2, 4, each)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"text": 21}, "text is 21, above this build's limit of 20 text tokens of a context; use a shorter prompt"),
        ({"text": 0}, "text is 0, but cross_even is True"),
        ({"cross_even": False}, "text is 8, but cross_even is False and cross_odd False"),
        ({"texts": (8, 0)}, "the prompt of context 1 has 0 text tokens; give 1 to 8"),
        ({"texts": (9, 1)}, "the prompt of context 0 has 9 text tokens; give 1 to 8"),
        ({"texts": (8,)}, "there are 1 prompts for 2 contexts"),
        ({"sub_blocks": 4}, "sub_blocks is 4; give those of whole blocks"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(fields, words):
    with pytest.raises(UserError) as error:
        check_fit(Dims(**{**DIMS, **fields}), TEXT_BUILDS[SMALL])
    assert words in str(error.value)


DIMS = {
    "hidden": 8, "heads": 2, "head_dim": 4, "mlp": 8, "tokens": 4, "sub_blocks": 5, "contexts": 2, "text": 8,
    "cross_even": True,
}  # fmt: skip


def test_blocks_have_the_kinds_of_their_parity():
    assert [tuple(place) for place in Dims(**DIMS).places] == [
        ("attention", 0), ("cross", 0), ("mlp", 0), ("attention", 1), ("mlp", 1)
    ]  # fmt: skip
    both = Dims(**{**DIMS, "cross_odd": True, "sub_blocks": 6})
    assert both.numbers(CROSS) == [1, 4] and both.numbers(CROSS, 1) == [4]


@pytest.mark.parametrize(
    "fields, words",
    [({"max_text": -1}, "max_text is -1"), ({"max_text": 4, "max_contexts": 9}, "max_contexts is 9 with text")],
)
def test_a_build_that_cannot_be_is_refused(fields, words):
    with pytest.raises(UserError, match=words):
        BuildConfig(**fields)
