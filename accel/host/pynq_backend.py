"""The accelerator on a PYNQ board: ``AcceleratorDevice(PynqBackend(pynq.MMIO(address, 4096), pynq.allocate))``."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from radit.accel.axi.bus_config import PAGE_BYTES

PAUSE_SECONDS = 1e-4


class PynqBuffer:
    """A buffer of `pynq.allocate`, from its first multiple of 256 on."""

    def __init__(self, buffer: Any, size: int) -> None:
        self._buffer = buffer
        skipped = -buffer.device_address % PAGE_BYTES
        self.device_address = buffer.device_address + skipped
        self.bytes = np.asarray(buffer)[skipped : skipped + size]

    def flush(self) -> None:
        """See `Buffer`."""
        self._buffer.flush()

    def invalidate(self) -> None:
        """See `Buffer`."""
        self._buffer.invalidate()


class PynqBackend:
    """Registers through an MMIO object, memory from an allocator.

    Args:
        mmio: `pynq.MMIO` of the AXI4-Lite side, 4 KiB; or ``overlay.radit_axi_0.mmio``.
        allocate: `pynq.allocate`.
    """

    def __init__(self, mmio: Any, allocate: Callable[..., Any]) -> None:
        self._mmio, self._allocate = mmio, allocate

    def read32(self, offset: int) -> int:
        """See `Backend`."""
        return int(self._mmio.read(offset))

    def write32(self, offset: int, value: int) -> None:
        """See `Backend`."""
        self._mmio.write(offset, value)

    def allocate(self, size: int) -> PynqBuffer:
        """See `Backend`."""
        return PynqBuffer(self._allocate(shape=(size + PAGE_BYTES,), dtype=np.uint8), size)

    def pause(self) -> None:
        """See `Backend`."""
        time.sleep(PAUSE_SECONDS)
