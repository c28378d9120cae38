"""A short course through everything that the machine does, for a design that may be wrong.

Each obstacle is one run of a small model. It compares every word, decision, counter and saturation with the
reference, and, where the memory delivers a word in every cycle, every cycle with the cycle model. The obstacles that
find most come first.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from unittest.mock import patch

import numpy as np
import torch

from radit.accel.config import BuildConfig
from radit.accel.control.registers import ACCOUNTS, DONE_BIT, REGISTERS, build_constants, stored_registers
from radit.accel.dims import Group
from radit.cosim.driver import Driver
from radit.cosim.engines import MemoryTiming, Setup, open_engine
from radit.model.policy.skip_policy import Policy, dense, planned
from radit.reports.cost.counts import SATURATED
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel
from tests.system.cosimulate import (
    DIFFERING,
    FORECASTING,
    LEADING,
    OUT,
    SKIPPING,
    STREAM,
    Outcome,
    Shape,
    Task,
    cosimulate,
    make_task,
)

# Few lanes, so that they compile in seconds; the first stage of the array is the wider side once each way.
SIZES = {"max_hidden": 24, "max_mlp": 48, "max_tokens": 32, "max_sub_blocks": 4}
BUILDS = {
    "4x8": BuildConfig(4, 8, **SIZES, frame_banks=4),
    "8x4": BuildConfig(8, 4, **SIZES, frame_banks=2),
    "4x8x2": BuildConfig(4, 8, **SIZES, frame_banks=4, products=2),
}
# The same with text: three sub-blocks in a block. They run all that the others do as well.
TEXT_SIZES = SIZES | {"max_sub_blocks": 6, "max_text": 20}
TEXT_BUILDS = {
    "4x4 with text": BuildConfig(4, 4, **TEXT_SIZES, frame_banks=4),
    "8x4 with text": BuildConfig(8, 4, **TEXT_SIZES, frame_banks=2),
    "4x8x2 with text": BuildConfig(4, 8, **TEXT_SIZES, frame_banks=4, products=2),
}
QUESTIONS = "questions"
MOST_CYCLES = 50_000  # of a timestep; without a defect the longest takes half of it
PORTS = ("weight", "mod", "param", "cache_rd", "prev_rd", "hist_rd", "cache_wr", "hist_wr", "x")


@dataclass(frozen=True)
class Obstacle:
    """One run.

    Fields:
        latency: of all ports, which deliver a word in every cycle.
        setup: other ports.
        change: what is changed in the task.
        spoil: called before every timestep.
        before: what the same machine ran before, without a reset since.
    """

    shape: Shape
    policy: Policy
    latency: int = 20
    setup: Setup | None = None
    images: int = 1
    change: Callable[[Task], Task] = field(default=lambda task: task)
    spoil: Callable[[Driver, int], None] = field(default=lambda driver, timestep: None)
    before: str = ""


def saturated(task: Task) -> Task:
    """Residual sums, modulated values, scores and inputs of GELU leave 16 bit."""
    header, sub_blocks = task.integer.header, []
    shifts = {name: (header[name] - 4).clamp(min=1) for name in ("mod_shift", "gate_shift", "score_shift")}
    for one in task.integer.sub_blocks:
        larger = {name: replace(table, shift=table.shift - 5) for name, table in one.tables.items() if name == "fc1"}
        sub_blocks.append(replace(one, tables=one.tables | larger))
    return replace(task, integer=replace(task.integer, header=header | shifts, sub_blocks=sub_blocks))


def _scramble(driver: Driver, timestep: int) -> None:
    """An image meets a cache and a history that hold anything."""
    if timestep == 0:
        rng = np.random.default_rng(1)
        for memory in (driver.cache, driver.history):
            memory[:] = rng.integers(-100, 100, memory.shape).astype(memory.dtype)


def _uneven(seed: int, *more: str) -> Setup:
    """Every port at its own pace; ``more`` of them."""
    rng = np.random.default_rng(seed)
    ports = {
        port: MemoryTiming(
            latency=int(rng.integers(100)),
            stall=float(rng.choice([0.0, 0.3, 0.7])),
            seed=int(rng.integers(1, 1000)),
            depth=int(rng.integers(1, 5)),
        )
        for port in (*PORTS, *more)
    }
    return Setup(ports=ports, bandwidth=(None, 2.0, 9.0)[seed % 3])


# Both contexts compute twice or more, then stand still together or alone.
TWICE = Shape(13, 16, 2, 24, motion=("jsjssjs", "jjsjsss"), seed=7)
FRAMES = {"even": Group(keys=8), "odd": Group(frames=2)}
GATED = replace(TWICE, motion=("jsjss", "jjsss"))

OBSTACLES = {
    "forecasts": Obstacle(TWICE, FORECASTING),
    "dense, ragged": Obstacle(Shape(13, 20, 1, 28, seed=1, motion=("jj", "jj")), dense(), latency=0),
    "a clip": Obstacle(Shape(16, 24, 4, 36, seed=2, motion=("jsd", "jjs"), **FRAMES), SKIPPING),
    "a stream": Obstacle(replace(TWICE, seed=3), STREAM, latency=3),
    "slow ports": Obstacle(replace(TWICE, hidden=4, mlp=8), FORECASTING, setup=_uneven(1)),
    "a stream over slow ports": Obstacle(GATED, STREAM, setup=_uneven(2)),
    "planned, by differences": Obstacle(
        replace(TWICE, seed=4), replace(planned(plan="BB-LB-N"), reach=1.5), latency=2, images=2, spoil=_scramble
    ),
    "differences over slow ports": Obstacle(replace(TWICE, spread=4.0), DIFFERING, setup=_uneven(4)),
    "led by the first": Obstacle(TWICE, replace(LEADING, gain=1.9), latency=1),
    "saturation": Obstacle(Shape(13, 16, 2, 24, spread=3.0, seed=9), SKIPPING, change=saturated),
    "after another image": Obstacle(GATED, FORECASTING, images=2, spoil=_scramble),
    "narrow heads": Obstacle(Shape(17, 12, 4, 20, seed=3, motion=("jd", "jj")), SKIPPING, latency=100),
    "heads of five": Obstacle(Shape(17, 20, 4, 20, seed=5, motion=("jd", "jj")), SKIPPING, latency=2),
    "one context": Obstacle(Shape(9, 20, 5, 12, seed=4, motion=("jssj",)), FORECASTING),
    "one stream after two": Obstacle(
        Shape(9, 20, 5, 12, seed=4, motion=("jssj",)), STREAM, latency=20, before="a stream"
    ),
    "the smallest": Obstacle(Shape(1, 4, 1, 4, depth=1, seed=6, motion=("jsj", "jjs")), SKIPPING, latency=0),
    "the largest": Obstacle(Shape(32, 24, 2, 48, motion=("jj", "jj"), **FRAMES), dense(), setup=_uneven(3)),
}
COURSE = (*OBSTACLES, QUESTIONS)

READING = replace(TWICE, texts=((11, 3), (1, 20)))  # two images
TEXT_OBSTACLES = {
    "prompts": Obstacle(replace(READING, hidden=20, heads=1), dense(), latency=0),
    "forecasts of prompts": Obstacle(READING, FORECASTING, latency=3, images=2, spoil=_scramble),
    "the most and one": Obstacle(replace(TWICE, texts=((20, 1),), heads=4), SKIPPING, latency=100),
    "whole tiles": Obstacle(replace(TWICE, texts=((8, 16),), tokens=16), replace(LEADING, gain=1.9), latency=1),
    "a clip that reads in even blocks": Obstacle(
        Shape(16, 24, 4, 36, seed=2, motion=("jsd", "jjs"), texts=((9, 20),), cross="even", **FRAMES), SKIPPING
    ),
    "a stream that reads": Obstacle(replace(READING, hidden=20, heads=4, seed=3), STREAM, latency=3),
    "planned, reading": Obstacle(
        replace(READING, seed=4), replace(planned(plan="BB-LB-N"), reach=1.5), latency=2, images=2, spoil=_scramble
    ),
    "prompts over slow ports": Obstacle(replace(READING, seed=5), FORECASTING, setup=_uneven(1, "prompt")),
    "a prompt over a slow port": Obstacle(
        READING, dense(), setup=Setup(ports={"prompt": MemoryTiming(100, stall=0.9)}, bandwidth=9.0)
    ),
    "one context reads": Obstacle(Shape(9, 20, 5, 12, seed=4, motion=("jssj",), texts=((7,),)), FORECASTING),
    "the smallest reads": Obstacle(
        Shape(1, 4, 1, 4, depth=1, seed=6, motion=("jsj", "jjs"), texts=((1, 2),)), SKIPPING, latency=100
    ),
    "the largest reads": Obstacle(
        Shape(32, 24, 2, 48, depth=1, motion=("jj", "jj"), texts=((20, 19),)), dense(), setup=_uneven(3, "prompt")
    ),
    "no prompts after prompts": Obstacle(TWICE, FORECASTING, latency=20, before="the most and one"),
}


def ask(build: BuildConfig) -> list[str]:
    """What registers answer before, in and after a timestep; returns what is wrong."""
    torch.set_num_threads(1)
    task, problems = make_task(OBSTACLES["the smallest"].shape), []
    tables = SKIPPING.tables(task.integer)

    def expect(what: str, found: int, expected: int) -> None:
        if found != expected:
            problems.append(f"{what} is {found} instead of {expected}.")

    with open_engine("verilator", build, Setup(MemoryTiming(0), max_cycles=MOST_CYCLES), OUT) as engine:
        write, written = engine.write_register, {}

        def write_nonzero(name: str, value: int) -> None:
            """Reset has made the others 0."""
            if value:
                write(name, value)
                written[name] = value

        engine.write_register = write_nonzero
        driver = Driver(engine, task.integer, tables, task.dims)
        driver.clear_counters()
        engine.read_register("status")  # the counters are clear after it
        for name, count in engine.counters().items():
            expect(f"counter {name} after it was cleared", count, 0)
        kept = set(stored_registers(build))
        for name, register in REGISTERS.items():
            if register.access == "write":
                expect(f"register {name}", engine.read_register(name), written.get(name, 0) if name in kept else 0)
        for name, value in build_constants(build).items():
            expect(f"register {name}", engine.read_register(name), value)
        for image in range(2):
            driver.start_image(task.conditioning, 0)
            driver.start(np.zeros((task.dims.contexts, task.dims.padded_tokens(build), task.dims.hidden), np.int64), 0)
            engine.read_register("status")
            expect("status in a timestep", engine.read_register("status"), 1)
            driver.finish()
            expect("status after a timestep", engine.read_register("status"), 1 << DONE_BIT)
            expect("sub-blocks decided", engine.counters()["dtsm_ops"], (image + 1) * 2 * task.dims.contexts)
    return problems


def meet(name: str, build: BuildConfig) -> list[str]:
    """What is wrong in an obstacle."""
    if name == QUESTIONS:
        return ask(build)
    known = OBSTACLES | TEXT_OBSTACLES
    obstacle = known[name]
    if not obstacle.before:
        return _run(obstacle, build).problems
    setup = Setup(MemoryTiming(obstacle.latency), max_cycles=MOST_CYCLES)
    with open_engine("verilator", build, setup, OUT) as engine:
        with patch("tests.system.cosimulate.open_engine", lambda *_: nullcontext(engine)):
            return _run(known[obstacle.before], build, obstacle.latency).problems or _run(obstacle, build).problems


def prepare() -> None:
    """Make all models; they are kept."""
    for obstacle in OBSTACLES.values():
        make_task(obstacle.shape)


def _run(obstacle: Obstacle, build: BuildConfig, latency: int | None = None) -> Outcome:
    """Run one obstacle, maybe with another latency; what is wrong is in ``problems``."""
    latency = obstacle.latency if latency is None else latency
    task = obstacle.change(make_task(obstacle.shape, obstacle.images))
    setup = obstacle.setup or Setup(MemoryTiming(latency))
    outcome = cosimulate(
        "verilator", build, task, obstacle.policy, replace(setup, max_cycles=MOST_CYCLES), spoil=obstacle.spoil
    )
    if outcome.counted != outcome.expected:
        outcome.problems.append(f"counters: {_differences(outcome.counted, outcome.expected)}.")
    for counter, place in SATURATED.items():
        words, values = outcome.counters[counter], outcome.saturated.get(place, 0)
        if not -(-values // build.rows) <= words <= values:
            outcome.problems.append(f"{counter}: {words} words for {values} values.")
    if obstacle.setup is None:
        tables = RunTables.of(obstacle.policy.tables(task.integer))
        predicted = outcome.predicted(build, tables, MemoryModel(latency))
        shown = dict.fromkeys(predicted, 0)
        for account, (phase, _) in ACCOUNTS.items():
            shown[phase] += outcome.counters[account]
        if shown != predicted:
            outcome.problems.append(f"cycles: {_differences(shown, predicted)}.")
    return outcome


def _differences(found: dict[str, int], expected: dict[str, int]) -> str:
    names = [name for name in expected if found.get(name) != expected[name]]
    return ", ".join(f"{name} is {found.get(name)} instead of {expected[name]}" for name in names)
