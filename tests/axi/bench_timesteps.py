"""cocotb: whole timesteps through the wrapper, driven as a host drives them."""

import json
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRamRead, AxiRamWrite, AxiResp

from radit.accel.axi.bus_registers import CODE, IDENTIFICATION
from radit.accel.control.registers import (
    ABORT,
    ADDRESS,
    CLEAR_COUNTERS,
    CODE_LOW,
    COUNTER_ADDRESS,
    ERROR_BIT,
    PLACE_LOW,
)
from radit.accel.control.registers import CODE as INNER_CODE
from tests.axi.bench_bridges import pause
from tests.axi.bus_checks import BusWatch, SplitMemory
from tests.axi.simulate import settings

TIMEOUT_US = 4000
DONE, FAULT = 1, 2
ERROR = 1 << ERROR_BIT  # of the accelerator's status


class Reads(AxiRamRead):
    """A memory that begins at ``origin``, and refuses reads in ``bad`` (a range of places)."""

    origin, bad = 0, range(0)

    async def _read(self, address, length):
        if address - self.origin in self.bad:
            raise ValueError("refused")
        return await super()._read(address - self.origin, length)


class Writes(AxiRamWrite):
    """The same for writes."""

    origin, bad = 0, range(0)

    async def _write(self, address, data):
        if address - self.origin in self.bad:
            raise ValueError("refused")
        await super()._write(address - self.origin, data)


class System:
    """The wrapper with a host and a memory."""

    def __init__(self, dut) -> None:
        self.dut, self.given = dut, settings()
        told = json.loads(Path(self.given["runs"]).read_text())
        self.runs, self.where = told["runs"], told["addresses"]
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.aresetn, False)
        bus = AxiBus.from_prefix(dut, "m_axi")
        self.reads = None if "latency" in self.given else Reads(bus.read, dut.clk, size=1 << 20)
        self.writes = Writes(bus.write, dut.clk, size=1 << 20)
        for model in (self.host.write_if, self.host.read_if, self.reads, self.writes):
            if model:
                model.log.setLevel("WARNING")
        rng = random.Random(cocotb.RANDOM_SEED)
        if self.reads is None:  # a memory of this latency, several bursts on the way
            self.reads = SplitMemory(dut, b"", self.given["data_bits"] // 8, self.given["latency"])
            cocotb.start_soon(self.reads.run())
        else:
            pause(self.reads, ("ar_channel", "r_channel"), rng, self.given["pause"])
        pause(self.writes, ("aw_channel", "w_channel", "b_channel"), rng, self.given["pause"])
        self.watch = BusWatch(dut, self.given["data_bits"] // 8, self.given["burst"])
        self.cycles: list[int] = []

    async def read(self, name: str) -> int:
        return await self.host.read_dword(self.where[name])

    async def write(self, address: int, value: int) -> AxiResp:
        answer = await self.host.write(address, value.to_bytes(4, "little"))
        return answer.resp

    async def load(self, run: dict) -> None:
        """Fill the memory, tell where everything is."""
        memory = bytearray.fromhex(run["memory"])
        self.reads.mem = self.writes.mem = memory
        self.writes.size = len(memory)
        if isinstance(self.reads, Reads):
            self.reads.size = len(memory)
        self.reads.origin = self.writes.origin = run["origin"]
        for address, value in run["bases"]:
            assert await self.write(address, value) == AxiResp.OKAY

    async def start(self, run: dict, step: dict) -> None:
        x_in = bytes.fromhex(step["x_in"])
        self.reads.mem[run["x_in"] : run["x_in"] + len(x_in)] = x_in
        await self.write(4 * ADDRESS["control"], CLEAR_COUNTERS)
        for address, value in step["registers"]:
            assert await self.write(address, value) == AxiResp.OKAY
        assert await self.write(*run["start"]) == AxiResp.OKAY

    async def counter(self, name: str) -> int:
        return await self.host.read_qword(4 * COUNTER_ADDRESS[name])

    async def wait(self) -> int:
        """For the interrupt; its status, which is cleared."""
        begun = self.watch.cycle
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), TIMEOUT_US, "us")
        self.cycles.append(self.watch.cycle - begun)
        status = await self.read("irq_status")
        assert await self.read("run_status") == 0 or not status & DONE
        await self.write(self.where["irq_status"], status)
        assert await self.read("irq_status") == 0 and not self.dut.irq.value
        return status

    def x_differs(self, run: dict, step: dict) -> bool:
        expected = bytes.fromhex(step["x_out"])
        return bytes(self.writes.mem[run["x_out"] : run["x_out"] + len(expected)]) != expected


INPUTS = {
    "m_axi_": ("awready", "wready", "bvalid", "arready", "rvalid"),
    "s_axil_": ("awvalid", "wvalid", "bready", "arvalid", "rready"),
}


async def reset(dut) -> System:
    """A system just out of a reset of three cycles."""
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    for prefix, names in INPUTS.items():
        for name in names:
            getattr(dut, prefix + name).value = 0
    dut.aresetn.value = 0
    await ClockCycles(dut.clk, 3)
    system = System(dut)
    dut.aresetn.value = 1
    cocotb.start_soon(system.watch.run())
    return system


@cocotb.test()
async def timesteps(dut) -> None:
    """x of every timestep is the reference's; then errors, and a right run after them."""
    system = await reset(dut)
    assert await system.read("identification") == IDENTIFICATION
    await system.write(system.where["irq_enable"], DONE | FAULT)
    spent: list[int] = []
    for run in system.runs:
        await system.load(run)
        for number, step in enumerate(run["steps"]):
            await system.start(run, step)
            assert await system.wait() == DONE
            spent.append(await system.counter("cycles"))
            assert not system.x_differs(run, step), f"x of timestep {number} differs"
    if isinstance(system.reads, Reads):
        await errors(system)
    found = {"cycles": system.cycles, "spent": spent, "reads": system.watch.reads, "writes": system.watch.writes}
    Path(system.given["found"]).write_text(json.dumps(found))


async def errors(system: System) -> None:
    """Each has its code; the first one stays until it is cleared."""
    run = system.runs[0]
    step, low = run["steps"][0], system.where["weight_base_low"]
    await system.load(run)
    assert await system.write(low, 1) == AxiResp.SLVERR
    assert await system.read("error") & 7 == CODE["BASE"]
    assert await system.wait() == FAULT and await system.read("error") == 0
    await system.start(run, step)
    assert await system.write(*run["start"]) == AxiResp.SLVERR
    assert await system.read("error") & 7 == CODE["BUSY"]
    await settle(system)
    assert not system.x_differs(run, step), "x differs after a start while busy"
    system.reads.bad = range(run["x_in"], run["x_in"] + 1)
    await system.start(run, step)
    await settle(system, CODE["SLVERR"], system.given["x_in"], of_write=0)
    system.reads.bad = range(0)
    system.writes.bad = range(run["x_out"], run["x_out"] + 1)
    await system.start(run, step)
    await settle(system, CODE["SLVERR"], system.given["x_out"], of_write=1)
    system.writes.bad = range(0)
    await system.load(run)
    await system.start(run, step)
    assert await system.wait() == DONE
    assert not system.x_differs(run, step), "x differs after errors"


async def settle(system: System, code: int = 0, port: int = 0, of_write: int = 0) -> None:
    """Wait for the end of a timestep with an error."""
    while not await system.read("irq_status") & DONE:
        pass
    assert await system.read("irq_status") == DONE | FAULT
    if code:
        assert await system.read("error") == port << 4 | of_write << 3 | code
    await system.write(system.where["irq_status"], DONE | FAULT)
    assert await system.read("error") == 0


@cocotb.test()
async def endings(dut) -> None:
    """Timesteps that do not start, or end early; a right one follows each."""
    system = await reset(dut)
    if not isinstance(system.reads, Reads):
        return
    await system.write(system.where["irq_enable"], DONE | FAULT)
    run = system.runs[0]
    await system.load(run)
    for end in (refused_start, aborted_run, silent_memory):
        await end(system, run, run["steps"][0])
        await right_after(system, run, end.__name__)


async def right_after(system: System, run: dict, what: str) -> None:
    """What the accelerator told is cleared; the first timestep of the image is right."""
    status = 4 * ADDRESS["status"]
    await system.write(status, await system.host.read_dword(status))
    assert await system.host.read_dword(status) & ERROR == 0
    await system.load(run)
    await system.start(run, run["steps"][0])
    assert await system.wait() == DONE
    assert not system.x_differs(run, run["steps"][0]), f"x differs after {what}"


async def told(system: System, code: str, name: str) -> None:
    """The interrupt of the error, the wrapper's code, and the accelerator's own."""
    if not system.dut.irq.value:
        await with_timeout(RisingEdge(system.dut.irq), TIMEOUT_US, "us")
    assert await system.read("error") == CODE["INSIDE"]
    status = await system.host.read_dword(4 * ADDRESS["status"])
    assert status >> CODE_LOW == INNER_CODE[code] | ADDRESS[name] << PLACE_LOW - CODE_LOW
    assert await system.read("irq_status") & FAULT
    await system.write(system.where["irq_status"], FAULT)


async def moving(system: System, bursts: int) -> None:
    """Wait until so many more bursts have been read."""
    begun = system.watch.reads
    while system.watch.reads < begun + bursts:
        await RisingEdge(system.dut.clk)


async def refused_start(system: System, run: dict, step: dict) -> None:
    """A register that does not fit: nothing is moved, and no end is told."""
    moved = system.watch.reads, system.watch.writes
    await system.start(run, {**step, "registers": [*step["registers"], (4 * ADDRESS["heads"], 3)]})
    await told(system, "RELATION", "hidden")
    await ClockCycles(system.dut.clk, 100)
    assert await system.read("irq_status") == await system.read("run_status") == 0
    assert (system.watch.reads, system.watch.writes) == moved


async def aborted_run(system: System, run: dict, step: dict) -> None:
    """Registers that may be written while busy; what is on its way over the bus comes to its end."""
    await system.start(run, step)
    await moving(system, 4)
    assert await system.write(4 * ADDRESS["watchdog"], 0) == AxiResp.OKAY
    assert await system.write(4 * ADDRESS["control"], ABORT) == AxiResp.OKAY
    await told(system, "ABORTED", "control")
    assert await system.wait() == DONE


async def silent_memory(system: System, run: dict, step: dict) -> None:
    """A memory that does not answer: the watchdog ends the timestep, the wrapper waits for the answers."""
    await system.write(4 * ADDRESS["watchdog"], 500)
    await system.start(run, step)
    await moving(system, 4)
    channel = system.reads.r_channel
    channel.clear_pause_generator()
    channel.pause = True
    await told(system, "WATCHDOG", "watchdog")
    await ClockCycles(system.dut.clk, 200)
    assert await system.read("run_status") == 1
    channel.pause = False
    assert await system.wait() == DONE
    await system.write(4 * ADDRESS["watchdog"], 0)
