"""The accelerator behind AXI as compiled Verilog, with a memory and a host's bus around it, all in one library.

Its functions are those that the C driver wants of a platform; `SimulatedBackend` gives them to the Python driver.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from radit.accel.axi.bus_config import PAGE_BYTES, BusConfig
from radit.accel.config import BuildConfig
from radit.cosim.engines.open import AXI_TOP, exported_verilog
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilate import WAVES, Build, BuildError, built
from radit.model.plain_text import one_line

HARNESS = Path(__file__).resolve().parent.parent / "axi_harness"
ORIGIN = 0x1_2345_6000  # where the simulated memory begins: above 32 bits
CHANCES = 1 << 16
COUNTS = (
    "cycles", "interrupts", "accesses", "read_bursts", "read_beats", "write_bursts", "write_beats", "most_reading",
)  # fmt: skip
PLATFORM_CALLS = ("read", "write", "to_device", "from_device", "pause")  # in the order of radit_platform
SIGNATURES: dict[str, tuple] = {
    "create": (c_void_p, c_void_p, c_void_p, c_uint64, c_uint64),
    "destroy": (None, c_void_p),
    "reset": (None, c_void_p),
    "read": (c_int, c_void_p, c_uint32, POINTER(c_uint32)),
    "write": (c_int, c_void_p, c_uint32, c_uint32),
    "to_device": (c_int, c_void_p, c_uint64, c_void_p, c_size_t),
    "from_device": (c_int, c_void_p, c_void_p, c_uint64, c_size_t),
    "pause": (c_int, c_void_p),
    "set": (None, c_void_p, c_uint64, c_uint64),
    "refuse": (None, c_void_p, c_uint64, c_uint64),
    "silence": (None, c_void_p, c_int),
    "irq": (c_int, c_void_p),
    "counts": (None, c_void_p, c_void_p),
    "broken": (c_char_p, c_void_p),
}


@dataclass(frozen=True)
class BusTiming:
    """The memory behind AXI.

    Fields:
        latency: from an address to its first beat, from a last beat to its answer (cycles).
        stall: probability of a pause of each channel in a cycle.
        seed: of pauses, and of the order in which IDs are answered.
        depth: bursts on their way, of reads and of writes.
    """

    latency: int = 30
    stall: float = 0.0
    seed: int = 1
    depth: int = 32


class CBusTiming(Structure):
    """radit::MemoryTiming."""

    _fields_ = [("latency", c_uint64), ("pause", c_uint32), ("seed", c_uint32), ("depth", c_uint32)]


@dataclass(frozen=True)
class AxiBuild(Build):
    """The library of one build."""

    product: ClassVar[str] = "axi.so"

    bus: BusConfig

    @property
    def sources(self) -> tuple[Path, ...]:
        return (HARNESS / "axi_harness.cpp",)

    @property
    def files(self) -> dict[str, str]:
        return {"axi_config.h": f"#pragma once\n#define RADIT_BEAT_BYTES {self.bus.data_bytes}\n"}


def axi_library(config: BuildConfig, bus: BusConfig, build: Path = Path("build")) -> Path:
    """The library of a build behind AXI, exported and compiled where the cache has none.

    Raises:
        UserError: Verilator or the C++ compiler is missing or fails.
    """
    tools = find_verilator(), find_compiler()
    verilog = exported_verilog(config, build / "rtl", bus=bus)
    return built(AxiBuild(config, verilog, AXI_TOP, WAVES[""], 1, *tools, bus), build / "verilated")


class SimulatedBuffer:
    """A part of the simulated memory; see `Buffer`."""

    def __init__(self, device_address: int, words: np.ndarray) -> None:
        self.device_address, self.bytes = device_address, words

    def flush(self) -> None:
        """Nothing is cached."""

    def invalidate(self) -> None:
        """Nothing is cached."""


class SimulatedBackend:
    """A simulation of the accelerator behind AXI, out of reset; see `Backend`. Close it after use.

    Args:
        library: of `axi_library`.
        size: bytes of its memory.
        timing: of that memory.
        origin: its first address.
    """

    def __init__(self, library: Path, size: int, timing: BusTiming | None = None, origin: int = ORIGIN) -> None:
        timing = timing or BusTiming()
        self._c = loaded(library, SIGNATURES)
        self.memory = np.zeros(max(size, PAGE_BYTES), np.uint8)
        self.origin, self._taken = origin, 0
        settings = CBusTiming(timing.latency, int(timing.stall * CHANCES), timing.seed, timing.depth)
        self.handle = self._c["create"](byref(settings), self.memory.ctypes.data, origin, self.memory.size)

    def read32(self, offset: int) -> int:
        """See `Backend`."""
        value = c_uint32()
        self._answered(self._c["read"](self.handle, offset, byref(value)), "read")
        return value.value

    def write32(self, offset: int, value: int) -> None:
        """See `Backend`."""
        self._answered(self._c["write"](self.handle, offset, value), "write")

    @staticmethod
    def _answered(response: int, what: str) -> None:
        if response:
            raise OSError(f"response of the {what} is {response}")

    def allocate(self, size: int) -> SimulatedBuffer:
        """See `Backend`."""
        begun = -(-self._taken // PAGE_BYTES) * PAGE_BYTES
        self._taken = begun + size
        return SimulatedBuffer(self.origin + begun, self.memory[begun : begun + size])

    def pause(self) -> None:
        """See `Backend`."""
        self._c["pause"](self.handle)

    def set_pause(self, cycles: int, limit: int | None = None) -> None:
        """Cycles between two looks, until an interrupt ends them; the cycle from which on the time is over."""
        self._c["set"](self.handle, cycles, (1 << 64) - 1 if limit is None else limit)

    def refuse(self, begin: int, end: int) -> None:
        """Let the memory answer SLVERR from an address to one behind the last."""
        self._c["refuse"](self.handle, begin, end)

    def silence(self, is_silent: bool) -> None:
        """Let the memory answer no read, or again."""
        self._c["silence"](self.handle, is_silent)

    def reset(self) -> None:
        """Reset accelerator and bus."""
        self._c["reset"](self.handle)

    @property
    def counts(self) -> dict[str, int]:
        """What has happened so far, by the names of `COUNTS`."""
        found = (c_uint64 * len(COUNTS))()
        self._c["counts"](self.handle, found)
        return dict(zip(COUNTS, found, strict=True))

    @property
    def broken(self) -> str:
        """The first rule of the bus that the accelerator broke; empty where it kept all."""
        return (self._c["broken"](self.handle) or b"").decode()

    def platform_calls(self) -> list[c_void_p]:
        """Addresses of the functions of radit_platform, in order."""
        return [ctypes.cast(self._c[name], c_void_p) for name in PLATFORM_CALLS]

    def close(self) -> None:
        """End the simulation."""
        if self.handle:
            self._c["destroy"](self.handle)
            self.handle = None

    def __enter__(self) -> SimulatedBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def loaded(path: Path, signatures: dict[str, tuple], prefix: str = "radit_axi_") -> dict[str, Any]:
    """The functions of a library by their names without the prefix."""
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(
            f"simulator {path} cannot be loaded ({one_line(error)}): name another C++ compiler in CXX, such as g++."
        ) from None
    found = {}
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, f"{prefix}{name}")
        function.restype, function.argtypes = result, arguments
        found[name] = function
    return found
