"""One build through Yosys, and through nextpnr where the family has one: every step in a folder of its own, kept."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from radit.accel.config import BuildConfig
from radit.accel.export.constraints import constraint_texts
from radit.accel.export.convert import TOP
from radit.accel.export.provenance import MarkedTop
from radit.accel.export.verilog_ports import ports_of
from radit.model.errors import UserError
from radit.model.system.caches import made_once
from radit.reports.area.area import elaborate
from radit.reports.area.parts import part_of
from radit.reports.area.synthesis import Yosys
from radit.reports.common.schema_parts import Array
from radit.reports.synth.booking import MEMORY, Booking, book_cells
from radit.reports.synth.harness import HARNESS, harness_text
from radit.reports.synth.nextpnr import LOG, REPORT, Nextpnr, Routed, read_report, source_name
from radit.reports.synth.schema import BuildSynthesis, LongestPath
from radit.reports.synth.targets import FAMILIES, MULTIPLIERS, NETLIST, SOURCE, script_of
from radit.reports.timing.paths import Sources

MINUTES = 240
PINS = f"{HARNESS}.json"
SECONDS = "seconds.txt"
ROW, PRODUCTS = "mac_row", "accumulate"  # of the array: its block, and the process with the products
JOIN = f"read_json {NETLIST}\nread_verilog {HARNESS}.v\nhierarchy -top {HARNESS}\nflatten\nclean\nwrite_json {PINS}\n"

log = logging.getLogger("radit")


@dataclass(frozen=True)
class Asked:
    """What placement is asked for: the clock in MHz, the speed grade and the seed."""

    mhz: float
    speed: int
    seed: int


class Elaborated:
    """A build's Verilog with marks, and its netlist with names, made where they are first asked for."""

    def __init__(self, build: BuildConfig, yosys: Yosys) -> None:
        self.build, self._yosys = build, yosys

    @cached_property
    def _made(self) -> tuple[MarkedTop, Sources]:
        netlist, top = elaborate(self.build, self._yosys)
        lines = top.of_lines()
        owners = {origin: f"{part_of(origin, top.top)} {'.'.join(origin.path)}" for origin in top.origins}
        netlist.book(lambda line: owners[origin] if (origin := lines[line]) else None)
        return top, Sources(netlist)

    @property
    def top(self) -> MarkedTop:
        return self._made[0]

    @property
    def sources(self) -> Sources:
        return self._made[1]


def synthesize(
    build: BuildConfig, target: str, yosys: Yosys, nextpnr: Nextpnr | None, asked: Asked, folder: Path
) -> BuildSynthesis:
    """Resources of a build, and its clock where ``nextpnr`` is given.

    Raises:
        UserError: a tool fails, or the build does not fit the device.
    """
    design = Elaborated(build, yosys)
    mapped, found = _counted(design, target, yosys, folder, soft_rows=0)
    excess = found.totals[MULTIPLIERS] - found.room.get(MULTIPLIERS, math.inf)
    if excess > 0:  # whole rows of the array, as many as bring them below
        rows = min(build.rows, math.ceil(excess / (build.cols * build.products)))
        mapped, found = _counted(design, target, yosys, folder, rows)
    return found if nextpnr is None else _placed(design, mapped, found, yosys, nextpnr, asked, folder)


def _counted(
    design: Elaborated, target: str, yosys: Yosys, folder: Path, soft_rows: int
) -> tuple[Path, BuildSynthesis]:
    """The folder of a netlist, and its resources; products of ``soft_rows`` rows of the array are made of tables."""
    family, build = FAMILIES[target], design.build
    mapped = _mapped(design, target, soft_rows, yosys, folder)
    by_part = _booked(mapped, design).by_part()
    parts = {name: family.count(cells) for name, cells in sorted(by_part.items())}
    totals = {name: sum(part[name] for part in parts.values()) for name in family.cells}
    return mapped, BuildSynthesis(
        target=target,
        array=Array.of(build),
        counter_bits=build.counters,
        tools=[yosys.version],
        soft=soft_rows * build.cols * build.products,
        totals=totals,
        parts=parts,
        device=family.device,
        room=dict(family.room),
        seconds=[_seconds(mapped)],
    )


def _placed(
    design: Elaborated, mapped: Path, found: BuildSynthesis, yosys: Yosys, nextpnr: Nextpnr, asked: Asked, folder: Path
) -> BuildSynthesis:
    for name, room in found.room.items():
        if found.totals[name] > room:
            raise UserError(
                f"--array is {design.build.shape}, which takes {found.totals[name]:,.0f} {name} where {found.device} "
                f"has {room:,.0f}: take a smaller array, or give --no-place."
            )
    routed = _routed(mapped, f"{found.target}-{design.build.shape}", yosys, nextpnr, asked, folder)
    report = read_report((routed / REPORT).read_text(encoding="utf-8"))
    return found.model_copy(
        update={
            "tools": [yosys.version, nextpnr.version],
            "placed": {name: used for name, used in report.used.items() if used},
            "target_mhz": asked.mhz,
            "speed": asked.speed,
            "seed": asked.seed,
            "mhz": round(report.mhz, 2),
            "path": longest_path(report, design.sources),
            "delays_ns": delays_by_part(report, _booked(mapped, design)),
            "seconds": [*found.seconds, _seconds(routed)],
        }
    )


def longest_path(report: Routed, sources: Sources) -> LongestPath:
    """The longest path of a report in terms of the source."""
    names = dict.fromkeys(signal_of(source_name(hop.net), sources) for hop in report.hops if hop.net)
    start, end = (signal_of(source_name(cell), sources) for cell in (report.start, report.end))
    return LongestPath(
        delay_ns=round(report.delay_ns(), 3),
        routing_ns=round(report.delay_ns("routing"), 3),
        cells=sum(hop.kind not in ("routing", "setup") for hop in report.hops),
        start=start or source_name(report.start),
        end=end or source_name(report.end),
        nets=[name for name in names if name],
        blocks=sources.blocks(start, end) if start and end else [],
    )


def delays_by_part(report: Routed, booking: Booking) -> dict[str, float]:
    """The longest delay to a cell of each part, ns, without setup."""
    found: dict[str, float] = {}
    for cell, delay in report.ends.items():
        part = booking.parts.get(source_name(cell))
        if part is not None:
            found[part] = max(found.get(part, 0.0), round(delay, 3))
    return found


def signal_of(name: str, sources: Sources) -> str:
    """The signal of the Verilog that a cell or net of a netlist is named after: Yosys appends what it made of it.

    Of a cell of a memory it is the register of the word that is read. '' where there is none.
    """
    if memory := MEMORY.match(name):
        return sources.memory_word(f"{memory[1]}_memory")
    name = name.partition("[")[0]
    while name and sources.driver(name) is None:
        name = name.rpartition("_")[0]
    return name


def soft_lines(top: MarkedTop, rows: int) -> list[int]:
    """Lines of the products of the first rows of the array."""
    found = defaultdict(list)
    text = top.verilog.splitlines()
    for number, origin in enumerate(top.of_lines()):
        if origin and ROW in origin.path and origin.process == PRODUCTS and " * " in text[number - 1]:
            found[origin.names[origin.path.index(ROW)]].append(number)
    return [number for row in list(found)[:rows] for number in found[row]]


def _booked(mapped: Path, design: Elaborated) -> Booking:
    return book_cells((mapped / NETLIST).read_text(encoding="utf-8"), design.top)


def _mapped(design: Elaborated, target: str, soft_rows: int, yosys: Yosys, folder: Path) -> Path:
    family = FAMILIES[target]
    script = script_of(family, soft_lines(design.top, soft_rows))
    name = f"{target}-{design.build.shape}-{_digest(yosys.version, script, design.top.verilog)}"

    def make(work: Path) -> None:
        (work / SOURCE).write_text(design.top.verilog, encoding="utf-8")
        log.info("synthesizing %s for %s (minutes, the first time) ...", design.build.shape, family.title)
        _timed(work, lambda: yosys.run_script(script, work, MINUTES))

    return made_once(folder / name, make)


def _routed(mapped: Path, title: str, yosys: Yosys, nextpnr: Nextpnr, asked: Asked, folder: Path) -> Path:
    name = f"{title}-routed-{_digest(mapped.name, JOIN, nextpnr.version, repr(asked))}"

    def make(work: Path) -> None:
        verilog = (mapped / SOURCE).read_text(encoding="utf-8")
        (work / f"{HARNESS}.v").write_text(harness_text(ports_of(verilog), TOP), encoding="utf-8")
        (work / NETLIST).write_bytes((mapped / NETLIST).read_bytes())
        for ending, text in constraint_texts(TOP, asked.mhz).items():
            (work / f"{TOP}.{ending}").write_text(text, encoding="utf-8")
        yosys.run_script(JOIN, work, MINUTES)
        (work / NETLIST).unlink()
        log.info("placing and routing %s (many minutes, the first time) ...", title)
        _timed(work, lambda: nextpnr.route(work, PINS, f"{TOP}.lpf", asked.speed, asked.seed))
        assert (work / LOG).exists()

    return made_once(folder / name, make)


def _timed(work: Path, act: Callable[[], object]) -> None:
    started = time.monotonic()
    act()
    (work / SECONDS).write_text(f"{time.monotonic() - started:.1f}\n", encoding="utf-8")


def _seconds(folder: Path) -> float:
    return float((folder / SECONDS).read_text(encoding="utf-8"))


def _digest(*facts: str) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
