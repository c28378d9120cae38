"""The C driver, compiled for this machine, on a simulated accelerator, with the calls of the Python driver."""

from __future__ import annotations

import ctypes
import hashlib
import shlex
from collections.abc import Sequence
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_int16,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path

import numpy as np

from radit.accel.host import layout
from radit.accel.host.arithmetic import AfterStep
from radit.accel.host.layout import FAILURES
from radit.accel.host.packed import DriverError, PackedModel
from radit.cosim.drive.simulated import HARNESS, SimulatedBackend, SimulatedBuffer, loaded
from radit.cosim.engines.toolchain import compiler_version, find_compiler
from radit.cosim.engines.verilate import BuildError
from radit.cosim.support.programs import ProgramError, run_program
from radit.model.system.caches import made_once

HOST = Path(layout.__file__).resolve().parent
SOURCES = (HOST / "radit_driver.c", HOST / "generate.c")
STRICT = "-std=c99 -pedantic -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -ffp-contract=off".split()
FLAGS = [*STRICT, "-O2", "-fPIC"]
LIBRARY = "driver.so"
COMPILE_SECONDS = 300.0
LOOKS = 1_000_000  # of one wait; the simulation's limit of cycles ends it sooner
AFTER = CFUNCTYPE(c_int, c_void_p, c_uint32, POINTER(c_int16), POINTER(c_int16))


class CPlatform(Structure):
    """radit_platform."""

    _fields_ = [(name, c_void_p) for name in ("context", "read", "write", "to_device", "from_device", "pause")]


class CDriverFailure(Structure):
    """radit_failure."""

    _fields_ = [(name, c_uint32) for name in ("result", "offset", "found", "wanted", "bus_error", "status")]


SIGNATURES: dict[str, tuple] = {
    "device_bytes": (c_size_t,),
    "model_of": (c_void_p, c_void_p),
    "probe": (c_int, c_void_p, c_void_p),
    "load": (c_int, c_void_p, c_char_p, c_size_t, c_uint64, c_uint64),
    "image": (c_int, c_void_p, c_uint32),
    "write_x": (c_int, c_void_p, c_void_p),
    "read_x": (c_int, c_void_p, c_void_p),
    "start": (c_int, c_void_p, c_uint32),
    "poll": (c_int, c_void_p, POINTER(c_int)),
    "wait": (c_int, c_void_p, c_uint32),
    "abort": (c_int, c_void_p, c_uint32),
    "interrupt": (None, c_void_p),
    "use_interrupt": (None, c_void_p, c_int),
    "last_failure": (POINTER(CDriverFailure), c_void_p),
    "text": (c_char_p, c_int),
    "image_floats": (c_size_t, c_void_p),
    "work_floats": (c_size_t, c_void_p),
    "generate": (c_int, c_void_p, c_uint32, c_void_p, c_void_p, c_size_t, c_uint32, AFTER, c_void_p),
}


def driver_library(build: Path = Path("build"), sources: Sequence[Path] = (*SOURCES, HARNESS / "glue.c")) -> Path:
    """The C driver as a shared library, compiled as strict C99 where the cache has none.

    Raises:
        UserError: there is no C compiler, or it fails.
    """
    compiler = find_compiler()
    texts = [path.read_text() for folder in {path.parent for path in sources} for path in sorted(folder.glob("*.[ch]"))]
    facts = "\0".join([*texts, *FLAGS, compiler, compiler_version(compiler)])
    key = hashlib.sha256(facts.encode()).hexdigest()[:16]

    def make(folder: Path) -> None:
        objects = [folder / f"{source.stem}.o" for source in sources]
        for source, target in zip(sources, objects, strict=True):  # g++ takes -x for the first of several files alone
            _compile(compiler, "-x", "c", *FLAGS, f"-I{HOST}", "-c", source, "-o", target)
        _compile(compiler, "-shared", *objects, "-lm", "-o", folder / LIBRARY)

    return made_once((build / "driver" / key).resolve(), make) / LIBRARY


def _compile(compiler: str, *arguments: object) -> None:
    try:
        run_program([*shlex.split(compiler), *map(str, arguments)], seconds=COMPILE_SECONDS)
    except ProgramError as error:
        raise BuildError(f"the C driver was not compiled ({error}): name a C compiler in CXX, such as g++.") from None


class CDevice:
    """See `AcceleratorDevice`: the same calls, by the C driver.

    Args:
        backend: the simulation.
        library: of `driver_library`.

    Raises:
        DriverError: there is no accelerator, or one of another version.
    """

    def __init__(self, backend: SimulatedBackend, library: Path) -> None:
        self._c, self._backend = loaded(library, SIGNATURES, "radit_"), backend
        self._platform = CPlatform(backend.handle, *(call.value for call in backend.platform_calls()))
        self._device = ctypes.create_string_buffer(self._c["device_bytes"]())
        self._file, self._x_bytes = b"", 0
        self._call("probe", byref(self._platform))

    def _call(self, name: str, *arguments: object) -> None:
        """Call a function; raise its failure."""
        self._check(self._c[name](self._device, *arguments))

    def _check(self, result: int) -> None:
        if result:
            failure = self._c["last_failure"](self._device).contents
            where = f"offset {failure.offset:#x}, found {failure.found:#x}, wanted {failure.wanted:#x}"
            raise DriverError(list(FAILURES)[result], where)

    @property
    def failure(self) -> CDriverFailure:
        """The last one."""
        return self._c["last_failure"](self._device).contents

    def text(self, result: int) -> str:
        """Of a result, as the C driver says it."""
        return self._c["text"](result).decode()

    def load(self, model: PackedModel | bytes, memory: SimulatedBuffer | None = None) -> None:
        """See `AcceleratorDevice.load`."""
        self._file = model.to_bytes() if isinstance(model, PackedModel) else model
        if memory is None:
            memory = self._backend.allocate(PackedModel.from_bytes(self._file).memory_bytes)
        self._call("load", self._file, len(self._file), memory.device_address, memory.bytes.size)
        self._x_bytes = PackedModel.from_bytes(self._file).needs["x_bytes"]

    def image(self, number: int) -> None:
        """See `AcceleratorDevice.image`."""
        self._call("image", number)

    def write_x(self, x: np.ndarray) -> None:
        """See `AcceleratorDevice.write_x`."""
        self._call("write_x", np.ascontiguousarray(x, "<i2").ctypes.data)

    def read_x(self) -> np.ndarray:
        """See `AcceleratorDevice.read_x`."""
        x = np.empty(self._x_bytes // 2, np.int16)
        self._call("read_x", x.ctypes.data)
        return x

    def start(self, step: int) -> None:
        """See `AcceleratorDevice.start`."""
        self._call("start", step)

    def poll(self) -> bool:
        """See `AcceleratorDevice.poll`."""
        is_over = c_int()
        self._call("poll", byref(is_over))
        return bool(is_over.value)

    def wait(self, looks: int = LOOKS) -> None:
        """See `AcceleratorDevice.wait`; ``looks`` with the simulation's pause between."""
        self._call("wait", looks)

    def abort(self, looks: int = LOOKS) -> None:
        """See `AcceleratorDevice.abort`."""
        self._call("abort", looks)

    def generate(self, number: int, after: AfterStep | None = None, looks: int = LOOKS) -> np.ndarray:
        """Generate an image, as `generate_image` does; float32, flat.

        Raises:
            DriverError: a call failed.
        """
        model = self._c["model_of"](self._device)
        picture = np.zeros(self._c["image_floats"](model), np.float32)
        work = np.zeros(self._c["work_floats"](model), np.float32)
        words = (self._x_bytes // 2,)

        def told(_: int, step: int, x_in: object, x_out: object) -> int:
            if after is not None:
                after(step, *(np.ctypeslib.as_array(each, words).copy() for each in (x_in, x_out)))
            return 0

        self._check(
            self._c["generate"](
                self._device, number, picture.ctypes.data, work.ctypes.data, work.size, looks, AFTER(told), None
            )
        )
        return picture
