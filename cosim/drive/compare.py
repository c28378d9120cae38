"""Whole images through the accelerator behind AXI, every x and the image compared with the reference.

The reference is the integer model with the host's arithmetic of `accel/host/arithmetic.py`, whose bits the C program
must meet. Beside it stands the difference to the images of `radit cosim`, whose host adds in torch's order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from radit.accel.axi.bus_config import PAGE_BYTES, BusConfig
from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.control.registers import ADDRESS, CLEAR_COUNTERS, COUNTER_ADDRESS, REGISTER_DATA_BITS
from radit.accel.host.arithmetic import HostArithmetic, generate_image
from radit.accel.host.device import AcceleratorDevice
from radit.accel.host.packed import PackedModel
from radit.cosim.drive.c_driver import CDevice, driver_library
from radit.cosim.drive.model_file import host_of, pack_model
from radit.cosim.drive.simulated import BusTiming, SimulatedBackend, axi_library
from radit.cosim.pack import from_words, to_words, token_order, with_prompts
from radit.cosim.prepare import Prepared
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import Policy

DriverName = Literal["c", "python"]
DRIVERS: tuple[DriverName, ...] = get_args(DriverName)
PAUSE = 1000  # cycles between two looks of a driver, which an interrupt ends sooner
MOST_STEP_CYCLES = 1_000_000_000  # a timestep that takes longer counts as never ending


@dataclass(frozen=True)
class Expected:
    """One image of the reference.

    Fields:
        x_in, x_out: of every timestep, int16 in the order of words.
        image: float32, flat.
        usual: the same with the host's arithmetic of `radit cosim`.
        decisions: what was computed.
        texts: text tokens of every context; empty without text.
    """

    x_in: list[np.ndarray]
    x_out: list[np.ndarray]
    image: np.ndarray
    usual: np.ndarray
    decisions: DecisionRecord
    texts: tuple[int, ...]


@dataclass
class DrivenImage:
    """One image through the simulated bus.

    Fields:
        words: of x that were compared, in and out (16-bit values).
        wrong_words: that differ; wrong_values: of the image, that differ in any bit.
        difference: largest one to the image of `radit cosim`, of a range of 2.
        cycles: of the clock, from the image's first register on; busy: of them, in timesteps.
        counts: of the bus, see `COUNTS`.
        problem: a rule of the bus that was broken, or empty.
        decisions, texts: see `Expected`.
    """

    policy: str
    image: int
    steps: int
    decisions: DecisionRecord
    texts: tuple[int, ...]
    words: int = 0
    wrong_words: int = 0
    wrong_values: int = 0
    values: int = 0
    difference: float = 0.0
    cycles: int = 0
    busy: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    problem: str = ""
    first_wrong: int | None = None

    @property
    def is_equal(self) -> bool:
        """Every compared bit is the reference's, and the bus's rules were kept."""
        return not (self.wrong_words or self.wrong_values or self.problem) and self.words > 0


def expected_image(prepared: Prepared, policy: Policy, model: PackedModel, image: int) -> Expected:
    """Generate an image of the reference, with the host's arithmetic of the packed model and with that of the
    co-simulation."""
    dims, build = prepared.dims, prepared.build
    order, tables = token_order(dims, build), policy.tables(prepared.integer)
    ordered, usual = HostArithmetic(model, image), host_of(prepared, image)
    reference = Reference(prepared.integer, tables, dims.padded_tokens(build))
    reference.start(1, dims.contexts)
    x_in, x_out, computed = [], [], []
    for step in range(prepared.request.count):
        words = ordered.enter()
        placed = from_words(words.reshape(-1, build.rows), dims.contexts, dims.hidden)
        x = np.empty_like(placed)
        x[:, order] = placed
        after, record = reference.step(torch.from_numpy(x.astype(np.int64))[None], step, usual.tables)
        found = to_words(after[0].cpu().numpy()[:, order].astype(np.int16), build.rows).reshape(-1)
        ordered.leave(found, step)
        x_in.append(words)
        x_out.append(found)
        computed.append(record.computed)
    other = Reference(prepared.integer, tables, dims.padded_tokens(build))
    other.start(1, dims.contexts)
    for step in range(prepared.request.count):
        after, _ = other.step(usual.enter(), step, usual.tables)
        usual.leave(after, step)
    texts = with_prompts(dims, usual.tables, 0).texts
    images = ordered.image.reshape(-1), usual.image[0].numpy().reshape(-1)
    return Expected(x_in, x_out, *images, DecisionRecord.of_timesteps(computed), texts)


def drive(
    prepared: Prepared,
    policy: Policy,
    bus: BusConfig,
    timing: BusTiming,
    driver: DriverName = "c",
    build: Path = Path("build"),
) -> list[DrivenImage]:
    """Generate the images of a request through the simulated bus under one policy, and compare.

    Raises:
        UserError: the sampler adds noise; a tool is missing; or the driver says that something went wrong.
    """
    model = pack_model(prepared, policy)
    library = axi_library(prepared.build, bus, build)
    results = []
    with SimulatedBackend(library, model.memory_bytes + PAGE_BYTES, timing) as backend:
        backend.set_pause(PAUSE)
        device = AcceleratorDevice(backend) if driver == "python" else CDevice(backend, driver_library(build))
        device.load(model.to_bytes())
        for image in range(prepared.request.images):
            results.append(_drive_image(prepared, policy, model, device, backend, image))
    return results


def _drive_image(
    prepared: Prepared,
    policy: Policy,
    model: PackedModel,
    device: AcceleratorDevice | CDevice,
    backend: SimulatedBackend,
    image: int,
) -> DrivenImage:
    expected = expected_image(prepared, policy, model, image)
    found = DrivenImage(policy.name, image, prepared.request.count, expected.decisions, expected.texts)
    before, started = backend.counts, time.perf_counter()
    backend.set_pause(PAUSE, before["cycles"] + MOST_STEP_CYCLES)
    backend.write32(STROBE_BITS * ADDRESS["control"], CLEAR_COUNTERS)

    def after(step: int, x_in: np.ndarray, x_out: np.ndarray) -> None:
        for mine, wanted in ((x_in, expected.x_in[step]), (x_out, expected.x_out[step])):
            wrong = int((mine != wanted).sum())
            found.words += mine.size
            found.wrong_words += wrong
            if wrong and found.first_wrong is None:
                found.first_wrong = step
        found.busy = _busy_cycles(backend)
        backend.set_pause(PAUSE, backend.counts["cycles"] + MOST_STEP_CYCLES)

    picture = (
        device.generate(image, after) if isinstance(device, CDevice) else generate_image(device, image, after)
    ).reshape(-1)
    found.seconds = time.perf_counter() - started
    found.counts = {name: count - before[name] for name, count in backend.counts.items()}
    found.cycles, found.problem, found.values = found.counts["cycles"], backend.broken, picture.size
    found.wrong_values = int((picture.view(np.uint32) != expected.image.view(np.uint32)).sum())
    found.difference = float(np.abs(picture - expected.usual).max())
    return found


def _busy_cycles(backend: SimulatedBackend) -> int:
    """Of all timesteps since the counters were cleared."""
    address = STROBE_BITS * COUNTER_ADDRESS["cycles"]
    low, high = backend.read32(address), backend.read32(address + STROBE_BITS)
    return high << REGISTER_DATA_BITS | low
