"""Whole timesteps as a host sees them: memory images, registers and the results that the reference expects."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from radit.accel.axi.bus_config import MEMORY_OF, PAGE_BYTES, X_IN, X_OUT
from radit.accel.axi.bus_registers import bus_addresses
from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS, START
from radit.cosim.driver import Driver
from radit.cosim.pack import groups_of, to_words
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import Policy
from tests.system.cosimulate import Task

GAP = 3 * PAGE_BYTES  # between memories
BEYOND = 3 << 32  # where the memories begin, if the bus reaches so far


@dataclass
class Host:
    """Takes the place of an engine: notes what the driver writes, hands out what the reference expects."""

    config: BuildConfig
    high: bool
    registers: list[tuple[int, int]] = field(default_factory=list)
    memories: dict[str, np.ndarray] = field(default_factory=dict)
    x_in: np.ndarray | None = None

    def write_register(self, name: str, value: int) -> None:
        self.registers.append((4 * ADDRESS[name], int(value)))

    def bind_memory(self, port: str, words: np.ndarray) -> None:
        self.memories[MEMORY_OF.get(port, port)] = words

    def start_timestep(self, words: np.ndarray) -> None:
        self.x_in = words


@dataclass(frozen=True)
class Step:
    """What a host writes before a timestep, and x."""

    registers: list[tuple[int, int]]
    x_in: bytes
    x_out: bytes
    computed: int


class Run:
    """A task under a policy: the memory, and every timestep of its first image."""

    def __init__(self, task: Task, policy: Policy, build: BuildConfig, high: bool = True) -> None:
        torch.set_num_threads(1)
        host, tables = Host(build, high), policy.tables(task.integer)
        driver = Driver(host, task.integer, tables, task.dims)
        padded = task.dims.padded_tokens(build)
        reference = Reference(task.integer, tables, padded, groups_of(task.dims, build))
        reference.start(1, task.dims.contexts)
        driver.start_image(task.conditioning, 0)
        alone, self.steps = task.image(0).conditioning, []
        for index, tokens in enumerate(task.inputs[0]):
            x = np.zeros((task.dims.contexts, padded, task.dims.hidden), np.int64)
            x[:, : task.dims.tokens] = tokens
            after, record = reference.step(torch.from_numpy(x)[None], index, alone)
            driver.start(x, index)
            x_out = to_words(after[0].numpy()[:, driver.order].astype(np.int16), build.rows)
            self.steps.append(Step(host.registers, host.x_in.tobytes(), x_out.tobytes(), int(record.computed.sum())))
            host.registers = []
        self._place(host, build)

    def _place(self, host: Host, build: BuildConfig) -> None:
        """One memory after the other, none at the same place in its 4 KiB as another."""
        sizes = {name: words.nbytes for name, words in host.memories.items()}
        sizes |= {X_IN: len(self.steps[0].x_in), X_OUT: len(self.steps[0].x_out)}
        self.origin = BEYOND if host.high else 0
        self.places, place = {}, GAP
        for name, size in sizes.items():
            self.places[name] = place
            place += -(-size // PAGE_BYTES) * PAGE_BYTES + GAP
        self.memory = bytearray(place)
        for name, words in host.memories.items():
            self.memory[self.places[name] : self.places[name] + words.nbytes] = words.tobytes()
        where = bus_addresses(build)
        self.bases = []
        for name, place in self.places.items():
            base = self.origin + place
            self.bases += [(where[f"{name}_base_low"], base & 0xFFFFFFFF), (where[f"{name}_base_high"], base >> 32)]

    def described(self) -> dict:
        """As JSON, for the bench."""
        return {
            "memory": bytes(self.memory).hex(),
            "origin": self.origin,
            "bases": self.bases,
            "x_in": self.places[X_IN],
            "x_out": self.places[X_OUT],
            "steps": [
                {"registers": step.registers, "x_in": step.x_in.hex(), "x_out": step.x_out.hex()} for step in self.steps
            ],
            "start": [4 * ADDRESS["control"], START],
        }


def described(runs: list[Run], build: BuildConfig, folder: Path) -> str:
    """A file for the bench."""
    import json

    path = folder / "runs.json"
    path.write_text(json.dumps({"runs": [run.described() for run in runs], "addresses": bus_addresses(build)}))
    return str(path)
