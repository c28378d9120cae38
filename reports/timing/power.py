"""Gate-level power of a mapped build under the activities of a run: clock pins, data and leakage of every part.

OpenSTA 2.0 propagates activities only from input ports, so that each flip-flop becomes one, with a buffer in its place.
It charges the internal energy of a rising and a falling edge for every transition: internal power is halved here
(``tests/reports/test_timing.py`` checks the factor). A clock pin costs its own internal energy, and its load C V^2, in
each cycle; the clock's wires and buffers are not there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from radit.model.errors import UserError
from radit.model.plain_text import quoted
from radit.reports.area.parts import PARTS
from radit.reports.area.synthesis import FLIP_FLOP, Library
from radit.reports.timing.activity import Activity
from radit.reports.timing.mapped import CLOCK, OUTPUTS, Mapped
from radit.reports.timing.power_schema import PartPower, Power
from radit.reports.timing.sta import PERIOD_NS, Sta

INTERNAL_COUNTED = 2  # times that OpenSTA 2.0 counts internal energy
LEVELS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # of activities
INSTANCE = re.compile(r"^\s*(\S+)\s+(\S+)\s+(\S+)\s+\S+\s+([ur]\d+)\s*$")
CELL = re.compile(r"cell\s*\(\s*\"?(\w+)\"?\s*\)")
CLOCK_PIN = re.compile(r"pin\s*\(\s*\"?CLK\"?\s*\)\s*\{[^}]*?capacitance\s*:\s*([\d.eE+-]+)")
VOLTAGE = re.compile(r"nom_voltage\s*:\s*([\d.eE+-]+)")
W_TO_PJ = PERIOD_NS * 1e3  # of a cycle
DRIVER = "BUFX2"


def power_of(
    mapped: Mapped, part_of_register: dict[int, str], activity: Activity, workload: str, sta: Sta, library: Library
) -> Power:
    """Power of a build at work.

    Args:
        part_of_register: by number of the instance.
        activity: changes per cycle by the registers' names.
        workload: what ran.
    """
    clock_pj = clock_energy_pj(sta, library)
    seen = {
        number: activity.changes[name]
        for number in part_of_register
        if (name := mapped.register_name(number)) in activity.changes
    }
    means = _means(seen, part_of_register)
    rates = {number: seen.get(number, means[part]) for number, part in part_of_register.items()}
    said = sta.run(_cut(mapped), _commands(mapped, rates), library, clock=False)
    owners = parts_of_cells(mapped, part_of_register)
    parts: dict[str, dict[str, float]] = {name: defaultdict(float) for name in PARTS}
    for line in said.splitlines():
        if found := INSTANCE.match(line):
            number = int(found[4][1:])
            of_part = parts[owners.get(number, "observation")]
            of_part["data"] += (float(found[1]) / INTERNAL_COUNTED + float(found[2])) * W_TO_PJ
            if found[4][0] == "u":
                of_part["leakage"] += float(found[3]) * 1e9
    leakage = cell_leakage_nw(library)
    for number, one in enumerate(mapped.instances):
        of_part = parts[owners.get(number, "observation")]
        of_part["cells"] += 1
        if one.is_register:
            of_part["flip_flops"] += 1
            of_part["leakage"] += leakage.get(one.kind, 0.0)
            of_part["rate"] += rates.get(number, 0.0)
    return Power(
        workload=workload,
        cycles=activity.cycles,
        parts={name: _part(sums, clock_pj) for name, sums in parts.items() if sums["cells"]},
        traced=len(seen) / max(1, len(part_of_register)),
    )


def _part(sums: dict[str, float], clock_pj: float) -> PartPower:
    flip_flops = int(sums["flip_flops"])
    return PartPower(
        clock_pj=clock_pj * flip_flops,
        data_pj=sums["data"],
        leakage_nw=sums["leakage"],
        flip_flops=flip_flops,
        cells=int(sums["cells"]),
        activity=sums["rate"] / flip_flops if flip_flops else 0.0,
    )


def _means(seen: dict[int, float], parts: dict[int, str]) -> dict[str, float]:
    of_part: dict[str, list[float]] = defaultdict(list)
    for number, rate in seen.items():
        of_part[parts[number]].append(rate)
    return {part: sum(rates) / len(rates) if (rates := of_part[part]) else 0.0 for part in set(parts.values())}


def clock_energy_pj(sta: Sta, library: Library) -> float:
    """Of the clock pin of a flip-flop in a cycle: internal energy and load."""
    kind = next((name for name in library.areas if FLIP_FLOP.search(name) and "POS" in name), None)
    text = library.content.decode("utf-8", errors="replace")
    voltage = VOLTAGE.search(text)
    start = next((cell.end() for cell in CELL.finditer(text) if cell[1] == kind), None)
    load = CLOCK_PIN.search(text, start) if start is not None else None
    if kind is None or voltage is None or load is None:
        raise UserError(
            f"--liberty is {quoted(library.path)}, which has no flip-flop DFFPOSX1 with the load of its clock pin, or "
            "no nom_voltage: give another, or leave --activity out."
        )
    module = (
        f"module piece (clk, d, q);\ninput clk;\ninput d;\noutput q;\n{kind} u0 (.CLK(clk), .D(d), .Q(q));\nendmodule\n"
    )
    said = sta.run(module, "set_power_activity -input -activity 0\nset_power_activity -global -activity 0\n"
                   "report_power -instances [get_cells u0] -digits 6", library)  # fmt: skip
    found = next(found for line in said.splitlines() if (found := INSTANCE.match(line)))
    return float(found[1]) / INTERNAL_COUNTED * W_TO_PJ + float(load[1]) * float(voltage[1]) ** 2


def cell_leakage_nw(library: Library) -> dict[str, float]:
    """Leakage by cell, in the library's unit (nW where it says "1nW")."""
    text = library.content.decode("utf-8", errors="replace")
    cells = list(CELL.finditer(text))
    ends = [*(cell.start() for cell in cells[1:]), len(text)]
    stated = re.compile(r"cell_leakage_power\s*:\s*([\d.eE+-]+)")
    found = {cell[1]: stated.search(text, cell.end(), end) for cell, end in zip(cells, ends, strict=True)}
    return {name: float(value[1]) for name, value in found.items() if value}


def parts_of_cells(mapped: Mapped, part_of_register: dict[int, str]) -> dict[int, str]:
    """Part by instance: a gate belongs to the first register that it leads to, in the order of the parts."""
    driver = {net: number for number, one in enumerate(mapped.instances) for net in _outputs(one.pins)}
    order = {name: i for i, name in enumerate(PARTS)}
    found = dict(part_of_register)
    for number in sorted(part_of_register, key=lambda number: order.get(part_of_register[number], len(order))):
        waiting = [number]
        while waiting:
            for net in _inputs(mapped.instances[waiting.pop()].pins):
                before = driver.get(net)
                if before is not None and before not in found:
                    found[before] = part_of_register[number]
                    waiting.append(before)
    return found


def _outputs(pins: dict) -> Iterable:
    return (net for pin, net in pins.items() if pin in OUTPUTS)


def _inputs(pins: dict) -> Iterable:
    return (net for pin, net in pins.items() if pin not in (*OUTPUTS, "CLK"))


def _cut(mapped: Mapped) -> str:
    """The netlist with an input port r<i> and a buffer of the same name in the place of each flip-flop."""
    lines = [line for line in mapped.verilog() if line != f"input {CLOCK};"]
    cut, registers = [], []
    for line in lines:
        word, _, rest = line.partition(" ")
        name = rest.partition(" ")[0]
        if name[:1] == "u" and name[1:].isdigit() and FLIP_FLOP.search(word):
            net = re.search(r"\.Q\((\w+)\)", rest)
            if net is not None:
                registers.append(name[1:])
                cut.append(f"{DRIVER} r{name[1:]} (.A(q{name[1:]}), .Y({net[1]}));")
        else:
            cut.append(line)
    head = ", ".join(f"q{number}" for number in registers)
    cut[0] = cut[0].replace(f"{CLOCK},", "").replace("(", f"({head}, ", 1)
    inputs = [f"input q{number};" for number in registers]
    return "\n".join([cut[0], *inputs, *(line for line in cut[1:] if f"= {CLOCK};" not in line), ""])


def _commands(mapped: Mapped, rates: dict[int, float]) -> str:
    by_level: dict[float, list[str]] = defaultdict(list)
    for number, rate in rates.items():
        by_level[min(LEVELS, key=lambda level: abs(level - rate))].append(f"q{number}")
    lines = ["set_power_activity -input -activity 0"]
    for level, ports in by_level.items():
        lines.append(f"set_power_activity -input_ports [get_ports {{{' '.join(ports)}}}] -activity {level} -duty 0.5")
    return "\n".join([*lines, "report_power -instances [get_cells *] -digits 6"])
