"""Icarus Verilog: the exported Verilog under a testbench in Verilog."""

import re
import shutil
from pathlib import Path

from radit.cosim.speed.replay import place, verilog_testbench, write_rows
from radit.cosim.speed.vectors import REPORT_EVERY, Vectors
from radit.cosim.speed.watch import Command, ReplayError
from radit.cosim.support.programs import ANSWER_SECONDS, ProgramError, run_program
from radit.model.errors import UserError

MOST_SECONDS = 900.0  # to compile; a 64x64 array takes a few


def find_icarus() -> str:
    """Its version.

    Raises:
        UserError: it is not installed.
    """
    for program in ("iverilog", "vvp"):
        if shutil.which(program) is None:
            raise UserError(f"{program} is missing: install Icarus Verilog (on Debian: apt-get install iverilog).")
    try:
        said = run_program(["iverilog", "-V"], seconds=ANSWER_SECONDS)
    except ProgramError as error:
        raise UserError(f"iverilog does not tell its version ({error}): install Icarus Verilog anew.") from None
    found = re.search(r"version (\S+)", said)
    return found[1] if found else ""


def build_icarus(vectors: Vectors, verilog: Path, top: str, folder: Path) -> Command:
    """Write rows and testbench into ``folder`` and compile them with the top."""
    found = [(port.name, "vector", port.bits, way == "in") for way in ("in", "out") for port in vectors.ports(way)]
    inputs, outputs = place(found)
    cycles = write_rows(folder, inputs, outputs, vectors.columns)
    bench = verilog_testbench("clk", inputs, outputs, cycles, unit=top, report_every=REPORT_EVERY)
    (folder / "replay.v").write_text(bench)
    command = ["iverilog", "-g2005", "-o", "replay.vvp", "replay.v", str(verilog)]
    try:
        run_program(command, seconds=MOST_SECONDS, folder=folder)
    except ProgramError as error:
        raise ReplayError(f"it did not compile the Verilog ({error})") from None
    return Command(("vvp", "-n", "replay.vvp"), folder)
