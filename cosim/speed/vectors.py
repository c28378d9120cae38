"""Recorded vectors: every port of the accelerator, cycle by cycle, and a testbench in Python that replays them."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import Port, TopPorts
from radit.cosim.speed.replay import SHOWN_ERRORS, Columns
from radit.model.files import write_file

CLOCK = "clk"
REPORT_EVERY = 16  # cycles between two reports of a replaying simulator


@dataclass(frozen=True)
class Vectors:
    """Every port but the clock just before each rising edge, from the reset on.

    Fields:
        config: the build.
        columns: port -> its values.
        start: the cycle in which the array has delivered its first word: from there on it is at work.
    """

    config: BuildConfig
    columns: Columns
    start: int

    @property
    def cycles(self) -> int:
        """Recorded cycles."""
        return len(self.columns["aresetn"])

    def ports(self, direction: str) -> list[Port]:
        """The ports of one direction, "in" or "out", without the clock."""
        return [p for p in TopPorts(self.config).table() if p.direction == direction and p.name != CLOCK]

    def save(self, path: Path) -> None:
        """For a simulator in a process of its own."""
        write_file(path, pickle.dumps(self))

    @classmethod
    def load(cls, path: Path) -> "Vectors":
        """What ``save`` wrote."""
        return pickle.loads(path.read_bytes())


class Replay:
    """A testbench in Python, one call per cycle: sets inputs where they change, compares outputs, reports.

    Handshakes, ``busy`` and the register word are compared in every cycle after the reset, a payload where its valid is
    high. ``write`` and ``read`` reach the simulator's ports.
    """

    def __init__(
        self, vectors: Vectors, write: Callable[[str], Callable[[int], None]], read: Callable[[str], Callable[[], int]]
    ) -> None:
        outputs = [port.name for port in vectors.ports("out")]
        self.cycles = vectors.cycles
        self.compared = self.different = 0
        self._columns = vectors.columns
        self._inputs = [(write(port.name), vectors.columns[port.name]) for port in vectors.ports("in")]
        self._outputs = [(name, read(name), vectors.columns[name], self._valid_of(name, outputs)) for name in outputs]

    def _valid_of(self, name: str, outputs: list[str]) -> list[int]:
        """The column of the valid bit that a payload belongs to; for everything else that of the released reset."""
        kinds = (valid.removesuffix("tvalid").removesuffix("valid") for valid in outputs if valid.endswith("valid"))
        streams = [stream for stream in kinds if name.startswith(stream) and not name.endswith("valid")]
        if not streams:
            return self._columns["aresetn"]
        stream = max(streams, key=len)
        return self._columns[f"{stream}tvalid" if f"{stream}tvalid" in self._columns else f"{stream}valid"]

    def set_inputs(self, cycle: int) -> None:
        """Before the outputs of this cycle settle."""
        for write, column in self._inputs:
            if not cycle or column[cycle] != column[cycle - 1]:
                write(column[cycle])

    def compare(self, cycle: int) -> None:
        """After they have settled, before the rising edge."""
        if not self._columns["aresetn"][cycle]:
            return
        for name, read, column, valid in self._outputs:
            if valid[cycle]:
                found = read()
                self.compared += 1
                if found != column[cycle]:
                    self._complain(f"cycle {cycle}: {name} = {found:x}, expected {column[cycle]:x}")

    def _complain(self, sentence: str) -> None:
        self.different += 1
        if self.different <= SHOWN_ERRORS:
            print(sentence, flush=True)

    def report(self, cycle: int) -> None:
        """The line that ``cosim/speed/watch.py`` waits for, every few cycles and at the end."""
        if not cycle % REPORT_EVERY or cycle == self.cycles:
            print(f"AT {cycle} {self.compared} {self.different}", flush=True)
