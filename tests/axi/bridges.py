"""The bridges alone, with flat ports: what simulators and provers see."""

from dataclasses import dataclass
from pathlib import Path

from myhdl import ResetSignal, block

from radit.accel.axi.bus_config import BridgedPort, BusConfig
from radit.accel.axi.bus_ports import AxiMaster, Drain, Fault
from radit.accel.axi.memory_side import Bridged, memory_side
from radit.accel.export.convert import forgotten_signals, start_numbering, write_hdl
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.streams import Command, ReadChannel, Stream, WriteChannel
from radit.model.system.processes import in_thread

NAME = "bridges"


class PortSignals:
    """Ports r0, r1, .. and w0, w1, ..: cmd: Command, data: Stream, page."""

    def __init__(self, reads, writes, bus):
        for kind, sizes in (("r", reads), ("w", writes)):
            for number, size in enumerate(sizes):
                setattr(self, f"{kind}{number}_cmd", Command())
                setattr(self, f"{kind}{number}_data", Stream(8 * size))
                setattr(self, f"{kind}{number}_page", word(bus.page_bits))


@block
def bridges(clk, aresetn, m_axi, p, read_fault, write_fault, drain, idle, reads, writes, bus):
    """Ports whose words have the bytes in ``reads`` and ``writes``."""

    def bridged(kind, sizes, channel):
        return [
            Bridged(
                BridgedPort(f"{kind}{i}", f"{kind}{i}", size, i),
                channel(getattr(p, f"{kind}{i}_cmd"), getattr(p, f"{kind}{i}_data")),
                getattr(p, f"{kind}{i}_page"),
            )
            for i, size in enumerate(sizes)
        ]

    return memory_side(
        clk=clk, aresetn=aresetn, bridge_resetn=aresetn, m_axi=m_axi, reads=bridged("r", reads, ReadChannel),
        writes=bridged("w", writes, WriteChannel), read_fault=read_fault, write_fault=write_fault, drain=drain,
        idle=idle, bus=bus,
    )  # fmt: skip


@dataclass(frozen=True)
class BridgeSet:
    """Bytes of the words of each port, and the bus."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    bus: BusConfig

    def convert(self, folder: Path, language: str = "verilog") -> Path:
        return in_thread(self._convert, folder, language)

    def _convert(self, folder: Path, language: str) -> Path:
        start_numbering()
        with forgotten_signals():
            top = bridges(
                flag(), ResetSignal(0, active=0, isasync=False), AxiMaster(self.bus),
                PortSignals(self.reads, self.writes, self.bus), Fault(), Fault(), Drain(), flag(), self.reads,
                self.writes, self.bus,
            )  # fmt: skip
            return write_hdl(top, language, folder, NAME, f"bridges {self.reads} {self.writes}")
