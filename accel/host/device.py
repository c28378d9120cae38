"""The driver in Python: the calls of radit_driver.h over any memory-mapped backend.

A backend is what PYNQ gives (``radit.accel.host.pynq_backend``) or a simulation (``radit.cosim.drive``).
"""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from radit.accel.axi.bus_config import PAGE_BYTES
from radit.accel.axi.bus_registers import CODE as BUS_CODE
from radit.accel.axi.bus_registers import DONE_BIT, FAULT_BIT
from radit.accel.axi.bus_registers import IDENTIFICATION as WRAPPER
from radit.accel.axi.bus_registers import VERSION as WRAPPER_VERSION
from radit.accel.control.registers import (
    ABORT,
    CODE_BITS,
    CODE_LOW,
    ERROR_BIT,
    ERRORS,
    IDENTIFICATION,
    NEW_IMAGE,
    PLACE_LOW,
    START,
    VERSION,
)
from radit.accel.host.layout import ALL_IMAGES, KIND
from radit.accel.host.packed import DriverError, PackedModel
from radit.accel.host.tables import register_bytes

DONE, FAULT = 1 << DONE_BIT, 1 << FAULT_BIT
SAME = ("rows", "cols", "products")  # of a build and a model
LEAST = ("frame_banks", "hidden", "mlp", "tokens", "contexts", "sub_blocks", "text", "frames")
WAIT_SECONDS = 60.0
WHERE = register_bytes()


class Buffer(Protocol):
    """A piece of memory that processor and accelerator share.

    device_address: in bytes, as the accelerator sees it. bytes: uint8, as the processor sees it.
    """

    device_address: int
    bytes: np.ndarray

    def flush(self) -> None:
        """Make what the processor wrote visible to the accelerator."""

    def invalidate(self) -> None:
        """Make what the accelerator wrote visible to the processor."""


class Backend(Protocol):
    """Registers and memory of an accelerator behind AXI."""

    def read32(self, offset: int) -> int:
        """A register, at a byte offset. Raises OSError where the bus answers with an error."""

    def write32(self, offset: int, value: int) -> None:
        """The same, written."""

    def allocate(self, size: int) -> Buffer:
        """Shared memory that begins at a multiple of 256 of the accelerator's addresses."""

    def pause(self) -> None:
        """Called between two looks at a timestep that runs."""


class AcceleratorDevice:
    """One accelerator: probed when it is made.

    Args:
        backend: registers and memory.

    Raises:
        DriverError: there is none, or of another version.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.build = self._probe()
        self.model: PackedModel | None = None
        self._memory: Buffer | None = None
        self._places: dict[int, int] = {}  # of the memories, by base register: from the memory's begin on
        self._has_image = self._is_running = False
        self.pending = self.bus_error = self.status = 0

    def _probe(self) -> dict[str, int]:
        for name, shift, wanted, otherwise in (
            ("bus_identification", 0, WRAPPER, "NO_DEVICE"),
            ("identification", 0, IDENTIFICATION, "NO_DEVICE"),
            ("bus_wrapper_version", 16, WRAPPER_VERSION[0], "DEVICE_VERSION"),
            ("version", 16, VERSION[0], "DEVICE_VERSION"),
        ):
            found = self.read(name) >> shift
            if found != wanted:
                raise DriverError(otherwise, f"register {name} is {found:#x}, not {wanted:#x}")
        array = self.read("array")
        build = {name: array >> 8 * place & 0xFF for place, name in enumerate((*SAME, "frame_banks"))}
        return (
            build
            | {name: self.read(f"max_{name}") for name in LEAST[1:]}
            | {"address_bits": self.read("bus_bus") >> 16 & 0xFF}
        )

    def read(self, name: str) -> int:
        """A register by its name; those of the wrapper begin with "bus_"."""
        return self._access(lambda: self._backend.read32(WHERE[name]), WHERE[name])

    def write(self, name: str, value: int) -> None:
        """Write one."""
        self._write(WHERE[name], value)

    def _write(self, address: int, value: int) -> None:
        self._access(lambda: self._backend.write32(address, value), address)

    @staticmethod
    def _access(call: Callable[[], int | None], address: int) -> int:
        try:
            return call() or 0
        except OSError as error:
            raise DriverError("BUS", f"register at {address:#x}: {error}") from error

    def load(self, model: PackedModel | bytes, memory: Buffer | None = None) -> None:
        """Put a packed model into memory, and write its registers.

        Args:
            memory: to use; None: what the backend allocates.

        Raises:
            DriverError: the file, the build or the memory does not fit.
        """
        if self._is_running:
            raise DriverError("BUSY")
        self.model, self._has_image = None, False
        model = model if isinstance(model, PackedModel) else PackedModel.from_bytes(model)
        self._check_build(model.needs)
        memory = memory or self._backend.allocate(model.memory_bytes)
        begin, end = memory.device_address, memory.device_address + model.memory_bytes
        if begin % PAGE_BYTES:
            raise DriverError("ALIGNMENT", f"{begin:#x}")
        if model.memory_bytes > memory.bytes.size:
            raise DriverError("NO_ROOM", f"{memory.bytes.size} bytes, not {model.memory_bytes}")
        if (end - 1) >> self.build["address_bits"]:
            raise DriverError("ADDRESS", f"{end - 1:#x}, {self.build['address_bits']} bits")
        if self.read("bus_run_status"):
            raise DriverError("BUSY")
        self.write("status", self.read("status"))
        self.write("bus_irq_status", DONE | FAULT)
        self.write("bus_irq_enable", DONE | FAULT)
        self._memory, self._places, place = memory, {}, 0
        for base, size in model.memories().items():
            self._places[base] = place
            self._write(base, (begin + place) & 0xFFFFFFFF)
            self._write(base + 4, (begin + place) >> 32)
            place += -(-size // PAGE_BYTES) * PAGE_BYTES
        self.model = model
        self._put(ALL_IMAGES)

    def _check_build(self, needs: dict[str, int]) -> None:
        for name in SAME:
            if self.build[name] != needs[name]:
                raise DriverError("OTHER_ARRAY", f"{name}: {self.build[name]}, not {needs[name]}")
        if bool(self.build["text"]) != bool(needs["text"]):
            raise DriverError("OTHER_ARRAY", f"text: {self.build['text']}, not {needs['text']}")
        for name in LEAST:
            if self.build[name] < needs[name]:
                raise DriverError("BUILD_TOO_SMALL", f"{name}: {self.build[name]}, not {needs[name]}")

    def _loaded(self, needs_image: bool = False) -> tuple[PackedModel, Buffer]:
        """What is loaded, where nothing runs."""
        if self.model is None or self._memory is None or (needs_image and not self._has_image):
            raise DriverError("ORDER")
        if self._is_running:
            raise DriverError("BUSY")
        return self.model, self._memory

    def _put(self, image: int) -> None:
        """Content of the memories, and registers, of one image or of all."""
        model, memory = self._loaded()
        for one in model.sections:
            if one.kind == KIND["memory"] and one.image == image:
                place = self._places[one.base]
                memory.bytes[place : place + one.size] = np.frombuffer(one.content, np.uint8)
        memory.flush()
        for each in model.registers:
            if each.image == image:
                self._write(each.address, each.value)

    def image(self, number: int) -> None:
        """Begin an image: its conditioning, and nothing cached."""
        model, _ = self._loaded()
        if not 0 <= number < model.needs["images"]:
            raise DriverError("NO_IMAGE", f"{number}, of {model.needs['images']}")
        self._has_image = False
        self._put(number)
        self.write("control", NEW_IMAGE)
        self._has_image = True

    def _x(self, kind: str) -> np.ndarray:
        """The bytes of x in or x out."""
        model, memory = self._loaded()
        base = next(one.base for one in model.sections if one.name == kind)
        return memory.bytes[self._places[base] : self._places[base] + model.needs["x_bytes"]]

    def write_x(self, x: np.ndarray) -> None:
        """x in: words of int16 lanes, in order."""
        self._x("x_in")[:] = np.ascontiguousarray(x, "<i2").reshape(-1).view(np.uint8)
        assert self._memory is not None
        self._memory.flush()

    def read_x(self) -> np.ndarray:
        """x out, int16 in the order of its words."""
        _, memory = self._loaded()
        memory.invalidate()
        return self._x("x_out").view("<i2").copy()

    def start(self, step: int) -> None:
        """Begin a timestep of the image."""
        model, _ = self._loaded(needs_image=True)
        if not 0 <= step < model.needs["steps"]:
            raise DriverError("NO_STEP", f"{step}, of {model.needs['steps']}")
        self.write("mod_base", step * model.needs["mod_words"])
        self.write("param_base", step * model.needs["param_words"])
        self.pending = self.bus_error = self.status = 0
        self.write("control", START)
        self._is_running = True

    def interrupt(self) -> None:
        """Take and clear what is pending."""
        pending = self.read("bus_irq_status")
        if pending & FAULT:
            error, status = self.read("bus_error"), self.read("status")
            self.write("status", status)
            self.bus_error = self.bus_error or error
            self.status = self.status if self.status >> ERROR_BIT & 1 else status
        if pending:
            self.write("bus_irq_status", pending)
        self.pending |= pending

    def poll(self) -> bool:
        """Whether the timestep is over.

        Raises:
            DriverError: nothing runs, or it ended with an error.
        """
        if not self._is_running:
            raise DriverError("ORDER")
        self.interrupt()
        if not self.pending & DONE:
            if not self.pending & FAULT or self.read("bus_run_status"):
                return False
            self.interrupt()
        self._is_running = False
        if self.pending & FAULT:
            raise self._outcome()
        return True

    def _outcome(self) -> DriverError:
        error = self.bus_error & 7
        if self.status >> ERROR_BIT & 1:
            code = self.status >> CODE_LOW & (1 << CODE_BITS) - 1
            name = list(ERRORS)[code - 1]
            place = 4 * (self.status >> PLACE_LOW)
            ended = name in ("WATCHDOG", "ABORTED")
            return DriverError("ENDED" if ended else "REFUSED", f"{name}, register at {place:#x}")
        refused = error in (BUS_CODE["BUSY"], BUS_CODE["BASE"])
        return DriverError("REFUSED" if refused else "MEMORY", f"register error is {self.bus_error:#x}")

    def wait(self, seconds: float = WAIT_SECONDS) -> None:
        """Until the timestep is over.

        Raises:
            DriverError: it takes longer, or ended with an error.
        """
        last = time.monotonic() + seconds
        while not self.poll():
            if time.monotonic() > last:
                raise DriverError("TIMEOUT", f"{seconds:g} s")
            self._backend.pause()

    def abort(self, seconds: float = WAIT_SECONDS) -> None:
        """End a timestep early, if one runs; the image has to be begun anew."""
        if self.model is None:
            raise DriverError("ORDER")
        self._has_image = False
        if not self._is_running:
            return
        self.write("control", ABORT)
        try:
            self.wait(seconds)
        except DriverError as error:
            if error.name not in ("ENDED", "MEMORY"):
                raise
