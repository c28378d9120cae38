"""``radit synth``: builds through synthesis, for FPGAs and standard cells: resources by part, and the clock."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from radit.accel.config import BuildConfig
from radit.model.outputs import output_folder
from radit.reports.area.synthesis import PROGRAMS, Yosys, find_library
from radit.reports.common.files import versions
from radit.reports.synth.fpga import Asked, synthesize
from radit.reports.synth.nextpnr import Nextpnr
from radit.reports.synth.schema import FILE, Synthesis, write_synthesis
from radit.reports.synth.standard_cells import found_sta, synthesize_cells
from radit.reports.synth.targets import FAMILIES, OSU018

RUNS = "runs"  # folder of finished ones
NEWEST_FIRST = tuple(reversed(PROGRAMS))  # the package's Yosys is newer than the one of the system


def run_synth(
    *, targets: Sequence[str], builds: Sequence[BuildConfig], model: str, place: bool, asked: Asked,
    liberty: Path | None, out: Path,
    command: str = "",
) -> Synthesis:  # fmt: skip
    """Synthesize every build for every target; the result is written to ``out``/synth.json.

    Args:
        model: whose size the buffers have.
        place: also place and route, or time, where the target can.
        liberty: standard cells of target osu018; None: those that are installed.

    Raises:
        UserError: a tool is missing or fails, a build does not fit, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=[FILE], folders=[RUNS])
    runs = out / RUNS
    runs.mkdir(parents=True, exist_ok=True)
    found = []
    for target in targets:
        if target == OSU018:
            system, sta, library = Yosys(), found_sta() if place else None, find_library(liberty)
            found += [synthesize_cells(build, system, sta, library, runs) for build in builds]
        else:
            nextpnr = Nextpnr() if place and FAMILIES[target].device else None
            newest = Yosys(NEWEST_FIRST)
            found += [synthesize(build, target, newest, nextpnr, asked, runs) for build in builds]
    result = Synthesis(
        model=model,
        builds=found,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
    )
    write_synthesis(out, result)
    return result
