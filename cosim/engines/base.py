"""What an engine is: one accelerator in some simulator, with its memories, driven one timestep at a time.

Engines differ in speed only: equal timing gives equal words, equal traces and equal cycle counts. An engine names
registers as ``radit.accel.control.registers`` does, and memories as
``radit.accel.interfaces.top_ports.memory_ports`` does.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.control.registers import (
    ABORT,
    ADDRESS,
    BUSY_BIT,
    CHECKING_BIT,
    COUNTER_ADDRESS,
    ERROR_BIT,
    ERRORS,
    REGISTERS,
    STATES,
    missing_counters,
)
from radit.accel.interfaces.top_ports import MemoryPort, memory_ports, tap_fields
from radit.cosim.engines.setup import MemoryTiming, Setup
from radit.model.errors import UserError


class Failure(IntEnum):
    """What may go wrong in a simulation; the numbers are the C++ harness's."""

    NONE = 0
    TIMEOUT = 1
    OUT_OF_RANGE = 2
    EMPTY_COMMAND = 3
    UNSTABLE = 4
    NOT_BUSY = 5
    SURPLUS = 6
    LEFT_OVER = 7


class EngineError(RuntimeError):
    """The simulated accelerator misbehaved. ``code`` says how, ``cycle`` when (counted from the last reset)."""

    def __init__(self, code: Failure, cycle: int, message: str) -> None:
        super().__init__(f"{message} (cycle {cycle} after the reset)")
        self.code = code
        self.cycle = cycle


@dataclass(frozen=True)
class Trace:
    """What the trace taps showed, one row per event, in order of time. R lanes per word."""

    drain_kind: np.ndarray  # uint8
    drain_data: np.ndarray  # int16 [n, R]
    prob_data: np.ndarray  # uint8 [n, R]
    x_data: np.ndarray  # int16 [n, R]
    act_data: np.ndarray  # int8 [n, R]
    decide_index: np.ndarray  # uint16
    decide_count: np.ndarray  # uint32
    decide_reuse: np.ndarray  # uint8
    decide_slope: np.ndarray  # uint16
    advance_sub_block: np.ndarray  # uint16


@dataclass(frozen=True)
class TraceField:
    """A field of ``Trace`` and how its events lie in memory."""

    name: str
    tap: str
    lanes: int
    dtype: np.dtype

    @property
    def event_bytes(self) -> int:
        return self.lanes * self.dtype.itemsize

    def view(self, data) -> np.ndarray:
        """The events in a buffer of whole events, without a copy."""
        events = np.frombuffer(data, self.dtype)
        return events.reshape(-1, self.lanes) if self.lanes > 1 else events


def trace_fields(config: BuildConfig) -> tuple[TraceField, ...]:
    """All fields of the trace in the order in which engines number them."""
    found = []
    for tap, fields in tap_fields(config).items():
        for f in fields:
            size = 1 if f.lane_bits <= 8 else 2 if f.lane_bits <= 16 else 4
            found.append(TraceField(f"{tap}_{f.name}", tap, f.lanes, np.dtype(f"{'i' if f.is_signed else 'u'}{size}")))
    return tuple(found)


@dataclass(frozen=True)
class Traffic:
    """What a memory port moved in a timestep."""

    bytes: int
    starved: int  # cycles in which a word waited for bandwidth


class Engine(ABC):
    """One simulated accelerator. Use as a context manager, or call ``close``."""

    def __init__(self, config: BuildConfig, setup: Setup) -> None:
        self.config = config
        self.setup = setup
        self.cycles = 0  # of the timestep, from START until now or until busy fell
        self._is_running = False
        self._is_abandoned = False  # closed because of an exception
        self._x = (np.zeros(0, np.int16),) * 2  # in and out; the simulator works on these very arrays
        self._memories: dict[str, tuple[int, MemoryPort]] = {
            port.name: (position, port) for position, port in enumerate(memory_ports(config))
        }
        unknown = sorted(set(setup.ports) - set(self._memories) - {"x"})
        if unknown:
            raise UserError(f"there is no memory port {unknown[0]!r}; choose from {', '.join(self._memories)}, x.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._is_abandoned = kind is not None
        self.close()

    def reset(self) -> None:
        """Reset the accelerator and its surroundings. Memories stay bound and keep their contents."""
        self._is_running = False
        self._reset()

    def abort(self) -> None:
        """End the timestep, and let the memories drop what they still owe, as an integrator has to."""
        self._is_running = False
        self._write(ADDRESS["control"], ABORT)
        self.read_register("status")  # the accelerator leaves its ports alone from here on
        self.read_register("status")
        self._forget()
        while self.read_register("status") >> BUSY_BIT & 1:
            pass

    def record(self, cycles: int) -> None:
        """Reset, and note every port in each cycle from there on, up to so many cycles. For an engine not yet used."""
        self._record(cycles)
        self.reset()

    @abstractmethod
    def close(self) -> None:
        """Give the simulator back."""

    @abstractmethod
    def take_trace(self) -> Trace:
        """What was traced since the last call."""

    @abstractmethod
    def take_record(self) -> dict[str, list[int]]:
        """Every port but the clock -> its value just before each rising edge, from ``record`` on."""

    @abstractmethod
    def _record(self, cycles: int) -> None:
        """From the next cycle on, note every port for as many cycles."""

    @abstractmethod
    def _reset(self) -> None: ...

    @abstractmethod
    def _forget(self) -> None:
        """Drop all that is on its way around the accelerator, and what went wrong."""

    @abstractmethod
    def _write(self, address: int, value: int) -> None: ...

    @abstractmethod
    def _read(self, address: int) -> int: ...

    @abstractmethod
    def _bind(self, position: int, words: np.ndarray, count: int, timing: MemoryTiming) -> None: ...

    @abstractmethod
    def _start(self, x_in: np.ndarray, x_out: np.ndarray) -> None:
        """START with these arrays to send and to fill."""

    @abstractmethod
    def _run_sub_block(self) -> int | None:
        """As ``run_sub_block``; keeps ``cycles`` up to date."""

    @abstractmethod
    def _traffic(self, position: int) -> tuple[int, int]:
        """Bytes moved and cycles starved of one port."""

    def write_register(self, name: str, value: int) -> None:
        """Write a register by its name in ``radit.accel.control.registers``."""
        if not 0 <= value < 1 << 32:
            raise ValueError(f"register {name} cannot hold {value}: it has 32 bits")
        self._write(ADDRESS[name], int(value))

    def read_register(self, name: str) -> int:
        """Read a register by its name in ``radit.accel.control.registers``."""
        return self._read(ADDRESS[name])

    def counters(self) -> dict[str, int]:
        """All event counters; those that the build has not are 0."""
        missing = missing_counters(self.config)
        return {
            name: 0 if name in missing else self._read(low) | self._read(low + 1) << 32
            for name, low in COUNTER_ADDRESS.items()
        }

    def bind_memory(self, port: str, words: np.ndarray) -> None:
        """Let a port read or write this array, which holds whole words, least significant byte first.

        The array is used in place. Two ports may share one.
        """
        position, memory = self._memories[port]
        if not words.flags.c_contiguous or (memory.is_write and not words.flags.writeable):
            raise ValueError(f"the memory of port {port} must be contiguous, and writeable for a write port")
        if words.nbytes % memory.word_bytes:
            raise ValueError(f"{words.nbytes} bytes are no whole words of port {port}: a word has {memory.word_bytes}")
        self._bind(position, words, words.nbytes // memory.word_bytes, self.setup.timing_of(port))

    def start_timestep(self, x_in: np.ndarray) -> None:
        """START; x (int16, R lanes per word) is sent as the accelerator takes it."""
        x_in = np.array(x_in, order="C")
        if x_in.dtype != np.int16 or x_in.size % self.config.rows:
            raise ValueError(f"x must be int16 in words of {self.config.rows} lanes, not {x_in.dtype} {x_in.shape}")
        self._x = x_in, np.zeros_like(x_in)
        self._await_check()
        self.cycles = 0
        self._start(*self._x)
        self._is_running = True

    def _await_check(self) -> None:
        """Let the accelerator check the registers first: a START would wait for it, and count as busy."""
        while self.read_register("status") >> CHECKING_BIT & 1:
            pass

    def run_sub_block(self) -> int | None:
        """Run until a sub-block is over, its last cycle included; its number, or None when the timestep is over."""
        if not self._is_running:
            raise RuntimeError("no timestep is running: call start_timestep first")
        try:
            ended = self._run_sub_block()
        except EngineError:
            self._is_running = False
            raise
        self._is_running = ended is not None
        return ended

    def finish_timestep(self) -> np.ndarray:
        """Run what is left of the timestep, until the accelerator is no longer busy. Returns the new x."""
        while self._is_running:
            self.run_sub_block()
        return self._x[1]

    def run_timestep(self, x_in: np.ndarray) -> np.ndarray:
        """A whole timestep: x (int16, R lanes per word) -> the new x."""
        self.start_timestep(x_in)
        return self.finish_timestep()

    def traffic(self) -> dict[str, Traffic]:
        """What every memory port has moved since the last START."""
        return {name: Traffic(*self._traffic(position)) for name, (position, _) in self._memories.items()}

    def save(self, path: Path) -> None:
        """Keep the simulation in a file, between two steps: all but the words of the memories, which the caller owns.

        Raises:
            UserError: the engine cannot.
        """
        raise UserError("only the engine verilator can save a simulation: choose it, or run without saving.")

    def restore(self, path: Path) -> None:
        """Go on from what ``save`` kept, in any engine of the same build and setup.

        Bind the memories before, as long as they were, with their words of that time. What the accelerator was told
        through registers comes back by itself.

        Raises:
            UserError: the file is unreadable, or of another build or setup.
        """
        raise UserError("only the engine verilator can restore a simulation: choose it, or start anew.")

    def _stream_name(self, position: int) -> str:
        return [*self._memories, "s_x", "m_x"][position]

    def _refusal(self) -> str:
        """What the accelerator says of a START that came to nothing."""
        status = self.read_register("status")
        if not status >> ERROR_BIT & 1:
            return ""
        code, place = (
            status >> field.low & (1 << field.bits) - 1 for field in STATES if field.name in ("code", "place")
        )
        return f": {list(ERRORS.values())[code - 1]} ({list(REGISTERS)[place]})"

    def _error(self, code: Failure, position: int, address: int, length: int, limit: int, cycle: int) -> EngineError:
        """The failure as a sentence."""
        port = self._stream_name(position)
        part = "payload or valid" if address else "command"
        why = self._refusal() if code is Failure.NOT_BUSY else ""
        sentences = {
            Failure.TIMEOUT: f"the accelerator was still busy after {limit} cycles",
            Failure.OUT_OF_RANGE: f"port {port} asked for words {address} to {address + length - 1}"
            f" of a memory that holds {limit}",
            Failure.EMPTY_COMMAND: f"port {port} asked for 0 words from address {address}",
            Failure.UNSTABLE: f"port {port} changed its {part} while it was waiting for ready",
            Failure.NOT_BUSY: f"busy did not rise with START{why}",
            Failure.SURPLUS: f"port {port} delivered more than the expected {limit} words",
            Failure.LEFT_OVER: f"the accelerator finished while {length} words of port {port} were to come,"
            f" the next from position {address}",
        }
        return EngineError(code, cycle, sentences[code])
