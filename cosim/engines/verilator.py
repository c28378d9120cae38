"""The everyday engine: the exported Verilog, compiled by Verilator into a shared library."""

import ctypes
import errno
import os
import shutil
import time
from collections.abc import Callable
from ctypes import POINTER, Structure, byref, c_int, c_int32, c_uint32, c_uint64, c_void_p
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS, START
from radit.cosim.engines.base import Engine, Failure, Trace, trace_fields
from radit.cosim.engines.harness_config import record_columns
from radit.cosim.engines.setup import MemoryTiming, Setup
from radit.cosim.engines.state import REMEDY, read_state, write_state
from radit.cosim.engines.verilate import CACHE, BuildError, build_library, build_seconds
from radit.model.errors import UserError
from radit.model.files import unwritable
from radit.model.plain_text import one_line

LEAST_CHUNK, MOST_CHUNK = 1000, 200_000  # cycles between two looks at Ctrl-C
CHUNK_SECONDS = 0.2  # that they take, about
LEAST_FREE = 1 << 16  # bytes of a disk: with fewer an .fst, whose writer tells nothing, counts as cut off
BUSY, SUB_BLOCK_OVER = 1, 2  # radit::Outcome
PROFILED_CYCLES = 3_000_000  # of a timestep, some ten seconds: the pass, attention and more of a large model

Practise = Callable[[Engine], object]  # runs an engine as it will be run


class CTiming(Structure):
    """radit::Timing."""

    _fields_ = [
        ("latency", c_uint64),
        ("stall", c_uint32),
        ("seed", c_uint32),
        ("depth", c_uint32),
    ]

    @classmethod
    def of(cls, timing: MemoryTiming) -> "CTiming":
        """The same in C."""
        return cls(timing.latency, timing.chance, timing.seed & 0xFFFFFFFF, timing.depth)


class CFailure(Structure):
    """radit::Failure."""

    _fields_ = [
        ("code", c_int32),
        ("port", c_int32),
        ("address", c_uint64),
        ("length", c_uint64),
        ("limit", c_uint64),
        ("cycle", c_uint64),
    ]


SIGNATURES: dict[str, tuple] = {
    "create": (c_void_p, c_uint64),
    "destroy": (c_int, c_void_p),
    "reset": (None, c_void_p),
    "forget": (None, c_void_p),
    "write": (None, c_void_p, c_uint32, c_uint32),
    "read": (c_uint32, c_void_p, c_uint32),
    "host_timing": (None, c_void_p, POINTER(CTiming)),
    "bind": (None, c_void_p, c_int, c_void_p, c_uint64, POINTER(CTiming)),
    "start": (None, c_void_p, c_void_p, c_void_p, c_uint64, c_uint32, c_uint32),
    "run": (c_int, c_void_p, c_uint64),
    "sub_block": (c_uint32, c_void_p),
    "busy_cycles": (c_uint64, c_void_p),
    "save": (c_void_p, c_void_p, POINTER(c_uint64)),
    "restore": (c_int, c_void_p, c_void_p, c_uint64, c_void_p, c_void_p),
    "traffic": (None, c_void_p, c_int, POINTER(c_uint64), POINTER(c_uint64)),
    "failure": (None, c_void_p, POINTER(CFailure)),
    "tracing": (None, c_void_p, c_int),
    "take": (c_void_p, c_void_p, c_int, POINTER(c_uint64)),
    "free": (None, c_void_p),
    "record": (None, c_void_p, c_uint64),
    "take_record": (c_void_p, c_void_p, POINTER(c_uint64)),
    "waves": (c_int, c_void_p, ctypes.c_char_p),
    "waves_error": (c_int, c_void_p),
}


class Library:
    """The C functions of one build, without their prefix."""

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            raise BuildError(
                f"simulator {path} cannot be loaded ({one_line(error)}): name another C++ compiler in CXX, such as g++."
            ) from None
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(library, f"radit_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the harness has no function {name}")


class TakenBuffer:
    """Memory of the harness that numpy arrays may hold on to; freed with the last of them."""

    def __init__(self, library, address: int, size: int) -> None:
        self._library = library
        self._address = address
        self.__array_interface__ = {"data": (address, False), "shape": (size,), "typestr": "|u1", "version": 3}

    def __del__(self) -> None:
        self._library.free(self._address)


class VerilatorEngine(Engine):
    """The accelerator as compiled Verilog. Any number can run side by side, in threads as well.

    ``verilog`` is the exported file and ``top`` its top module. The library is built at the first use of this
    content and kept in ``cache``; with ``practise``, by the profile of what that does on a first engine. Its timesteps
    end in a timeout after ``PROFILED_CYCLES``. ``library`` is one that is there.
    """

    def __init__(
        self,
        config: BuildConfig,
        verilog: Path,
        setup: Setup | None = None,
        top: str = "radit_top",
        cache: Path = CACHE,
        practise: Practise | None = None,
        library: Path | None = None,
    ) -> None:
        super().__init__(config, setup or Setup())
        waves = self.setup.waves
        self._handle = None
        if library is None:
            suffix, profiled = waves.suffix if waves else "", practise and partial(self._profile, practise)
            library = build_library(config, verilog, top, suffix, self.setup.threads, cache, profiled)
        self._library = library
        self._c = Library(library)
        self._fields = trace_fields(config)
        self._bound: dict[int, np.ndarray] = {}
        self._handle = self._c.create(self.setup.rate)
        self._c.tracing(self._handle, self.setup.trace)
        self._c.host_timing(self._handle, CTiming.of(self.setup.timing_of("x")))
        self._chunk = LEAST_CHUNK
        if waves is not None:
            self._open_waves(waves)
        self.reset()

    @property
    def build_seconds(self) -> float:
        """How long it took to build the library, when it was built."""
        return build_seconds(self._library)

    def _profile(self, practise: Practise, library: Path) -> None:
        """Let a library that counts its branches run, and write what it has counted."""
        setup = replace(self.setup, max_cycles=PROFILED_CYCLES)
        with VerilatorEngine(self.config, library, setup, library=library) as engine:
            practise(engine)
        ctypes.CDLL(str(library)).radit_write_profile()

    def _open_waves(self, waves: Path) -> None:
        try:
            waves.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(waves, error) from None
        if not self._c.waves(self._handle, os.fsencode(waves)):
            raise UserError(f"waveform file {one_line(waves)} cannot be written: choose a writeable folder.")

    def _check_waves(self, error: int) -> None:
        """Refuse to go on where the waveform's file has failed: what is there of it is removed."""
        waves = self.setup.waves
        if waves is None:
            return
        if not error and waves.suffix == ".fst" and shutil.disk_usage(waves.parent).free < LEAST_FREE:
            error = errno.ENOSPC
        if error:
            waves.unlink(missing_ok=True)
            raise unwritable(waves, OSError(error, os.strerror(error)))

    def _reset(self) -> None:
        self._c.reset(self._handle)

    def _forget(self) -> None:
        self._c.forget(self._handle)

    def _write(self, address: int, value: int) -> None:
        self._c.write(self._handle, address, value)

    def _read(self, address: int) -> int:
        return self._c.read(self._handle, address)

    def _bind(self, position: int, words: np.ndarray, count: int, timing: MemoryTiming) -> None:
        self._bound[position] = words
        self._c.bind(self._handle, position, words.ctypes.data, count, CTiming.of(timing))

    def _start(self, x_in: np.ndarray, x_out: np.ndarray) -> None:
        words = x_in.size // self.config.rows
        self._c.start(self._handle, x_in.ctypes.data, x_out.ctypes.data, words, ADDRESS["control"], START)

    def _run_sub_block(self) -> int | None:
        c, handle, limit = self._c, self._handle, self.setup.max_cycles
        outcome = BUSY
        while outcome == BUSY and self.cycles < limit:
            since = time.perf_counter()
            outcome = c.run(handle, min(self._chunk, limit - self.cycles))
            self.cycles = c.busy_cycles(handle)
            is_short = time.perf_counter() - since < CHUNK_SECONDS
            self._chunk = min(2 * self._chunk, MOST_CHUNK) if is_short else max(self._chunk // 2, LEAST_CHUNK)
            self._check_waves(c.waves_error(handle))
        if outcome == BUSY:
            outcome = c.run(handle, 0)  # it may have finished in the last cycle allowed
        failure = CFailure()
        c.failure(handle, byref(failure))
        if failure.code:
            values = (failure.port, failure.address, failure.length, failure.limit, failure.cycle)
            raise self._error(Failure(failure.code), *values)
        if outcome == BUSY:
            raise self._error(Failure.TIMEOUT, 0, 0, 0, limit, failure.cycle)
        return c.sub_block(handle) if outcome == SUB_BLOCK_OVER else None

    def _traffic(self, position: int) -> tuple[int, int]:
        moved, starved = c_uint64(), c_uint64()
        self._c.traffic(self._handle, position, byref(moved), byref(starved))
        return moved.value, starved.value

    def take_trace(self) -> Trace:
        taken = {}
        for index, field in enumerate(self._fields):
            size = c_uint64()
            address = self._c.take(self._handle, index, byref(size))
            data = np.asarray(TakenBuffer(self._c, address, size.value)) if address else b""
            taken[field.name] = field.view(data)
        return Trace(**taken)

    def _record(self, cycles: int) -> None:
        self._c.record(self._handle, cycles)

    def take_record(self) -> dict[str, list[int]]:
        size = c_uint64()
        address = self._c.take_record(self._handle, byref(size))
        return record_columns(self.config, np.asarray(TakenBuffer(self._c, address, size.value)))

    def save(self, path: Path) -> None:
        size = c_uint64()
        address = self._c.save(self._handle, byref(size))
        state = np.asarray(TakenBuffer(self._c, address, size.value))
        x_in, x_out = self._x
        write_state(path, **self._origin(), state=state, x_in=x_in, x_out=x_out, is_running=self._is_running)

    def restore(self, path: Path) -> None:
        parts = read_state(path, state=np.uint8, x_in=np.int16, x_out=np.int16, is_running=np.bool_)
        for name, mine in self._origin().items():
            if str(parts.get(name)) != str(mine):
                raise UserError(f"simulation state {path} is of another {name}: {REMEDY}")
        state, x_in, x_out = (parts[name] for name in ("state", "x_in", "x_out"))
        if x_in.shape != x_out.shape or parts["is_running"].shape:
            raise UserError(f"simulation state {path} is damaged: {REMEDY}.")
        if not self._c.restore(self._handle, state.ctypes.data, state.nbytes, x_in.ctypes.data, x_out.ctypes.data):
            raise UserError(f"simulation state {path} is of another build: {REMEDY}")
        self._x = x_in, x_out
        self._is_running = bool(parts["is_running"])
        self.cycles = self._c.busy_cycles(self._handle)

    def _origin(self) -> dict[str, str]:
        """What must agree between the engine that saves and the one that restores."""
        timings = [self.setup.timing_of(port) for port in (*self._memories, "x")]
        sizes = [words.nbytes for _, words in sorted(self._bound.items())]
        return {
            "build": self._library.parent.name,
            "memory timing": repr((self.setup.rate, timings)),
            "memory size": repr(sizes),
        }

    def close(self) -> None:
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        error = self._c.destroy(handle)
        if not self._is_abandoned:
            self._check_waves(error)


__all__ = ["BuildError", "VerilatorEngine"]
