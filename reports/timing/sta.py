"""OpenSTA: static timing and power of a mapped netlist, and the FO4 delay of a library by the same tool.

FO4 is the delay of an inverter that drives four of its kind, the mean of a rising and a falling edge, in the middle of
a chain of such inverters, whose slews have settled.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from radit.cosim.support.programs import ANSWER_SECONDS, ProgramError, run_program
from radit.model.errors import UserError
from radit.model.plain_text import one_line, quoted
from radit.reports.area.synthesis import LIBERTY, Library

PROGRAM = "sta"
MINUTES = 120
INVERTERS = ("INVX1", "INV")
FANOUT, STAGES = 4, 7
PERIOD_NS = 10.0  # of the constraint; a path's delay is this less its slack
NETLIST, SCRIPT = "netlist.v", "run.tcl"
MARK = "RADIT"
STEP = re.compile(
    r"^\s*(?:(?P<cap>\d+\.\d+)\s+)?(?P<slew>\d+\.\d+)\s+(?P<delay>\d+\.\d+)\s+\d+\.\d+\s+[\^v]\s+"
    r"(?P<pin>\S+) \((?P<kind>\w+)\)"
)
SLACK = re.compile(r"^\s*(-?\d+\.\d+)\s+slack \(")
ENDPOINT = re.compile(r"^(\S+)(?: \([\w-]+\))?(?:\s+-?\d+\.\d+){2}\s+(-?\d+\.\d+) \((?:MET|VIOLATED)\)$")
POWER = re.compile(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A cell of a path: pin "u<i>/Y", the cell's type, its delay in ns, and the load it drives in pF."""

    pin: str
    kind: str
    delay_ns: float
    load_pf: float


@dataclass(frozen=True)
class TimedPath:
    """A longest path: its delay in ns from clock edge to clock edge, setup included, and its steps."""

    delay_ns: float
    steps: tuple[Step, ...]


class Sta:
    """The OpenSTA on PATH.

    Raises:
        UserError: there is none.
    """

    def __init__(self) -> None:
        found = shutil.which(PROGRAM)
        if found is None:
            raise UserError("OpenSTA (program sta) is missing: apt-get install opensta.")
        self._command = found

    @cached_property
    def version(self) -> str:
        """As 'OpenSTA 2.0.17'."""
        try:
            answer = run_program([self._command, "-version"], seconds=ANSWER_SECONDS)
        except ProgramError as error:
            raise UserError(
                f"OpenSTA {quoted(self._command)} does not tell its version ({error}): apt-get install opensta."
            ) from None
        return f"OpenSTA {one_line(answer.strip())}"

    def run(self, netlist: str, commands: str, library: Library, clock: bool = True) -> str:
        """What OpenSTA says to commands on a netlist, all ports timed at the clock's edge."""
        head = [
            f"read_liberty {LIBERTY}", f"read_verilog {NETLIST}", "link_design piece",
            f"create_clock -name clk -period {PERIOD_NS:g}" + (" [get_ports clk]" if clock else ""),
            "set_input_delay -clock clk 0 [all_inputs]", "set_output_delay -clock clk 0 [all_outputs]",
        ]  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="radit-sta-") as name:
            folder = Path(name)
            (folder / LIBERTY).write_bytes(library.content)
            (folder / NETLIST).write_text(netlist, encoding="utf-8")
            (folder / SCRIPT).write_text("\n".join([*head, commands, ""]), encoding="utf-8")
            try:
                said = run_program(
                    [self._command, "-no_init", "-no_splash", "-exit", SCRIPT], seconds=MINUTES * 60, folder=folder
                )
            except ProgramError as error:
                raise UserError(
                    f"{self.version} failed ({error}): give another --liberty, or install another OpenSTA."
                ) from None
        wrong = next((line for line in said.splitlines() if line.startswith("Error")), None)
        if wrong is not None:
            raise UserError(f"{self.version} says {one_line(wrong)}: give another --liberty.")
        return said

    def fo4_ns(self, library: Library) -> float:
        """FO4 delay of a library, ns.

        Raises:
            UserError: it has no inverter of a known name, or no delays.
        """
        kind = next((name for name in INVERTERS if name in library.areas), None)
        if kind is None:
            raise UserError(
                f"--liberty is {quoted(library.path)}, which has no cell {' or '.join(INVERTERS)} to measure the FO4 "
                "delay with: give another."
            )
        said = self.run(_chain(kind), "report_checks -path_delay max -format full -fields {capacitance slew} -digits 5",
                        library, clock=False)  # fmt: skip
        steps = [step for path in read_paths(said) for step in path.steps if step.kind == kind]
        if len(steps) < STAGES or not all(step.delay_ns > 0 for step in steps):
            raise UserError(f"--liberty is {quoted(library.path)}, which states no delays: give a timed library.")
        return (steps[STAGES - 3].delay_ns + steps[STAGES - 2].delay_ns) / 2  # the last one drives nothing


def _chain(kind: str) -> str:
    """Inverters in a row, each with three more beside the next one."""
    lines = ["module piece (a, y);", "input a;", "output y;", "assign n0 = a;"]
    for stage in range(STAGES):
        lines.append(f"{kind} u{stage} (.A(n{stage}), .Y(n{stage + 1}));")
        lines += [f"{kind} u{stage}_{k} (.A(n{stage}), .Y(m{stage}_{k}));" for k in range(FANOUT - 1)]
    return "\n".join([*lines, f"assign y = n{STAGES};", "endmodule", ""])


def read_paths(said: str) -> list[TimedPath]:
    """Paths of ``report_checks -format full -fields {capacitance slew}``."""
    paths: list[TimedPath] = []
    steps: list[Step] = []
    for line in said.splitlines():
        if line.startswith("Startpoint"):
            steps = []
        elif found := STEP.match(line):
            if "/" in found["pin"] and float(found["delay"]) > 0:
                steps.append(Step(found["pin"], found["kind"], float(found["delay"]), float(found["cap"] or 0)))
        elif slack := SLACK.match(line):
            paths.append(TimedPath(PERIOD_NS - float(slack[1]), tuple(steps)))
    return paths


def path_commands(ends: Mapping[str, Sequence[str]]) -> str:
    """The longest path to each group of pins or ports, a mark with the group's name ahead of each; then the delay of
    all endpoints."""
    lines = []
    for name, pins in ends.items():
        lines.append(f'puts "{MARK} {name}"')
        lines.append(f"set ends {{{' '.join(pins)}}}")
        lines.append("set found {}")
        lines.append("foreach end $ends { if {[string first / $end] < 0} { lappend found [get_ports $end] } "
                     "else { lappend found [get_pins $end] } }")  # fmt: skip
        lines.append("report_checks -path_delay max -to $found -format full -fields {capacitance slew} -digits 4")
    lines.append(f'puts "{MARK} all"')
    return "\n".join(lines)


def end_commands(count: int) -> str:
    """A line per endpoint: its pin or port, and its slack."""
    return f"report_checks -path_delay max -group_count {count} -endpoint_count 1 -format end -digits 4"


def read_ends(said: str) -> dict[str, float]:
    """Delay in ns by endpoint, setup included."""
    ends = {}
    for line in said.splitlines():
        if found := ENDPOINT.match(line.strip()):
            ends[found[1]] = PERIOD_NS - float(found[2])
    return ends


def read_power(said: str) -> tuple[float, float, float]:
    """Internal, switching and leakage power of ``report_power``, W."""
    found = POWER.search(said)
    if found is None:
        raise UserError("OpenSTA's report_power is not as expected: use the one of Debian 12.")
    internal, switching, leakage = (float(found[k]) for k in (1, 2, 3))
    return internal, switching, leakage
