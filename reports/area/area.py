"""``radit area``: what detection costs in cells, and in the cycles and energy of a run.

The exported Verilog is elaborated flat, its cells are booked to the parts of the machine by the marks of
``accel/export/provenance.py``, cut there and synthesized piece by piece. Equal pieces (lanes, array rows) are
synthesized once.
"""

from __future__ import annotations

import datetime
import logging
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.progress import TaskProgressColumn, TimeRemainingColumn

from radit.accel.config import BuildConfig
from radit.accel.export.provenance import MarkedTop, convert_marked
from radit.cosim.support.sizes import build_for, dims_of, fitted
from radit.model.console import progress_bar
from radit.model.outputs import output_folder
from radit.model.system.processes import in_thread
from radit.reports.area.detection import detection_costs
from radit.reports.area.netlist import Netlist, Piece
from radit.reports.area.parts import BUILT, PARTS, part_of, unit_of
from radit.reports.area.schema import FILE, Area, ArrayArea, Composition, Logic, PartArea, write_area
from radit.reports.area.synthesis import Cells, Library, Synthesizer, Yosys, find_library
from radit.reports.common.files import versions
from radit.reports.common.schema_parts import Array, ExternalMemory
from radit.reports.cycles.cycle_model import MemoryModel
from radit.reports.energy.energy_table import load_table
from radit.reports.project.project import config_of

PIECES = "pieces"  # folder of finished ones
CHECKED = (4, 4)  # small enough to be synthesized whole
Booked = dict[tuple[str, str], Piece]  # by part and unit

log = logging.getLogger("radit")


def run_area(
    *, arrays: list[tuple[int, ...]], model: str, liberty: Path | None, check: bool, memory: dict[str, Any], out: Path,
    command: str = "",
) -> Area:  # fmt: skip
    """Account for every array; the result is written to ``out``/area.json.

    Raises:
        UserError: an array that cannot be built, an unknown model, no Yosys, a bad Liberty file, or nothing can be
            written to ``out``.
    """
    out = output_folder(out, files=[FILE], folders=[PIECES])
    config, library = config_of(model), find_library(liberty)
    builds = [fitted(config, 2, *array)[1] for array in arrays]
    tool = Synthesizer(Yosys(), library, out / PIECES)
    table = load_table()
    result = Area(
        model=model,
        yosys=tool.yosys.version,
        library=library.path.name,
        library_hash=library.digest,
        gate_area=library.gate,
        arrays=[area_of_build(build, tool) for build in builds],
        check=compose(build_for(dims_of(config, 2), *CHECKED), tool) if check else None,
        memory=ExternalMemory(**memory),
        energy_table=table.name,
        costs=detection_costs(arrays, MemoryModel(**memory), table),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
    )
    write_area(out, result)
    return result


def area_of_build(build: BuildConfig, tool: Synthesizer) -> ArrayArea:
    """Cells, area and memory bits of every part of a build."""
    netlist, top = elaborate(build, tool.yosys)
    memories: dict[str, int] = defaultdict(int)
    for origin, shape in top.memories().items():
        memories[part_of(origin, top.top)] += shape.depth * shape.bits
    found = _synthesized(_booked(netlist), build.shape, tool)
    parts = {
        part: PartArea(logic=logic, pieces=pieces, synthesized=different, memory_bits=memories[part])
        for part, (logic, pieces, different) in found.items()
        if logic.cells or part not in BUILT
    }
    return ArrayArea(array=Array.of(build), parts=parts)


def elaborate(build: BuildConfig, yosys: Yosys) -> tuple[Netlist, MarkedTop]:
    """The netlist of a build, every cell booked to 'part unit'."""
    log.info("converting and elaborating the %dx%d accelerator ...", build.rows, build.cols)
    with tempfile.TemporaryDirectory(prefix="radit-area-") as folder:
        top = in_thread(convert_marked, build, Path(folder))
    netlist = Netlist(yosys.elaborate(top.verilog))
    owners = {origin: f"{part_of(origin, top.top)} {unit_of(origin)}" for origin in top.origins}
    lines = [owners[origin] if origin else None for origin in top.of_lines()]
    netlist.book(lines.__getitem__)
    return netlist, top


def _booked(netlist: Netlist) -> Booked:
    pieces: Booked = {}
    for owner, piece in netlist.pieces().items():
        part, _, unit = owner.partition(" ")
        pieces[part, unit] = piece
    return pieces


def _synthesized(pieces: Booked, name: str, tool: Synthesizer) -> dict[str, tuple[Logic, int, int]]:
    """By part: its logic, its pieces, and how many of those were different. Pieces of a part with the same cells are
    one block's instances: the first stands for all."""
    alike: dict[tuple[str, Any], list[Piece]] = defaultdict(list)
    for (part, _), piece in pieces.items():
        alike[part, piece.signature].append(piece)
    sums = {part: (Logic(), 0, 0) for part in PARTS}
    with progress_bar(TaskProgressColumn(), TimeRemainingColumn(), transient=True) as progress:
        bar = progress.add_task(f"synthesizing the parts of {name}", total=len(alike))
        for (part, _), same in alike.items():
            progress.update(bar, description=f"{name}: {PARTS[part].title}")
            logic, count, different = sums[part]
            one = logic_of(tool.cells(same[0].text), tool.library, len(same))
            sums[part] = logic + one, count + len(same), different + 1
            progress.advance(bar)
    return sums


def logic_of(found: Cells, library: Library, times: int = 1) -> Logic:
    """Mapped cells in gate equivalents, ``times`` over."""
    gates = found.area / library.gate
    return Logic(cells=found.cells * times, gates=gates * times, flip_flops=found.flip_flops * times)


def compose(build: BuildConfig, tool: Synthesizer) -> Composition:
    """A small build whole, and in pieces: what cutting, and synthesizing equal pieces once, changes."""
    netlist, _ = elaborate(build, tool.yosys)
    name = build.shape
    parts = _synthesized(_booked(netlist), name, tool)
    log.info("synthesizing %s whole (minutes, the first time) ...", name)
    whole = netlist.piece(cell for cell in netlist.cells if not cell.in_memory)
    return Composition(
        array=Array.of(build),
        whole=logic_of(tool.cells(whole.text), tool.library),
        pieces=sum((logic for logic, _, _ in parts.values()), Logic()),
    )
