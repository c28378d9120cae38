"""cocotb: whole images by the driver in Python, over other people's models of bus and memory (cocotbext-axi)."""

import json
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, First, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp

from radit.accel.axi.bus_config import PAGE_BYTES
from radit.accel.host.arithmetic import generate_image
from radit.accel.host.device import AcceleratorDevice
from tests.axi.bench_bridges import pause
from tests.axi.bench_timesteps import INPUTS, Reads, Writes
from tests.axi.bus_checks import BusWatch
from tests.axi.simulate import settings

ORIGIN = 0x1_2345_6000  # above 32 bits
LOOK_CYCLES = 1000  # between two looks of the driver, unless an interrupt comes


class SharedBuffer:
    """A part of the memory; see `Buffer`. Nothing is cached."""

    def __init__(self, device_address: int, content: np.ndarray) -> None:
        self.device_address, self.bytes = device_address, content

    def flush(self) -> None:
        pass

    def invalidate(self) -> None:
        pass


class CocotbBackend:
    """The registers through an AXI4-Lite master; see `Backend`. Its calls wait for the simulation."""

    def __init__(self, dut, host: AxiLiteMaster, memory: bytearray) -> None:
        self._dut, self._host, self._taken = dut, host, 0
        self._memory = np.frombuffer(memory, np.uint8)
        self.read32, self.write32, self.pause = resume(self._read), resume(self._write), resume(self._pause)

    async def _read(self, offset: int) -> int:
        answer = await self._host.read(offset, 4)
        if answer.resp != AxiResp.OKAY:
            raise OSError(f"response of the read is {answer.resp}")
        return int.from_bytes(answer.data, "little")

    async def _write(self, offset: int, value: int) -> None:
        answer = await self._host.write(offset, value.to_bytes(4, "little"))
        if answer.resp != AxiResp.OKAY:
            raise OSError(f"response of the write is {answer.resp}")

    async def _pause(self) -> None:
        if not self._dut.irq.value:
            await First(RisingEdge(self._dut.irq), ClockCycles(self._dut.clk, LOOK_CYCLES))

    def allocate(self, size: int) -> SharedBuffer:
        begun = -(-self._taken // PAGE_BYTES) * PAGE_BYTES
        self._taken = begun + size
        return SharedBuffer(ORIGIN + begun, self._memory[begun : begun + size])


@cocotb.test()
async def images(dut) -> None:
    """Every x of every timestep, and every bit of the image, is the reference's."""
    given = settings()
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    for prefix, names in INPUTS.items():
        for name in names:
            getattr(dut, prefix + name).value = 0
    dut.aresetn.value = 0
    await ClockCycles(dut.clk, 3)
    packed = Path(given["packed"]).read_bytes()
    memory = bytearray(given["memory_bytes"] + PAGE_BYTES)
    bus = AxiBus.from_prefix(dut, "m_axi")
    reads, writes = Reads(bus.read, dut.clk, size=len(memory)), Writes(bus.write, dut.clk, size=len(memory))
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.aresetn, False)
    for model in (host.write_if, host.read_if, reads, writes):
        model.log.setLevel("WARNING")
    reads.mem = writes.mem = memory
    reads.origin = writes.origin = ORIGIN
    rng = random.Random(cocotb.RANDOM_SEED)
    pause(reads, ("ar_channel", "r_channel"), rng, given["pause"])
    pause(writes, ("aw_channel", "w_channel", "b_channel"), rng, given["pause"])
    dut.aresetn.value = 1
    watch = BusWatch(dut, given["data_bits"] // 8, given["burst"])
    cocotb.start_soon(watch.run())
    backend = CocotbBackend(dut, host, memory)
    found = await bridge(generate)(backend, packed, np.load(given["expected"]))
    found |= {"cycles": watch.cycle, "reads": watch.reads, "writes": watch.writes}
    Path(given["found"]).write_text(json.dumps(found))


def generate(backend: CocotbBackend, packed: bytes, expected) -> dict[str, int]:
    """The first image by the driver; how many values were compared, and how many differ."""
    found = {"words": 0, "wrong_words": 0}
    device = AcceleratorDevice(backend)
    device.load(packed)

    def compare(step: int, x_in: np.ndarray, x_out: np.ndarray) -> None:
        for mine, wanted in ((x_in, expected["x_in"][step]), (x_out, expected["x_out"][step])):
            found["words"] += mine.size
            found["wrong_words"] += int((mine != wanted).sum())

    image = generate_image(device, 0, compare).reshape(-1)
    wrong = (image.view(np.uint32) != expected["image"].view(np.uint32)).sum()
    return found | {"values": image.size, "wrong_values": int(wrong)}
