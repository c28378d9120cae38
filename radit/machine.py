"""The machine around a model: the shape of the MAC array, the external memory and the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radit.model.errors import UserError, shown
from radit.model.ranges import RANGES, checked
from radit.reports.machine.array_text import Array, parse_array

if TYPE_CHECKING:
    from radit.reports.cycles.memory import MemoryModel
    from radit.reports.machine.description import MachineDescription

__all__ = ["Array", "Memory", "given_memory", "machine_around", "parse_array"]

BUS_WIDTHS = (64, 128, 256, 512)  # of the AXI wrapper, data bits


@dataclass(frozen=True)
class Memory:
    """The external memory.

    Fields:
        latency: from a read command to its first word, cycles.
        bandwidth: what all ports share, bytes per cycle; None or infinity: a word in every cycle at every port.
        stall: random pauses of each port, probability per cycle, 0 to below 1.
        seed: of those pauses, in a co-simulation.
        axi: of predictions: data bits of the AXI wrapper (docs/axi.md) between accelerator and memory, 64 to 512; None:
            no wrapper. Co-simulation has none; `radit drive` simulates it.

    Raises:
        UserError: a value is out of range.
    """

    latency: int = 100
    bandwidth: float | None = 32.0
    stall: float = 0.0
    seed: int = 1
    axi: int | None = None

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("latency", "stall", "seed")}
        limit = RANGES["bandwidth"].check("bandwidth", math.inf if self.bandwidth is None else self.bandwidth)
        found = {name: RANGES[name].check(name, value) for name, value in given.items()}
        for name, value in {**found, "bandwidth": None if limit == math.inf else limit}.items():
            object.__setattr__(self, name, value)
        if self.axi is not None and (isinstance(self.axi, bool) or self.axi not in BUS_WIDTHS):
            raise UserError(f"axi is {shown(self.axi)}: give 64, 128, 256 or 512 data bits, or None.")

    def model(self) -> MemoryModel:
        """The same as the cycle model takes it; pauses are met on average."""
        from radit.accel.axi.bus_config import BusConfig
        from radit.reports.cycles.bus import behind_axi
        from radit.reports.cycles.memory import MemoryModel

        if self.axi is not None:
            return behind_axi(self.latency, self.stall, BusConfig(data_bits=self.axi), self.bandwidth)
        return MemoryModel(self.latency, self.bandwidth, self.stall)


def given_memory(memory: Memory | None) -> Memory:
    """The memory that was given, or the usual one.

    Raises:
        UserError: something else was given.
    """
    if memory is not None and not isinstance(memory, Memory):
        raise UserError(f"memory is {shown(memory)}: give a radit.Memory, or None for the usual one.")
    return memory or Memory()


def machine_around(
    machine: MachineDescription | None, array: Array, memory: Memory | None, clock_mhz: float
) -> tuple[tuple[int, ...], Memory, float]:
    """Shape of the array, external memory and clock in MHz: those of a whole machine, or else the single ones.

    Raises:
        UserError: one of them is not what it has to be.
    """
    given, shape, clock = given_memory(memory), parse_array(array), checked(clock_mhz=clock_mhz)
    if machine is None:
        return shape, given, clock
    own = machine.memory
    return machine.shape, Memory(own.latency, own.bandwidth, own.stall, own.seed), machine.clock_mhz
