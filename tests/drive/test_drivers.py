"""Both drivers on the simulated accelerator behind AXI: whole images, and everything that can go wrong."""

from dataclasses import replace

import numpy as np
import pytest

from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.control.registers import ADDRESS, ERRORS
from radit.accel.host.arithmetic import HostArithmetic
from radit.accel.host.device import AcceleratorDevice
from radit.accel.host.layout import KIND
from radit.accel.host.packed import DriverError, PackedModel, RegisterValue
from radit.cosim.drive.c_driver import CDevice
from radit.cosim.drive.compare import drive
from radit.cosim.drive.simulated import ORIGIN, BusTiming, SimulatedBackend, SimulatedBuffer
from radit.reports.cycles.bus import behind_axi
from radit.reports.run.driven import predicted_on_bus
from tests.drive.tiny import BUILD, BUS, libraries, tiny_packed, tiny_prepared

POLICIES = ("dense", "radit:threshold=0.9:first_dense=1", "forecast:threshold=0.9:first_dense=2", "planned")
NEVER = 500_000  # cycles, much longer than all timesteps of a test
pytestmark = pytest.mark.xdist_group("drive")  # one library, compiled once


@pytest.fixture(params=["c", "python"])
def device(request):
    """A driver on a simulation with room for the model, and its backend; the bus's rules hold at the end."""
    with SimulatedBackend(libraries()[0], 8 * tiny_packed().memory_bytes, BusTiming(10)) as backend:
        backend.set_pause(100, NEVER)
        made = AcceleratorDevice(backend) if request.param == "python" else CDevice(backend, libraries()[1])
        made.backend = backend
        yield made
        assert backend.broken == ""


def raised(name: str, call, *arguments) -> DriverError:
    """The failure that a call must have."""
    with pytest.raises(DriverError) as caught:
        call(*arguments)
    assert caught.value.name == name, str(caught.value)
    return caught.value


def limit(device) -> object:
    """How long to wait for what never ends: looks of the C driver, seconds of the other."""
    return 50 if isinstance(device, CDevice) else 0.05


def begun(device, packed: PackedModel | None = None) -> np.ndarray:
    """An image, loaded and begun; x of its first timestep, written."""
    packed = packed or tiny_packed()
    device.load(packed)
    device.image(0)
    x = HostArithmetic(packed, 0).enter()
    device.write_x(x)
    return x


def finished(device) -> np.ndarray:
    """x after the first timestep of image 0."""
    begun(device)
    device.start(0)
    device.wait()
    return device.read_x()


@pytest.mark.parametrize("driver", ["c", "python"])
@pytest.mark.parametrize("policy", POLICIES)
def test_whole_images_are_the_references(policy, driver, seed):
    """Two images in turn, the memory with pauses and IDs in any order: x of every timestep, the images, the cycles."""
    prepared = tiny_prepared()
    memory = behind_axi(25, 0.2, BUS)
    found = drive(prepared, prepared.policy(policy), BUS, BusTiming(25, 0.2, seed % 1000), driver, BUILD)
    assert [one.is_equal for one in found] == [True, True], found
    for one in found:
        assert one.words == 4 * 2 * 2 * 4 * 8 and one.wrong_words == one.wrong_values == 0
        assert one.difference < 1e-4 and one.counts["interrupts"] == one.steps == 4
        assert one.cycles > one.busy > 0
        assert not predicted_on_bus(prepared, prepared.policy(policy), one, memory).imprecise(memory)
        assert one.decisions.computed.all() == (policy == "dense") or policy.startswith("forecast")


def test_a_wrong_reference_is_noticed(monkeypatch):
    """The comparison can fail."""
    from radit.cosim.drive import compare

    def other(*arguments):
        right = expected(*arguments)
        x_out = [*right.x_out[:2], right.x_out[2] ^ 1, *right.x_out[3:]]
        return replace(right, x_out=x_out, image=np.nextafter(right.image, 2))

    expected = compare.expected_image
    monkeypatch.setattr(compare, "expected_image", other)
    one, _ = drive(tiny_prepared(), tiny_prepared().policy("dense"), BUS, BusTiming(), "c", BUILD)
    assert one.wrong_words == 64 and one.first_wrong == 2 and one.wrong_values > 0 and not one.is_equal


WAYS = (
    {"cfg": 1.0, "solver": "unipc", "spacing": "quadratic", "steps": 3},
    {"timesteps": 2},
    {"solver": "heun", "steps": 3},
)


@pytest.mark.parametrize("way", WAYS, ids=("unipc", "two timesteps", "heun"))
def test_without_guidance_and_with_other_samplers(way):
    prepared = tiny_prepared(**way, images=1)
    (one,) = drive(prepared, prepared.policy("radit"), BUS, BusTiming(), "c", BUILD)
    assert one.is_equal


def test_calls_out_of_order(device):
    for call in (device.read_x, device.abort, device.poll):
        raised("ORDER", call)
    raised("ORDER", device.image, 0)
    raised("ORDER", device.start, 0)
    device.load(tiny_packed())
    raised("ORDER", device.start, 0)
    raised("NO_IMAGE", device.image, 2)
    device.image(1)
    raised("NO_STEP", device.start, 4)
    raised("ORDER", device.poll)
    device.write_x(HostArithmetic(tiny_packed(), 1).enter())
    device.start(3)
    raised("BUSY", device.start, 0)
    raised("BUSY", device.image, 0)
    raised("BUSY", device.load, tiny_packed())
    raised("BUSY", device.read_x)
    device.wait()
    raised("ORDER", device.poll)


def test_what_does_not_fit_is_refused(device):
    packed, backend = tiny_packed(), device.backend
    size = packed.memory_bytes

    def memory(place: int, room: int) -> SimulatedBuffer:
        return SimulatedBuffer(place, backend.memory[:room])

    raised("ALIGNMENT", device.load, packed, memory(ORIGIN + 128, size))
    raised("NO_ROOM", device.load, packed, memory(ORIGIN, size - 256))
    raised("ADDRESS", device.load, packed, memory((1 << 40) - 512, size))
    raised("ADDRESS", device.load, packed, memory(1 << 50, size))
    raised("FILE_DAMAGED", device.load, packed.to_bytes()[:-1] + b"\1")
    raised("NOT_A_MODEL", device.load, b"")
    for name, value, code in (
        ("rows", 8, "OTHER_ARRAY"), ("cols", 16, "OTHER_ARRAY"), ("products", 2, "OTHER_ARRAY"),
        ("text", 5, "OTHER_ARRAY"),
        ("hidden", 4096, "BUILD_TOO_SMALL"), ("mlp", 4096, "BUILD_TOO_SMALL"), ("tokens", 4096, "BUILD_TOO_SMALL"),
        ("contexts", 99, "BUILD_TOO_SMALL"), ("sub_blocks", 4096, "BUILD_TOO_SMALL"), ("frames", 2, "BUILD_TOO_SMALL"),
        ("frame_banks", 2, "BUILD_TOO_SMALL"),
    ):  # fmt: skip
        other = PackedModel({**packed.needs, name: value}, packed.registers, packed.sections)
        raised(code, device.load, other.to_bytes(), memory(ORIGIN, size))
    raised("ORDER", device.image, 0)
    assert finished(device).size == packed.needs["x_bytes"] // 2


def test_a_refused_timestep(device):
    """Heads that do not fit D: told with the register; afterwards a right one runs."""
    packed = tiny_packed()
    heads = RegisterValue(STROBE_BITS * ADDRESS["heads"], 3)
    begun(device, PackedModel(packed.needs, [*packed.registers, heads], packed.sections))
    device.start(0)
    error = raised("REFUSED", device.wait)
    if isinstance(device, CDevice):
        failure = device.failure
        assert (failure.offset, failure.found) == (STROBE_BITS * ADDRESS["hidden"], list(ERRORS).index("RELATION") + 1)
    else:
        assert "RELATION" in str(error)
    right = HostArithmetic(packed, 0)
    assert finished(device).size == right.enter().size


def test_a_memory_that_answers_with_an_error(device):
    """The timestep ends, and the code says why; without the error x is right again."""
    right = finished(device)
    backend = device.backend
    backend.refuse(backend.origin, backend.origin + backend.memory.size)
    begun(device)
    device.start(0)
    raised("MEMORY", device.wait)
    backend.refuse(0, 0)
    assert np.array_equal(finished(device), right)


def test_memory_that_is_not_there(device):
    """Addresses that the interconnect does not know."""
    packed, backend = tiny_packed(), device.backend
    far = SimulatedBuffer(ORIGIN + (1 << 32), backend.memory)
    if isinstance(device, CDevice):
        raised("BUS", device.load, packed, far)
    else:  # its processor sees the memory at another place
        device.load(packed, far)
        device.image(0)
        device.start(0)
        raised("MEMORY", device.wait)


def test_a_bus_that_never_answers(device):
    """The wait ends, the abort does, and after a reset everything works."""
    right = finished(device)
    backend = device.backend
    begun(device)
    backend.silence(True)
    device.start(0)
    raised("TIMEOUT", device.wait, limit(device))
    raised("BUSY", device.start, 0)
    raised("TIMEOUT", device.abort, limit(device))
    backend.silence(False)
    backend.reset()
    fresh = AcceleratorDevice(backend) if not isinstance(device, CDevice) else CDevice(backend, libraries()[1])
    memory = SimulatedBuffer(backend.origin, backend.memory)
    fresh.load(tiny_packed(), memory)
    fresh.image(0)
    fresh.write_x(HostArithmetic(tiny_packed(), 0).enter())
    fresh.start(0)
    fresh.wait()
    assert np.array_equal(fresh.read_x(), right)


def test_an_abort(device):
    """Of a timestep that runs, and of none; the image begins anew, and the next result is right."""
    right = finished(device)
    begun(device)
    device.start(0)
    device.abort()
    raised("ORDER", device.start, 0)
    device.abort()  # nothing runs
    assert np.array_equal(finished(device), right)


def test_the_watchdog(device):
    """It ends a timestep whose memory is silent; the answers come in the end."""
    packed = tiny_packed()
    watchdog = RegisterValue(STROBE_BITS * ADDRESS["watchdog"], 300)
    begun(device, PackedModel(packed.needs, [*packed.registers, watchdog], packed.sections))
    device.backend.silence(True)
    device.start(0)
    raised("TIMEOUT", device.wait, limit(device))
    device.backend.silence(False)
    raised("ENDED", device.wait)


def test_registers_that_are_not_there():
    """A probe of something else: other numbers, a bus that answers with errors."""

    class Elsewhere:
        def __init__(self, answer):
            self.answer = answer

        def read32(self, offset):
            if self.answer is None:
                raise OSError("no answer")
            return self.answer

    raised("NO_DEVICE", AcceleratorDevice, Elsewhere(0xFFFFFFFF))
    raised("BUS", AcceleratorDevice, Elsewhere(None))


def test_files_without_the_hosts_part(device):
    """Registers and memories are enough for timesteps, not for whole images."""
    packed = tiny_packed()
    kept = [one for one in packed.sections if one.kind != KIND["last_bias"]]
    short = PackedModel(packed.needs, packed.registers, kept)
    if isinstance(device, CDevice):
        device.load(short)
        raised("FILE_WRONG", device.generate, 0)
    else:
        raised("FILE_WRONG", HostArithmetic, short, 0)
    begun(device)
