"""The adapter for a PYNQ board, over objects with the calls of `pynq.MMIO` and `pynq.allocate` before a simulation."""

import numpy as np
import pytest

from radit.accel.host.arithmetic import HostArithmetic
from radit.accel.host.device import AcceleratorDevice
from radit.accel.host.pynq_backend import PynqBackend
from radit.cosim.drive.simulated import BusTiming, SimulatedBackend
from tests.drive.tiny import libraries, tiny_packed

OFF = 64  # bytes by which the memory that is given misses a multiple of 256
pytestmark = pytest.mark.xdist_group("drive")


class CachedArray(np.ndarray):
    """Memory behind a cache: what one side writes, the other sees after flush or invalidate alone."""

    def flush(self) -> None:
        self.memory[:] = np.asarray(self)

    def invalidate(self) -> None:
        np.asarray(self)[:] = self.memory


class Mmio:
    """Registers, as `pynq.MMIO` gives them."""

    def __init__(self, backend: SimulatedBackend) -> None:
        self._backend = backend

    def read(self, offset=0, length=4):
        assert length == 4
        return self._backend.read32(offset)

    def write(self, offset, data):
        self._backend.write32(offset, data)


def allocator(backend: SimulatedBackend):
    """`pynq.allocate` over the memory of a simulation."""

    def allocate(shape, dtype="u4", target=None, cacheable=True):
        (size,) = shape
        place = backend.allocate(OFF + size * np.dtype(dtype).itemsize)
        array = np.full(shape, 0xA5, dtype).view(CachedArray)
        array.memory = place.bytes[OFF:].view(dtype)
        array.device_address = place.device_address + OFF
        return array

    return allocate


def timesteps(make) -> list[np.ndarray]:
    """x after each timestep of both images, by a driver on the backend that ``make`` gives for a simulation."""
    packed, found = tiny_packed(), []
    with SimulatedBackend(libraries()[0], 8 * packed.memory_bytes, BusTiming(10)) as simulated:
        device = AcceleratorDevice(make(simulated))
        device.load(packed)
        for image in range(2):
            device.image(image)
            host = HostArithmetic(packed, image)
            for step in range(packed.needs["steps"]):
                device.write_x(host.enter())
                device.start(step)
                device.wait()
                found.append(device.read_x())
                host.leave(found[-1], step)
    return found


def on_board(simulated: SimulatedBackend) -> PynqBackend:
    return PynqBackend(Mmio(simulated), allocator(simulated))


def test_images_through_a_boards_cache():
    """x of every timestep is what the driver gives without cache and adapter."""
    found, right = timesteps(on_board), timesteps(lambda simulated: simulated)
    assert len(found) == 8 and np.unique(found[0]).size > 8
    for one, wanted in zip(found, right, strict=True):
        assert np.array_equal(one, wanted)


@pytest.mark.parametrize("forgotten", ["flush", "invalidate"])
def test_a_cache_that_is_forgotten_shows(forgotten, monkeypatch):
    """The comparison sees words that did not come through."""
    right = timesteps(lambda simulated: simulated)[0]
    monkeypatch.setattr(CachedArray, forgotten, lambda self: None)
    assert not np.array_equal(timesteps(on_board)[0], right)
