"""The piece of work that all engines are measured on: one timestep of a model's first block, dense, with guidance.

Dimensions are the model's own, weights are seeded: a simulator's speed does not depend on them.
"""

import time
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from radit.accel.config import BuildConfig
from radit.accel.control.check_registers import most_check_cycles
from radit.accel.control.registers import REGISTERS
from radit.accel.dims import Dims, check_fit
from radit.accel.interfaces.top_ports import RESET_CYCLES
from radit.cosim.driver import Driver
from radit.cosim.engines import Engine, EngineError, Failure, Setup, open_engine
from radit.cosim.speed.vectors import Vectors
from radit.cosim.speed.watch import ReplayError
from radit.cosim.support.sizes import dims_of, fitted
from radit.model.dit.checkpoint import load_config
from radit.model.dit.memory_needs import SMALLER, joined, of_calibration, of_integers
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.policy.skip_policy import dense

CFG = 1.5  # any guidance, for two contexts
WINDOW = 4096  # cycles to replay from the array's first result on
MARGIN = 1000  # cycles: fetches and pipelines before that result, beside pass and first tile


@dataclass(frozen=True)
class Speed:
    """How long a reference takes for the work: seconds per run, and the threads it runs on."""

    seconds: float
    runs: int
    threads: int


@dataclass(frozen=True)
class Work:
    """One block of one model on one build."""

    model: str
    build: BuildConfig
    dims: Dims
    dit: DiT
    integer: IntegerDiT
    host: Host

    @cached_property
    def x(self) -> Tensor:
        """What the accelerator takes, (1, contexts, padded tokens, D)."""
        return self.host.enter()

    @cached_property
    def expected(self) -> np.ndarray:
        """What it must return, (contexts, padded tokens, D): the integer reference's."""
        return self._reference().step(self.x, 0, self.host.tables)[0][0].numpy()

    def _reference(self) -> Reference:
        reference = Reference(self.integer, dense().tables(self.integer), self.host.padded)
        reference.start(1, self.dims.contexts)
        return reference

    def load(self, engine: Engine) -> Driver:
        """Put weights and conditioning into an engine."""
        driver = Driver(engine, self.integer, dense().tables(self.integer), self.dims)
        driver.start_image(self.host.tables, 0)
        return driver

    def step(self, driver: Driver) -> np.ndarray:
        """Run the work; what the accelerator returned."""
        driver.start(self.x[0].numpy(), 0)
        return driver.finish()

    def integer_speed(self, seconds: float) -> Speed:
        """The integer reference, run again and again for so many seconds."""
        reference = self._reference()
        return _speed(lambda: reference.step(self.x, 0, self.host.tables), seconds)

    @torch.no_grad()
    def float_speed(self, seconds: float) -> Speed:
        """The float model's block on the same x."""
        block = self.dit.blocks[0]
        c = self.host.tables.c[0, :, 0]
        modulation = block.modulation(c)
        tokens = self.x[0, :, : self.dims.tokens].float() * 2.0**-self.integer.x_frac
        return _speed(lambda: block(tokens, modulation), seconds)


def _speed(run, seconds: float) -> Speed:
    run()  # tables and caches
    started, runs = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds or not runs:
        run()
        runs += 1
    return Speed(spent / runs, runs, torch.get_num_threads())


def build_for_all(models: list[str], rows: int, cols: int, products: int = 1) -> BuildConfig:
    """The smallest build that holds every one of these models whole.

    Raises:
        UserError: an unknown model, an array that cannot be built.
    """
    builds = [fitted(load_config(model), 2, rows, cols, products)[1] for model in models]
    return BuildConfig(**{f.name: max(getattr(build, f.name) for build in builds) for f in fields(BuildConfig)})


def make_work(model: str, build: BuildConfig, seed: int) -> Work:
    """The first block of a named model, or of a checkpoint's shape.

    Raises:
        UserError: an unknown model, or one that does not fit the build.
    """
    config = load_config(model).model_copy(update={"depth": 1})
    dims = dims_of(config, contexts=2)
    check_fit(dims, build)
    check_memory(f"Model {one_line(model)}", joined(of_integers(config, 1), of_calibration(config, 1, 2)), SMALLER)
    dit = seeded_dit(config, seed)
    integer = quantize(dit, calibrate(dit, Sampler(1), images=1), Sampler(1))
    noise = make_noise(config, 1, seed)
    host = Host(dit, integer, torch.zeros(1, dtype=torch.int64), noise, CFG, dims.padded_tokens(build))
    return Work(model, build, dims, dit, integer, host)


def record(work: Work, engine: str, window: int = WINDOW) -> tuple[Vectors, int | None]:
    """The ports while an engine does the work, until the array has been busy for ``window`` cycles.

    Also the cycles of the whole work, from START to the end; None where MyHDL records, which stops after the window.

    Raises:
        ReplayError: the array did not deliver anything.
    """
    words = work.dims.contexts * work.dims.sub_block_words(work.build)
    most = words + 4 * work.dims.hidden + MARGIN + window
    setup = Setup(trace=False, max_cycles=most) if engine == "myhdl" else Setup(trace=False)
    with open_engine(engine, work.build, setup) as simulator:
        simulator.record(RESET_CYCLES + 2 * len(REGISTERS) + most_check_cycles(work.build) + most)
        cycles = None
        try:
            work.step(work.load(simulator))
            cycles = simulator.cycles
        except EngineError as error:
            if error.code is not Failure.TIMEOUT:
                raise
        columns = simulator.take_record()
    results = columns["trace_drain_valid"]
    if 1 not in results:
        raise ReplayError(f"the array delivered nothing within {len(results)} cycles")
    start = results.index(1)
    return Vectors(work.build, {name: column[: start + window] for name, column in columns.items()}, start), cycles
