"""How an engine is to run: the pace of the memories around the accelerator, trace, waveform, limits."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import MemoryPort, memory_ports
from radit.model.errors import UserError

QUEUE = 16  # commands a memory port can hold
RATE_UNIT = 256  # bandwidth is counted in bytes per 256 cycles
CHANCE_UNIT = 1 << 16
URGENT = "hist_rd"  # the port that is served first: its words are few, and the branches are read ahead of them
# The ports that are served last: weights are fetched furthest ahead, and the prompt has the whole product of q to come.
PATIENT = ("weight", "prompt")


@dataclass(frozen=True)
class MemoryTiming:
    """How a memory port, or the host's x streams, answer.

    A write is stored when its data is accepted; data keeps the order of the commands.
    """

    latency: int = 100  # cycles between a read command and the first cycle that may offer its first word
    stall: float = 0.0  # probability that a channel pauses in a cycle, drawn per port
    seed: int = 1
    depth: int = 4  # commands accepted ahead

    def __post_init__(self) -> None:
        if self.latency < 0:
            raise UserError(f"memory latency is {self.latency}; give the cycles as 0 or more.")
        if not 0 <= self.stall <= 0.99:
            raise UserError(f"stall probability is {self.stall}; give a number from 0 to 0.99.")
        if not 1 <= self.depth <= QUEUE:
            raise UserError(f"command queue depth is {self.depth}; give a number from 1 to {QUEUE}.")

    @property
    def chance(self) -> int:
        """Stall probability as an integer of 65536."""
        return round(self.stall * CHANCE_UNIT)


@dataclass(frozen=True)
class Setup:
    """How an engine is to run.

    All memory ports share ``bandwidth``: each cycle brings that many bytes, of which one widest word and one cycle's
    share can be saved up. A port pays for a word when it offers it, or the room for it. Ports are served in the
    order of ``by_priority``; one that cannot pay yet holds up those after it. The host's x streams do not count.
    """

    timing: MemoryTiming = MemoryTiming()  # of every port that has no other
    ports: Mapping[str, MemoryTiming] = field(default_factory=dict)  # by memory port; "x": the host's streams
    bandwidth: float | None = None  # bytes per cycle; None: a word in every cycle at every port
    trace: bool = True  # record the trace taps
    waves: Path | None = None  # waveform file; .vcd, and .fst where the engine can
    max_cycles: int = 1_000_000_000  # of one timestep
    threads: int = 1  # that simulate one accelerator, where the engine can

    def __post_init__(self) -> None:
        if self.bandwidth is not None and not 1 / RATE_UNIT <= self.bandwidth < 1 << 20:
            raise UserError(
                f"memory bandwidth is {self.bandwidth}; give bytes per cycle from 1/{RATE_UNIT} to 1048575, or None."
            )
        cores = os.cpu_count() or 1
        if not 1 <= self.threads <= cores:
            raise UserError(f"simulation threads is {self.threads}; give a number from 1 to {cores}, the cores here.")

    @property
    def rate(self) -> int:
        """Bandwidth in bytes per 256 cycles, 0 for unlimited."""
        return 0 if self.bandwidth is None else round(self.bandwidth * RATE_UNIT)

    def timing_of(self, port: str) -> MemoryTiming:
        """The timing of a memory port, or of "x"."""
        return self.ports.get(port, self.timing)


def by_priority(config: BuildConfig) -> list[tuple[int, MemoryPort]]:
    """The memory ports with their numbers, first served first."""

    def rank(numbered: tuple[int, MemoryPort]) -> int:
        name = numbered[1].name
        return 2 + PATIENT.index(name) if name in PATIENT else int(name != URGENT)

    return sorted(enumerate(memory_ports(config)), key=rank)
