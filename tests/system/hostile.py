"""Hostile hosts and buses: registers that hold anything, writes and starts while busy, aborts and resets at any time,
memories and streams that never answer. Whatever happens ends, and the next timestep is right."""

from dataclasses import dataclass

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.control.registers import (
    ABORT,
    ADDRESS,
    CLEAR_COUNTERS,
    CODE,
    CODE_BITS,
    CODE_LOW,
    NEW_IMAGE,
    REGISTERS,
    START,
    STATES,
    stored_registers,
)
from radit.cosim.driver import Driver
from radit.cosim.engines.base import Engine, EngineError
from radit.cosim.engines.setup import MemoryTiming
from radit.model.policy.skip_policy import Policy
from tests.axi.timesteps import Run
from tests.system.cosimulate import Task

BUSY, DONE, ERROR, CHECKING = (1 << field.low for field in STATES[:4])
WATCHDOG = 400  # cycles; memories answer sooner
MOST_CYCLES = 20_000  # of whatever may happen; the longest timestep of the build takes a few thousand
NAME_OF = {code: name for name, code in CODE.items()} | {0: "none"}


def code_of(status: int) -> str:
    return NAME_OF[status >> CODE_LOW & (1 << CODE_BITS) - 1]


@dataclass(frozen=True)
class Ending:
    """How a sequence ended: what the status said, and in how many cycles."""

    status: int
    cycles: int
    was_reset: bool

    @property
    def kind(self) -> str:
        """Its name in counts of endings."""
        if self.was_reset:
            return "reset"
        return code_of(self.status) if self.status & ERROR else "done" if self.status & DONE else "nothing"


class HostileHost:
    """A host that means no good, and between its attacks a right one, which knows what x must be."""

    def __init__(self, engine: Engine, task: Task, policy: Policy) -> None:
        self.engine, self.build = engine, engine.config
        self.steps = Run(task, policy, engine.config).steps
        self.memories: dict[str, np.ndarray] = {}
        self.streams = (np.zeros(0, np.int16),) * 2
        bind = engine.bind_memory

        def note(port: str, words: np.ndarray) -> None:
            self.memories[port] = words
            bind(port, words)

        engine.bind_memory = note
        Driver(engine, task.integer, policy.tables(task.integer), task.dims).start_image(task.conditioning, 0)
        engine.bind_memory = bind
        self.legal = {address // 4: value for address, value in self.steps[0].registers}

    def be_right(self) -> str:
        """Timesteps of an image as they should be; what is wrong with them."""
        for port, words in self.memories.items():
            self.engine.bind_memory(port, words)
        self.engine._forget()
        self.engine.write_register("status", DONE | ERROR)
        self.engine.write_register("watchdog", WATCHDOG)
        for number, step in enumerate(self.steps):
            for address, value in step.registers:
                self.engine._write(address // 4, value)
            try:
                found = self.engine.run_timestep(np.frombuffer(step.x_in, np.int16))
            except EngineError as error:
                return f"timestep {number} after it: {error} (status {self.engine.read_register('status'):#x})"
            if found.tobytes() != step.x_out:
                return f"x of timestep {number} after it differs"
        status = self.engine.read_register("status")
        return "" if status == DONE else f"status after it is {status:#x}"

    def attack(self, rng: np.random.Generator) -> Ending:
        """One sequence, to its end."""
        self.engine.write_register("status", DONE | ERROR)
        self._choose_memories(rng)
        self._write_registers(rng)
        step = self.steps[0]
        words = np.frombuffer(step.x_in, np.int16)
        words = words[: len(words) // rng.choice([1, 1, 1, 2, len(words)])].copy()
        self.streams = words, np.zeros_like(words)  # the simulator works on them
        self.engine._start(*self.streams)
        return self._watch(rng)

    def _choose_memories(self, rng: np.random.Generator) -> None:
        """Some never answer, some are slow, all may be refused what lies beyond them."""
        dead = rng.choice([*self.memories, *[""] * 20])
        for name, (number, port) in self.engine._memories.items():
            words = self.memories[name]
            count = 0 if name == dead else words.nbytes // port.word_bytes
            stall = float(rng.choice([0.0, 0.0, 0.5]))
            timing = MemoryTiming(int(rng.integers(0, 20)), stall, int(rng.integers(1, 1000)))
            self.engine._bind(number, words, count, timing)

    def _write_registers(self, rng: np.random.Generator) -> None:
        """Those of a model, and among them some that hold anything."""
        values = dict(self.legal)
        names = stored_registers(self.build)
        for name in rng.choice(names, int(rng.choice([0, 0, 1, 1, 2, 5]))):
            most, old = (1 << REGISTERS[name].bits) - 1, values.get(ADDRESS[name], 0)
            anything = [0, 1, most, old + 1, old - 1, 2 * old, int(rng.integers(0, most, endpoint=True))]
            values[ADDRESS[name]] = int(rng.choice(anything)) & most
        for address, value in values.items():
            if address != ADDRESS["control"]:
                self.engine._write(address, value)
        self.engine.write_register("watchdog", WATCHDOG)
        self.engine.write_register("control", int(rng.choice([NEW_IMAGE, CLEAR_COUNTERS, NEW_IMAGE | CLEAR_COUNTERS])))

    def _watch(self, rng: np.random.Generator) -> Ending:
        """Until nothing is busy any more, with more of the same while it is."""
        dice = rng.random(MOST_CYCLES)
        often = float(rng.choice([0.0, 0.001, 0.02]))
        for cycle in range(MOST_CYCLES):
            status = self.engine.read_register("status")
            if not status & (BUSY | CHECKING):
                return Ending(status, cycle, was_reset=False)
            if dice[cycle] < often and self._disturb(rng):
                return Ending(0, cycle, was_reset=True)
        return Ending(status, MOST_CYCLES, was_reset=False)

    def _disturb(self, rng: np.random.Generator) -> bool:
        """Do something while the accelerator is busy; whether that was a reset."""
        deed = rng.choice(["start", "image", "register", "register", "register", "abort", "reset"])
        if deed == "reset":
            self.engine.reset()
        elif deed == "register":
            name = rng.choice([name for name in stored_registers(self.build) if name != "watchdog"])
            self.engine.write_register(str(name), int(rng.integers(0, 1 << 32)))
        else:
            command = {"start": START, "image": NEW_IMAGE, "abort": ABORT | START}[str(deed)]
            self.engine.write_register("control", command)
        return bool(deed == "reset")


def nothing_moved(engine: Engine) -> bool:
    """No memory port has moved a word since START."""
    return not any(traffic.bytes for traffic in engine.traffic().values())


def narrow_build() -> BuildConfig:
    """A build that holds little, so that much is too much."""
    return BuildConfig(4, 4, max_hidden=8, max_mlp=8, max_tokens=8, max_sub_blocks=2)
