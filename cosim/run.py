"""Whole generations through the hardware, checked word by word against the reference.

Host and accelerator alternate per timestep: the host embeds the image, the engine and the reference both run the
timestep on the same x, the scoreboard compares, and the host goes on with the *engine's* result. One task is one image
under one policy; tasks spread over the processor's cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from accel.config import BuildConfig
from accel.dims import Dims, check_fit
from cosim.driver import Driver
from cosim.engines import Engine, EngineError, Setup, open_engine
from cosim.pack import dims_of
from cosim.scoreboard import Check, Scoreboard
from model.calibrate import load_or_calibrate
from model.checkpoint import find_checkpoint, load_model
from model.dit import DiT
from model.generate import Host
from model.integer import IntegerDiT
from model.quantize import quantize
from model.reference import Reference
from model.sampler import DDIM, make_noise
from model.skip import Policy


@dataclass(frozen=True)
class Request:
    """What to run: a model (name or checkpoint file), the sampler, the array and the engine."""

    model: str
    steps: int
    images: int
    seed: int
    cfg: float
    array: tuple[int, int]
    engine: str
    waves: Path | None = None

    def command(self, policy: str, image: int) -> str:
        """The command that runs ``image`` again, with a waveform."""
        rows, cols = self.array
        return (
            f"radit cosim --model {self.model} --policy {policy} --engine {self.engine} --array {rows}x{cols} "
            f"--steps {self.steps} --images {image + 1} --seed {self.seed} --cfg {self.cfg:g} --waves"
        )


@dataclass(frozen=True)
class Prepared:
    """A model ready to run: float and integer form, dimensions, build."""

    request: Request
    dit: DiT
    integer: IntegerDiT
    dims: Dims
    build: BuildConfig


@dataclass
class ImageResult:
    """One image under one policy.

    Fields:
        picture: (C, H, W) float32, what the hardware and the host made.
        identical: the reference's host made the same, bit for bit.
        computed: (timesteps, sub_blocks, contexts) bool.
        counters: every event counter, summed over the image.
        seconds: by stage (engine, reference, compare, host).
        problem: one sentence, empty when all is well.
    """

    image: int
    picture: np.ndarray
    identical: bool
    check: Check
    computed: np.ndarray
    counters: dict[str, int]
    seconds: dict[str, float]
    problem: str = ""


@dataclass
class PolicyRun:
    """All images under one policy, in order."""

    policy: Policy
    results: list[ImageResult] = field(default_factory=list)

    @property
    def check(self) -> Check:
        """The images' checks added up."""
        total = Check()
        for result in self.results:
            total.add(result.check)
        return total

    @property
    def problems(self) -> list[str]:
        """Everything that went wrong, one sentence each."""
        return [result.problem for result in self.results if result.problem]


def prepare(request: Request) -> Prepared:
    """Load, calibrate and quantize the model; size the build to it.

    Raises:
        UserError: an unknown model, a broken checkpoint, an array that cannot be built, a model that does not fit.
    """
    rows, cols = request.array
    BuildConfig(rows=rows, cols=cols)
    dit = load_model(request.model)
    calibration = load_or_calibrate(dit, find_checkpoint(request.model), request.steps)
    integer = quantize(dit, calibration, DDIM(request.steps))
    dims = dims_of(integer.config, contexts=1 if request.cfg == 1.0 else 2)
    build = build_for(dims, rows, cols)
    check_fit(dims, build)
    return Prepared(request, dit, integer, dims, build)


def build_for(dims: Dims, rows: int, cols: int) -> BuildConfig:
    """The smallest build that holds a model, with both contexts of guidance."""
    return BuildConfig(
        rows=rows,
        cols=cols,
        max_hidden=dims.hidden,
        max_mlp=dims.mlp,
        max_tokens=dims.tokens,
        max_contexts=max(2, dims.contexts),
        max_sub_blocks=dims.sub_blocks,
        frame_banks=max(dims.even.frames, dims.odd.frames),
    )


def run(prepared: Prepared, policies: list[Policy]) -> list[PolicyRun]:
    """Generate the request's images under every policy; a progress bar counts timesteps."""
    request = prepared.request
    _engine(prepared).close()  # export and compile before the work is spread
    tasks = [(policy, image) for image in range(request.images) for policy in policies]
    runs = {policy.name: PolicyRun(policy) for policy in policies}
    with _progress() as progress:
        bar = progress.add_task(f"{request.engine} co-simulation", total=len(tasks) * request.steps)
        for name, result in _results(prepared, tasks, lambda: progress.advance(bar)):
            runs[name].results.append(result)
            progress.update(bar, completed=sum(len(r.results) for r in runs.values()) * request.steps)
    for one in runs.values():
        one.results.sort(key=lambda result: result.image)
    return list(runs.values())


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("timesteps"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip


def _results(
    prepared: Prepared, tasks: list[tuple[Policy, int]], tick: Callable[[], object]
) -> Iterator[tuple[str, ImageResult]]:
    """Results as they come; one task, or a waveform, stays in this process."""
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers == 1 or prepared.request.waves:
        for policy, image in tasks:
            yield policy.name, generate_image(prepared, policy, image, tick)
        return
    work = (delayed(_task)(prepared, policy, image) for policy, image in tasks)
    yield from Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)(work)


def _task(prepared: Prepared, policy: Policy, image: int) -> tuple[str, ImageResult]:
    """One task in a worker process, on one thread."""
    torch.set_num_threads(1)
    return policy.name, generate_image(prepared, policy, image)


def _engine(prepared: Prepared) -> Engine:
    return open_engine(prepared.request.engine, prepared.build, Setup(waves=prepared.request.waves))


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap to ``stage``."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


def generate_image(
    prepared: Prepared, policy: Policy, image: int, tick: Callable[[], object] = lambda: None
) -> ImageResult:
    """One image from the first timestep to the last, stopping at the first mismatch."""
    request, integer, dims = prepared.request, prepared.integer, prepared.dims
    labels = torch.tensor([image % prepared.dit.config.num_classes])
    noise = make_noise(prepared.dit.config, image + 1, request.seed)[image:]
    tables = policy.tables(integer)
    reference = Reference(integer, tables, dims.padded_tokens(prepared.build))
    reference.start(1, dims.contexts)
    hosts = [Host(prepared.dit, integer, labels, noise, request.cfg, reference.tokens) for _ in range(2)]
    board = Scoreboard(dims, prepared.build)
    watch, computed, problem = Stopwatch(), [], ""
    with _engine(prepared) as engine:
        driver = Driver(engine, integer, tables, dims)
        driver.start_image(hosts[0].tables, 0)
        driver.clear_counters()
        for index in range(request.steps):
            problem, decided = _timestep(reference, driver, board, hosts, image, index, watch)
            computed.append(decided)
            tick()
            if problem:
                break
        counters = engine.counters()
    if problem:
        problem = f"{policy.name}: {problem} Rerun with a waveform: {request.command(policy.name, image)}"
    picture = hosts[0].image[0]
    identical = not problem and bool(torch.equal(picture, hosts[1].image[0]))
    return ImageResult(
        image, picture.numpy(), identical, board.check, np.stack(computed), counters, watch.seconds, problem
    )


def _timestep(
    reference: Reference, driver: Driver, board: Scoreboard, hosts: list[Host], image: int, index: int, watch: Stopwatch
) -> tuple[str, np.ndarray]:
    """One timestep on both sides; returns what went wrong, and what was computed (sub_blocks, contexts)."""
    captures: list = []
    inputs = [host.enter() for host in hosts]
    watch.lap("host")
    expected, record = reference.step(inputs[1], index, hosts[1].tables, captures)
    watch.lap("reference")
    computed = ~record.reuse[:, 0].numpy()
    try:
        found = driver.step(inputs[0][0].numpy(), index)
    except EngineError as error:
        return f"image {image}, timestep {index}: {error}.", computed
    watch.lap("engine")
    check = board.compare(image, index, driver.engine.take_trace(), captures, record, expected[0].numpy())
    watch.lap("compare")
    hosts[0].leave(torch.from_numpy(found).unsqueeze(0), index)
    hosts[1].leave(expected, index)
    watch.lap("host")
    if check.first:
        return check.first.explain(), computed
    same = np.array_equal(found, expected[0].numpy())
    return "" if check.clean and same else f"image {image}, timestep {index}: x differs at the host.", computed
