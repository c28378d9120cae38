"""Bounded model checking of converted Verilog with Yosys and ABC, both from Debian's package yosys."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

SCRIPT = (
    "read_verilog -formal -sv {source}; prep -flatten -top {top}; {cuts}memory_nordff; memory_map; opt -fast; "
    "dffunmap; delete -output; opt_clean; setundef -anyseq; techmap; aigmap; opt_clean; "
    "write_aiger -I -B -zinit -no-startoffset {aiger}"
)
MOST_SECONDS = 900


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
    assert done.returncode == 0, f"{' '.join(command)}\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


def first_failure(
    verilog: str, properties: str, top: str, depth: int, folder: Path, cuts: Sequence[str] = ()
) -> int | None:
    """The first cycle of ``depth`` in which an assertion can fail; None where none can.

    cuts: signals that may have any value in every cycle, whatever drives them: what holds then, holds for the design.
    """
    end = verilog.rindex("endmodule")
    source, aiger = folder / "checked.sv", folder / "checked.aig"
    declared = "\n`default_nettype none\n"  # else a signal that is not there would be a wire of any value
    source.write_text(verilog[:end] + declared + properties + verilog[end:])
    cut = "".join(f"cutpoint w:{name}; " for name in cuts)
    run("yosys", "-q", "-p", SCRIPT.format(source=source, top=top, aiger=aiger, cuts=cut))
    said = run("yosys-abc", "-c", f"read_aiger {aiger}; fold; strash; bmc3 -F {depth} -T {MOST_SECONDS}")
    if failed := re.search(r"was asserted in frame (\d+)", said):
        return int(failed[1])
    assert re.search(rf"No output (asserted|failed) in {depth} frames", said), said[-1000:]
    return None
