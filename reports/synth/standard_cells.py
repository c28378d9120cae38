"""One build in standard cells: the cells of ``radit area`` and the paths of ``radit timing``, side by side."""

from __future__ import annotations

from pathlib import Path

from radit.accel.config import BuildConfig
from radit.model.errors import UserError
from radit.reports.area.area import area_of_build
from radit.reports.area.synthesis import Library, Synthesizer, Yosys
from radit.reports.common.schema_parts import Array
from radit.reports.synth.schema import BuildSynthesis, LongestPath
from radit.reports.synth.targets import FLIP_FLOPS, OSU018
from radit.reports.timing.schema import ArrayTiming
from radit.reports.timing.sta import Sta
from radit.reports.timing.timing import Tools, time_build

CELLS, GATES, MEMORY_BITS = "cells", "gates", "memory bits"


def synthesize_cells(
    build: BuildConfig, yosys: Yosys, sta: Sta | None, library: Library, folder: Path
) -> BuildSynthesis:
    """Cells, gate equivalents and memory bits of a build, and the clock of the library where ``sta`` is given.

    Raises:
        UserError: a tool fails.
    """
    area = area_of_build(build, Synthesizer(yosys, library, folder))
    parts = {
        name: {
            CELLS: part.logic.cells, GATES: part.logic.gates, FLIP_FLOPS: part.logic.flip_flops,
            MEMORY_BITS: part.memory_bits,
        }
        for name, part in area.parts.items()
    }  # fmt: skip
    timed = None if sta is None else time_build(build, Tools(yosys, sta, library, folder), sta.fo4_ns(library), set())
    return BuildSynthesis(
        target=OSU018,
        array=Array.of(build),
        counter_bits=build.counters,
        tools=[yosys.version, *([sta.version] if sta else []), library.path.name],
        totals={name: sum(part[name] for part in parts.values()) for name in (CELLS, GATES, FLIP_FLOPS, MEMORY_BITS)},
        parts=parts,
        mhz=None if timed is None else round(1000 / timed.longest.delay_ns, 2),
        path=None if timed is None else _path(timed),
    )


def _path(timed: ArrayTiming) -> LongestPath:
    longest = timed.longest
    return LongestPath(
        delay_ns=longest.delay_ns,
        routing_ns=0,
        cells=longest.cells,
        start=longest.start,
        end=longest.end,
        nets=[],
        blocks=longest.blocks,
    )


def found_sta() -> Sta | None:
    """OpenSTA where it is installed."""
    try:
        return Sta()
    except UserError:
        return None
