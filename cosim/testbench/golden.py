"""What a run of the accelerator takes and what it must give: registers, memories, x and decisions, by the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS
from radit.accel.interfaces.top_ports import MemoryPort, memory_ports
from radit.cosim.driver import Driver
from radit.cosim.engines import Engine, Setup
from radit.cosim.engines.base import Trace
from radit.cosim.engines.setup import MemoryTiming
from radit.cosim.pack import to_words
from radit.cosim.prepare import Prepared
from radit.model.dit.sampler import make_noise
from radit.model.integer.generate import Host
from radit.model.integer.reference import Reference, StageCaptures
from radit.model.policy.skip_policy import Policy
from radit.model.threads import one_thread

NAMES = {number: name for name, number in ADDRESS.items()}


class RegisterWrite(NamedTuple):
    """A write of the host."""

    name: str
    value: int


@dataclass(frozen=True)
class ShownDecision:
    """What the tap ``trace_decide`` shows: index is sub_block * contexts + context, slope Q3.8."""

    index: int
    count: int
    reuse: int
    slope: int


@dataclass(frozen=True)
class GoldenMemory:
    """An external memory: its words (n, bytes of a word) uint8 before the run, and the ports that reach it."""

    words: np.ndarray
    ports: tuple[MemoryPort, ...]

    @property
    def name(self) -> str:
        """That of its first port, without its way."""
        return self.ports[0].name.removesuffix("_rd")

    @property
    def bits(self) -> int:
        return self.ports[0].bits


@dataclass(frozen=True)
class GoldenTimestep:
    """One timestep: register writes before START, words of x (n, R) int16 in and out, decisions in order."""

    writes: tuple[RegisterWrite, ...]
    x_in: np.ndarray
    x_out: np.ndarray
    decisions: tuple[ShownDecision, ...]


@dataclass(frozen=True)
class GoldenRun:
    """An image, or its first timesteps.

    Fields:
        writes: of registers before the first timestep.
        words: of x of one context.
        macs: of a dense timestep.
    """

    build: BuildConfig
    writes: tuple[RegisterWrite, ...]
    memories: tuple[GoldenMemory, ...]
    timesteps: tuple[GoldenTimestep, ...]
    words: int
    macs: int


class Notebook(Engine):
    """An engine that simulates nothing: it notes what the driver does, and answers with the x it was told to."""

    def __init__(self, config: BuildConfig) -> None:
        super().__init__(config, Setup())
        self.writes: list[RegisterWrite] = []
        self.bound: dict[str, np.ndarray] = {}
        self.x = self.answer = np.zeros(0, np.int16)

    def taken_writes(self) -> tuple[RegisterWrite, ...]:
        """The writes since the last call."""
        taken, self.writes = tuple(self.writes), []
        return taken

    def memories(self) -> tuple[GoldenMemory, ...]:
        """The arrays that the ports reach; ports with the same array share a memory."""
        shared: dict[int, list[MemoryPort]] = {}
        for port in memory_ports(self.config):
            if port.name in self.bound:
                shared.setdefault(id(self.bound[port.name]), []).append(port)
        return tuple(self._memory(ports) for ports in shared.values())

    def _memory(self, ports: list[MemoryPort]) -> GoldenMemory:
        words = self.bound[ports[0].name].reshape(-1).view(np.uint8).reshape(-1, ports[0].word_bytes)
        return GoldenMemory(words.copy(), tuple(ports))

    def _write(self, address: int, value: int) -> None:
        self.writes.append(RegisterWrite(NAMES[address], value))

    def _read(self, address: int) -> int:
        return 0

    def _bind(self, position: int, words: np.ndarray, count: int, timing: MemoryTiming) -> None:
        self.bound[list(self._memories)[position]] = words

    def _start(self, x_in: np.ndarray, x_out: np.ndarray) -> None:
        self.x = x_in
        x_out[:] = self.answer.reshape(x_out.shape)

    def _run_sub_block(self) -> int | None:
        return None

    def _traffic(self, position: int) -> tuple[int, int]:
        return 0, 0

    def _reset(self) -> None: ...

    def _forget(self) -> None: ...

    def _record(self, cycles: int) -> None: ...

    def close(self) -> None: ...

    def take_trace(self) -> Trace:
        raise NotImplementedError("nothing is simulated, so that there is no trace")

    def take_record(self) -> dict[str, list[int]]:
        raise NotImplementedError("nothing is simulated, so that there is no record")


@one_thread()
def golden_run(prepared: Prepared, policy: Policy) -> GoldenRun:
    """The request's first image under one policy, timestep by timestep, as host and reference compute it."""
    request, integer, dims, build = prepared.request, prepared.integer, prepared.dims, prepared.build
    tables = policy.tables(integer)
    reference = Reference(integer, tables, dims.padded_tokens(build))
    reference.start(1, dims.contexts)
    labels = torch.tensor([request.label(0, prepared.dit.config.num_classes)])
    noise = make_noise(prepared.dit.config, 1, request.seed)
    host = Host(prepared.dit, integer, labels, noise, request.cfg, reference.tokens, request.guided_channels)
    notes = Notebook(build)
    driver = Driver(notes, integer, tables, dims)
    driver.start_image(host.tables, 0)
    writes, timesteps = notes.taken_writes(), []
    for index in range(request.count):
        x = host.enter()
        x_out, decisions = _expected(reference.sub_blocks(x, index, host.tables), dims.contexts)
        words = to_words(x_out[0].numpy()[:, driver.order].astype(np.int16), build.rows)
        notes.answer = words
        driver.start(x[0].numpy(), index)
        timesteps.append(GoldenTimestep(notes.taken_writes(), notes.x, words, decisions))
        host.leave(x_out, index)
    macs = sum(prepared.dit.config.sub_block_macs()) * dims.contexts
    return GoldenRun(build, writes, notes.memories(), tuple(timesteps), dims.sub_block_words(build), macs)


def _expected(captures: StageCaptures, contexts: int) -> tuple[Tensor, tuple[ShownDecision, ...]]:
    """x as it leaves a timestep, and the timestep's decisions."""
    decisions: list[ShownDecision] = []
    while True:
        try:
            one = next(captures)
        except StopIteration as end:
            return end.value[0], tuple(decisions)
        for context in range(contexts if one.decided else 0):
            count, computed, slope = (int(part[0, context]) for part in (one.counts, one.computed, one.slopes))
            decisions.append(ShownDecision(one.sub_block * contexts + context, count, 1 - computed, slope))
