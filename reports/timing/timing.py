"""``radit timing``: critical paths of every part of the machine, from a netlist of the whole build.

The exported Verilog is elaborated flat as for ``radit area``, mapped for speed as a whole but for its memories, and
timed by OpenSTA. Registers keep their names, so that a path is told by its registers and the processes between them.
"""

from __future__ import annotations

import datetime
import hashlib
import logging
import resource
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from radit.accel.config import BuildConfig
from radit.cosim.engines.open import export_key
from radit.model.errors import UserError
from radit.model.files import write_file
from radit.model.outputs import output_folder
from radit.model.plain_text import quoted
from radit.model.system.caches import kept
from radit.reports.area.area import elaborate
from radit.reports.area.parts import PARTS, part_of
from radit.reports.area.synthesis import SYNTHESIZE_FAST, Library, Yosys, find_library
from radit.reports.common.files import versions
from radit.reports.common.schema_parts import Array
from radit.reports.timing.activity import read_activity
from radit.reports.timing.mapped import Mapped
from radit.reports.timing.paths import Sources
from radit.reports.timing.power import power_of
from radit.reports.timing.power_schema import Power
from radit.reports.timing.schema import FILE, ArrayTiming, TimedPart, Timing, write_timing
from radit.reports.timing.sta import MARK, Sta, TimedPath, end_commands, path_commands, read_ends, read_paths

NETLISTS = "netlists"  # folder of finished ones
BUFFERS = {"BUFX4": ("A", "Y"), "BUF": ("A", "Y"), "BUFX2": ("A", "Y")}
MOST_FANOUT = 12
NEAR = 0.85  # of the longest path
DATA = "D"

log = logging.getLogger("radit")


@dataclass(frozen=True)
class Tools:
    """What a build is timed with, and where finished netlists are kept."""

    yosys: Yosys
    sta: Sta
    library: Library
    folder: Path


@dataclass(frozen=True)
class MappedDesign:
    """A build's netlists: mapped, with buffers, and elaborated; the part of each register and each output."""

    mapped: Mapped
    sources: Sources
    buffers: int
    seconds: float
    memory_mib: float

    def ends(self) -> dict[str, list[str]]:
        """Endpoints by part of the machine."""
        found: dict[str, list[str]] = defaultdict(list)
        for number, one in enumerate(self.mapped.instances):
            if one.is_register and isinstance(one.pins.get(DATA), int):
                found[self.sources.part(self.mapped.register_name(number))].append(f"u{number}/{DATA}")
        for port, signal in self.mapped.port_names("output").items():
            found[self.sources.part(signal)].append(port)
        found.pop("", None)  # driven by nothing
        return dict(found)

    def registers(self) -> dict[int, str]:
        """Part of the machine by number of the register."""
        return {
            number: self.sources.part(self.mapped.register_name(number)) or "observation"
            for number, one in enumerate(self.mapped.instances)
            if one.is_register
        }

    def power(self, path: Path, tools: Tools) -> Power:
        """Power under the activities of a waveform."""
        registers = self.registers()
        names = {self.mapped.register_name(number) for number in registers}
        bare = {name.removesuffix("]").rpartition("[")[0] if name.endswith("]") else name for name in names}
        activity = read_activity(path, names | bare)
        return power_of(self.mapped, registers, activity, path.name, tools.sta, tools.library)

    def signal(self, pin: str) -> str:
        """The signal of a pin or port of the mapped netlist."""
        name, _, pin_name = pin.partition("/")
        return self.mapped.register_name(int(name[1:])) if pin_name else self.mapped.port_names().get(name, name)


def run_timing(
    *, builds: list[BuildConfig], model: str, liberty: Path | None, units: Iterable[str], activity: Path | None,
    out: Path, command: str = "",
) -> Timing:  # fmt: skip
    """Time every build; the result is written to ``out``/timing.json.

    Args:
        model: whose size the buffers have.
        units: parts of the machine to time; none: all.
        activity: waveform of a run of the one build, whose power is accounted for then.

    Raises:
        UserError: no Yosys or OpenSTA, a bad Liberty file or waveform, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=[FILE], folders=[NETLISTS])
    tools = Tools(Yosys(), Sta(), find_library(liberty), out / NETLISTS)
    fo4 = tools.sta.fo4_ns(tools.library)
    result = Timing(
        model=model,
        yosys=tools.yosys.version,
        sta=tools.sta.version,
        library=tools.library.path.name,
        library_hash=tools.library.digest,
        fo4_ns=fo4,
        arrays=[time_build(build, tools, fo4, set(units), activity) for build in builds],
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
    )
    write_timing(out, result)
    return result


def design_of(build: BuildConfig, tools: Tools) -> MappedDesign:
    """Synthesize a build whole, or take what an earlier call left."""
    netlist, top = elaborate(build, tools.yosys)
    lines = {number: origin for number, origin in enumerate(top.of_lines()) if origin}
    owners = {origin: f"{part_of(origin, top.top)} {'.'.join(origin.path)}" for origin in set(lines.values())}
    netlist.book(lambda line: owners[lines[line]] if line in lines else None)
    text = netlist.piece((cell for cell in netlist.cells if not cell.in_memory), named=True).text
    # By what the text follows from: its order is that of MyHDL's sets, another one in every process.
    facts = "\n".join((tools.yosys.version, SYNTHESIZE_FAST, tools.library.digest, export_key(build)))
    path = tools.folder / f"{hashlib.sha256(facts.encode()).hexdigest()[:24]}.json"
    start = time.monotonic()
    made: list[bool] = []

    def make() -> Mapped:
        made.append(True)
        log.info("synthesizing %s whole (minutes, the first time) ...", build.shape)
        mapped = tools.yosys.map_fast(text, tools.library)
        write_file(path, mapped)
        return Mapped(mapped)

    mapped = kept(path, _read, make, lambda path, mapped: None)
    seconds = time.monotonic() - start if made else 0.0
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 if made else 0.0
    kind = next((name for name in BUFFERS if name in tools.library.areas), None)
    if kind is None:
        raise UserError(
            f"--liberty is {quoted(tools.library.path)}, which has no buffer {', '.join(BUFFERS)}: give another."
        )
    added = mapped.buffer(kind, BUFFERS[kind], MOST_FANOUT)
    return MappedDesign(mapped, Sources(netlist), added, seconds, memory)


def _read(path: Path) -> Mapped | None:
    try:
        return Mapped(path.read_text(encoding="utf-8"))
    except (OSError, UserError, UnicodeDecodeError):
        return None


def time_build(
    build: BuildConfig, tools: Tools, fo4: float, units: set[str], activity: Path | None = None
) -> ArrayTiming:
    """Longest paths of every part of a build, or of some, and its power where a waveform is given."""
    design = design_of(build, tools)
    ends = design.ends()
    asked = {part: pins for part, pins in ends.items() if not units or part in units}
    if not asked:
        raise UserError(
            f"--units names {', '.join(sorted(units))}, in which no path of {build.shape} ends: give others."
        )
    count = sum(len(pins) for pins in ends.values())
    log.info("timing %s, %d endpoints ...", build.shape, count)
    verilog = "\n".join([*design.mapped.verilog(), ""])
    said = tools.sta.run(verilog, path_commands(asked) + "\n" + end_commands(count), tools.library)
    sections = dict(_sections(said))
    delays = read_ends(sections.pop("all", ""))
    longest = max(delays.values(), default=0.0)
    by_type: dict[str, int] = defaultdict(int)
    for one in design.mapped.instances:
        by_type[one.kind] += 1
    cells = tools.library.count(dict(by_type))
    return ArrayTiming(
        array=Array.of(build),
        counter_bits=build.counters,
        cells=cells.cells,
        flip_flops=cells.flip_flops,
        buffers=design.buffers,
        area=cells.area / tools.library.gate,
        endpoints=count,
        near=sum(delay >= NEAR * longest for delay in delays.values()),
        parts={name: _timed(design, sections[name], fo4, len(asked[name])) for name in PARTS if name in asked},
        seconds=round(design.seconds, 1),
        memory_mib=round(design.memory_mib, 1),
        power=design.power(activity, tools) if activity else None,
    )


def _sections(said: str) -> Iterable[tuple[str, str]]:
    for part in said.split(f"{MARK} ")[1:]:
        name, _, text = part.partition("\n")
        yield name.strip(), text


def _timed(design: MappedDesign, said: str, fo4: float, endpoints: int) -> TimedPart:
    paths = read_paths(said)
    path = paths[0] if paths else TimedPath(0.0, ())
    ends = {line.split()[0][:-1]: line.split()[1] for line in said.splitlines() if line.startswith(("Start", "End"))}
    start, end = (design.signal(_pin(ends.get(name, ""))) for name in ("Startpoint", "Endpoint"))
    return TimedPart(
        endpoints=endpoints,
        delay_ns=round(path.delay_ns, 4),
        fo4=round(path.delay_ns, 4) / fo4,
        cells=len(path.steps),
        start=start,
        end=end,
        blocks=design.sources.blocks(start, end),
    )


def _pin(name: str) -> str:
    return f"{name}/Q" if name.startswith("u") else name
