"""cocotb: random commands at every port of the bridges, memories of several kinds behind them."""

import itertools
import json
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiRamRead, AxiRamWrite

from tests.axi.bus_checks import BusWatch, SplitMemory
from tests.axi.simulate import settings

PAGE = 256
REGION = 1 << 14  # bytes of a port's memory
PARTS = ("tdata", "tvalid", "tready")
TIMEOUT_US = 4000
OKAY, SLVERR, DECERR = 0, 2, 3


class Ports:
    """Drives the word side: reads compared with the memory, writes noted in ``expected``."""

    def __init__(self, dut, given: dict) -> None:
        self.dut, self.given, self.random = dut, given, random.Random(cocotb.RANDOM_SEED)
        count = len(given["reads"]) + len(given["writes"])
        size = max(REGION * count, (given.get("long_read", 0) + 2) * 32)
        self.memory = bytearray(self.random.randbytes(size))
        self.expected = bytearray(self.memory)
        self.words = self.wrong = 0

    def runs(self) -> list:
        """One task per port."""
        reads = [self._port("r", i, size, i * REGION) for i, size in enumerate(self.given["reads"])]
        first = len(reads) * REGION
        return reads + [self._port("w", i, size, first + i * REGION) for i, size in enumerate(self.given["writes"])]

    def _commands(self, size: int):
        """Word addresses and lengths: mostly short, some of several bursts."""
        for _ in range(self.given["commands"]):
            length = self.random.choice((1, 2, 3, self.random.randint(1, 40), self.random.randint(1, 6000 // size)))
            length = min(length, self.given.get("longest", REGION // size))
            yield self.random.randint(0, REGION // size - length), length

    async def _pause(self) -> None:
        while self.random.random() < self.given["stall"]:
            await RisingEdge(self.dut.clk)

    async def _moved(self, flag, data=None) -> int:
        """Wait for the edge at which the other side agrees; what ``data`` was there."""
        while True:
            await ReadOnly()
            taken = bool(flag.value)
            value = int(data.value) if taken and data is not None else 0
            await RisingEdge(self.dut.clk)
            if taken:
                return value

    async def _ask(self, name: str, commands: list[tuple[int, int]]) -> None:
        address, length, valid, ready = (
            getattr(self.dut, f"p_{name}_cmd_{part}") for part in ("taddr", "tlen", "tvalid", "tready")
        )
        for first, count in commands:
            await self._pause()
            address.value, length.value, valid.value = first, count, 1
            await self._moved(ready)
            valid.value = 0

    async def _port(self, kind: str, number: int, size: int, base: int) -> None:
        name = f"{kind}{number}"
        getattr(self.dut, f"p_{name}_page").value = base // PAGE
        data, valid, ready = (getattr(self.dut, f"p_{name}_data_{part}") for part in PARTS)
        commands = list(self._commands(size))
        asking = cocotb.start_soon(self._ask(name, commands))
        words = itertools.chain.from_iterable(range(first, first + count) for first, count in commands)
        for word in words:
            await self._pause()
            place = base + word * size
            if kind == "r":
                ready.value = 1
                found = await self._moved(valid, data)
                ready.value = 0
                self.wrong += found.to_bytes(size, "little") != self.memory[place : place + size]
            else:
                value = self.random.randbytes(size)
                self.expected[place : place + size] = value
                data.value, valid.value = int.from_bytes(value, "little"), 1
                await self._moved(ready)
                valid.value = 0
            self.words += 1
        await asking


async def start(dut) -> tuple[dict, Ports, BusWatch]:
    """Clock, reset, the checks of the bus."""
    given = settings()
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    for kind, sizes in (("r", given["reads"]), ("w", given["writes"])):
        for number in range(len(sizes)):
            getattr(dut, f"p_{kind}{number}_cmd_tvalid").value = 0
            getattr(dut, f"p_{kind}{number}_data_{'tready' if kind == 'r' else 'tvalid'}").value = 0
    for name in ("arready", "awready", "wready", "rvalid", "bvalid"):
        getattr(dut, f"m_axi_{name}").value = 0
    dut.drain_holds.value = 0
    dut.aresetn.value = 0
    await ClockCycles(dut.clk, 4)
    dut.aresetn.value = 1
    watch = BusWatch(dut, given["data_bits"] // 8, given["burst"])
    cocotb.start_soon(watch.run())
    return given, Ports(dut, given), watch


def paused(rng: random.Random, share: float):
    """Random pauses of a channel."""
    while True:
        yield rng.random() < share


def pause(memory, channels: tuple[str, ...], rng: random.Random, share: float) -> None:
    if share:
        for name in channels:
            getattr(memory, name).set_pause_generator(paused(rng, share))


class Refusing(AxiRamWrite):
    """Writes nothing below ``limit`` and says so."""

    limit = 0

    async def _write(self, address, data):
        if address < self.limit:
            raise ValueError(f"address {address}")
        await super()._write(address, data)


async def long_read(dut, words: int, ports: Ports) -> dict:
    """One command of port 0, whose words are taken at once: cycles from the first word to the last, and to it."""
    size = ports.given["reads"][0]
    dut.p_r0_page.value, dut.p_r0_cmd_taddr.value, dut.p_r0_cmd_tlen.value = 0, 1, words
    dut.p_r0_cmd_tvalid.value, dut.p_r0_data_tready.value = 1, 1
    seen, first, cycle = 0, 0, 0
    while seen < words:
        await ReadOnly()
        asked = bool(dut.p_r0_cmd_tready.value)
        if dut.p_r0_data_tvalid.value:
            place = (1 + seen) * size
            assert int(dut.p_r0_data_tdata.value).to_bytes(size, "little") == ports.memory[place : place + size]
            first = first or cycle
            seen += 1
        await RisingEdge(dut.clk)
        cycle += 1
        if asked:
            dut.p_r0_cmd_tvalid.value = 0
    return {"read_words": seen, "read_cycles": cycle - first, "first_word": first}


@cocotb.test()
async def commands(dut) -> None:
    """All words right, all rules kept, idle at the end."""
    given, ports, watch = await start(dut)
    bus, rng = AxiBus.from_prefix(dut, "m_axi"), random.Random(cocotb.RANDOM_SEED + 1)
    writing = AxiRamWrite(bus.write, dut.clk, size=len(ports.memory), mem=ports.memory)
    pause(writing, ("aw_channel", "w_channel", "b_channel"), rng, given["pause"])
    if given["memory"] == "ram":
        reading = AxiRamRead(bus.read, dut.clk, size=len(ports.memory), mem=ports.memory)
        pause(reading, ("ar_channel", "r_channel"), rng, given["pause"])
    else:
        mixes = rng if given["memory"] == "mixing" else None
        memory = SplitMemory(dut, ports.memory, given["data_bits"] // 8, given["latency"], mixes)
        cocotb.start_soon(memory.run())
    if given.get("long_read"):
        speed = await long_read(dut, given["long_read"], ports)
        Path(given["found"]).write_text(json.dumps(speed))
        return
    tasks = [cocotb.start_soon(run) for run in ports.runs()]
    for task in tasks:
        await with_timeout(task, TIMEOUT_US, "us")
    for _ in range(2000):
        await RisingEdge(dut.clk)
        if dut.idle.value:
            break
    await ClockCycles(dut.clk, 4)
    assert dut.idle.value, "the bridges are not idle"
    assert ports.wrong == 0, f"{ports.wrong} of {ports.words} words differ"
    assert ports.memory == ports.expected, "the memory differs"
    Path(given["found"]).write_text(
        json.dumps({"words": ports.words, "cycles": watch.cycle, "reads": watch.reads, "writes": watch.writes})
    )
