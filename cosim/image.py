"""One image under one policy through the hardware, checked sub-block by sub-block against the reference.

Host and accelerator alternate per timestep: the host embeds the image, the engine and the reference both run the
timestep on the same x, the scoreboard compares each sub-block when the engine has run it, and the host goes on with the
*engine's* result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from radit.accel.dims import MLP
from radit.cosim.driver import Driver
from radit.cosim.engines import Engine, EngineError, Failure, open_engine
from radit.cosim.pack import with_prompts
from radit.cosim.prepare import Prepared
from radit.cosim.run_state import SavedRun, Standing
from radit.cosim.scoreboard import Comparison, Scoreboard, Words
from radit.cosim.support.ahead import one_ahead
from radit.cosim.support.stopwatch import Stopwatch
from radit.model.dit.sampler import make_noise
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.generate import Host
from radit.model.integer.reference import Reference, StageCapture, StepRecord
from radit.model.policy.skip_policy import Policy, dense

Tick = Callable[[int, int], object]  # MACs of a sub-block that were simulated, and that were skipped
Expected = Generator[tuple[StageCapture, dict[str, Words]], None, tuple[Tensor, StepRecord]]


@dataclass
class ImageResult:
    """One image under one policy.

    Fields:
        picture: (C, H, W) float32, what the hardware and the host made.
        identical: the reference's host made the same, bit for bit.
        decisions: of this image; timesteps after a mismatch are missing.
        counters: every event counter, summed over the image.
        macs: of the model, simulated.
        seconds: by stage (engine, reference, compare, host); the reference may run beside the engine.
        timestep_seconds: the engine's, by timestep.
        problem: one sentence, empty when all is well.
        saturated: values that the reference's 16-bit formats clamped, by place, and the host's conversions ("host").
        texts: text tokens of every context; empty without text.
    """

    image: int
    picture: np.ndarray
    identical: bool
    check: Comparison
    decisions: DecisionRecord
    counters: dict[str, int]
    macs: int
    seconds: dict[str, float]
    timestep_seconds: list[float]
    problem: str = ""
    saturated: dict[str, int] = field(default_factory=dict)
    texts: tuple[int, ...] = ()


def generate_image(
    prepared: Prepared,
    policy: Policy,
    image: int,
    tick: Tick = lambda simulated, skipped: None,
    ahead: bool = False,
    saved: SavedRun | None = None,
) -> ImageResult:
    """One image from the first timestep to the last, stopping at the first mismatch.

    Args:
        tick: called after every sub-block.
        ahead: compute the reference one sub-block ahead, in a thread.
        saved: where to keep the state of the run, and what to go on from.
    """
    with open_for(prepared) as engine:
        return _ImageRun(prepared, policy, image, engine, tick, ahead, saved).run()


def open_for(prepared: Prepared) -> Engine:
    """The engine that a request asks for; compiled by a profile of the first timestep, where the run is long."""
    request = prepared.request
    practise = partial(_practise, prepared) if prepared.is_long else None
    return open_engine(request.engine, prepared.build, request.setup(), practise=practise)


def _practise(prepared: Prepared, engine: Engine) -> None:
    """The first timestep of the first image, dense, as far as the engine goes."""
    host = _host(prepared, 0, prepared.dims.padded_tokens(prepared.build))
    driver = Driver(engine, prepared.integer, dense().tables(prepared.integer), prepared.dims)
    driver.start_image(host.tables, 0)
    driver.start(host.enter()[0].numpy(), 0)
    try:
        driver.finish()
    except EngineError as error:
        if error.code is not Failure.TIMEOUT:
            raise


def _host(prepared: Prepared, image: int, tokens: int) -> Host:
    """The host's part of an image, of so many tokens with padding."""
    request, config = prepared.request, prepared.dit.config
    labels = torch.tensor([request.label(image, config.num_classes)])
    noise = make_noise(config, image + 1, request.seed)[image:]
    return Host(prepared.dit, prepared.integer, labels, noise, request.cfg, tokens, request.guided_channels)


class _ImageRun:
    """Both sides of one image while it is generated."""

    def __init__(
        self,
        prepared: Prepared,
        policy: Policy,
        image: int,
        engine: Engine,
        tick: Tick,
        ahead: bool,
        saved: SavedRun | None,
    ) -> None:
        integer, dims = prepared.integer, prepared.dims
        self.prepared, self.policy, self.image, self.engine = prepared, policy, image, engine
        self.tick, self.ahead, self.saved = tick, ahead, saved
        tables = policy.tables(integer)
        self.reference = Reference(integer, tables, dims.padded_tokens(prepared.build))
        self.reference.start(1, dims.contexts)
        self.host, self.twin = (_host(prepared, image, self.reference.tokens) for _ in range(2))
        self.dims = with_prompts(dims, self.host.tables, 0)
        self.board = Scoreboard(self.dims, prepared.build)
        self.driver = Driver(engine, integer, tables, dims)
        self.watch, self.side_watch = Stopwatch(), Stopwatch()
        self.computed: list[np.ndarray] = []  # of every timestep, bool [image, sub_block, context]
        self.timestep_seconds: list[float] = []
        self.macs = 0
        self.saturated: Counter[str] = Counter()

    def run(self) -> ImageResult:
        """The image, from the start or from where an interrupted run stood."""
        self.driver.start_image(self.host.tables, 0)
        self.driver.clear_counters()
        stood = self._resume()
        problem = ""
        for index in range(self.prepared.request.count):
            if index < stood.timestep:
                self._replay(index)
            else:
                problem = self._timestep(index, stood.sub_blocks if index == stood.timestep else 0)
            if problem:
                again = self.prepared.request.command(self.policy.text, self.image)
                problem = f"{self.policy.name}: {problem} Rerun with a waveform: {again}"
                break
        self.watch.add(self.side_watch.seconds)
        picture = self.host.image[0]
        return ImageResult(
            image=self.image,
            picture=picture.numpy(),
            identical=not problem and bool(torch.equal(picture, self.twin.image[0])),
            check=self.board.check,
            decisions=DecisionRecord.of_timesteps(self.computed),
            counters=self.engine.counters(),
            macs=self.macs,
            seconds=self.watch.seconds,
            timestep_seconds=self.timestep_seconds,
            problem=problem,
            saturated=dict(self.saturated) | {"host": self.twin.saturated},
            texts=self.dims.texts,
        )

    def _resume(self) -> Standing:
        """Bring back the simulation, where there is one to go on from; what came before is not simulated again."""
        stood = self.saved.restore(self.engine, self.driver) if self.saved else None
        if stood is None:
            return Standing()
        self.board.check = stood.check
        self.watch.add(stood.seconds)
        self.timestep_seconds = list(stood.timestep_seconds)
        return stood

    def _replay(self, index: int) -> None:
        """A timestep on the reference alone: the engine has run it, with the same result."""
        with self.watch("replay"):
            x, record = self.reference.step(self.twin.enter(), index, self.twin.tables)
            self.host.leave(x, index)
            self.twin.leave(x, index)
        self._keep(record)
        for sub_block, computed in enumerate(record.computed[0]):
            self._count(sub_block, computed.tolist(), is_simulated=False)

    def _timestep(self, index: int, done: int) -> str:
        """One timestep on both sides, of which the engine has run ``done`` sub-blocks; returns what went wrong."""
        with self.watch("host"):
            x, twin = self.host.enter(), self.twin.enter()
        if not done:
            self.timestep_seconds.append(0.0)
            self.driver.start(x[0].numpy(), index)
        expected, problem = self._expected(twin, index), ""
        expected = one_ahead(expected) if self.ahead else expected
        while True:
            try:
                capture, words = next(expected)
            except StopIteration as end:
                x_out, record = end.value
                break
            if capture.sub_block >= done and not problem:
                problem = self._sub_block(index, capture, words)
            if not problem:
                self._count(capture.sub_block, capture.computed[0].tolist(), capture.sub_block >= done)
        self._keep(record)
        if not problem:
            for sub_block in range(capture.sub_block + 1, self.prepared.dims.sub_blocks):  # reused as a whole
                self._count(sub_block, [False] * self.dims.contexts, is_simulated=True)
        return problem or self._finish(index, x_out)

    def _keep(self, record: StepRecord) -> None:
        """Keep what the reference says of a timestep."""
        self.computed.append(record.computed)
        self.saturated.update(record.saturated)

    def _expected(self, x: Tensor, index: int) -> Expected:
        """Every sub-block of the reference, and the words that the engine is to show; runs in a thread."""
        captures, watch = self.reference.sub_blocks(x, index, self.twin.tables), self.side_watch
        while True:
            try:
                with watch("reference"):
                    capture = next(captures)
                    words = self.board.expected_words(capture)
            except StopIteration as end:
                return end.value
            yield capture, words

    def _sub_block(self, index: int, capture: StageCapture, words: dict[str, Words]) -> str:
        """One sub-block on the engine; returns what is wrong with it."""
        place = f"image {self.image}, timestep {index}, sub-block {capture.sub_block}"
        try:
            with self._engine_time():
                ended = self.engine.run_sub_block()
        except EngineError as error:
            return f"{place}: {error}."
        with self.watch("compare"):
            check = self.board.compare(self.image, index, capture, words, self.engine.take_trace())
        if check.first:
            return check.first.explain()
        if ended != capture.sub_block:
            return f"{place}: the accelerator says it is {'over' if ended is None else f'at sub-block {ended}'}."
        here = self.prepared.dims.places[capture.sub_block]
        if self.saved and here.kind == MLP:
            with self.watch("save"):
                standing = self._standing(index, capture.sub_block + 1, here.block + 1)
                self.saved.save_if_due(self.engine, self.driver, standing)
        return ""

    def _finish(self, index: int, expected: Tensor) -> str:
        """The rest of a timestep on the engine; returns what is wrong with its result."""
        place = f"image {self.image}, timestep {index}"
        try:
            with self._engine_time():
                found = self.driver.finish()
        except EngineError as error:
            return f"{place}: {error}."
        x_out = expected[0].numpy()
        with self.watch("compare"):
            check = self.board.compare_output(self.image, index, x_out, self.engine.take_trace())
        with self.watch("host"):
            self.host.leave(torch.from_numpy(found).unsqueeze(0), index)
            self.twin.leave(expected, index)
        if check.first:
            return check.first.explain()
        return "" if np.array_equal(found, x_out) else f"{place}: x differs at the host."

    def _standing(self, timestep: int, sub_blocks: int, blocks: int) -> Standing:
        """Where the run stands."""
        seconds = {name: spent for name, spent in self.watch.seconds.items() if name != "replay"}
        return Standing(timestep, sub_blocks, blocks, self.board.check, seconds, self.timestep_seconds)

    def _count(self, sub_block: int, computed: Sequence[bool], is_simulated: bool) -> None:
        """Book a sub-block that the contexts in ``computed`` did, now or before an interruption."""
        place = self.dims.places[sub_block]
        every = [self.dims.macs(place, context) for context in range(self.dims.contexts)]
        macs = sum(one for one, is_computed in zip(every, computed, strict=True) if is_computed)
        self.macs += macs
        new = macs if is_simulated else 0
        self.tick(new, sum(every) - new)

    @contextmanager
    def _engine_time(self) -> Iterator[None]:
        """Book the time inside to the engine and to the timestep."""
        before = self.watch.seconds.get("engine", 0.0)
        try:
            with self.watch("engine"):
                yield
        finally:
            self.timestep_seconds[-1] += self.watch.seconds["engine"] - before
