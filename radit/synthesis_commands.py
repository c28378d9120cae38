"""Commands of the command line (`radit.py`) that run synthesis.

Each imports what it needs when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from radit.model.ranges import Range
from radit.options import (
    BUILD,
    ArraysOption,
    LibertyOption,
    ModelOption,
    SeedOption,
    filled,
    folder_to_write,
    number,
    parse_array,
    parse_words,
    split_list,
)
from radit.terminal.console import console, say
from radit.terminal.interruption import at_work
from radit.terminal.messages import asked_for

TARGETS = ("ecp5", "xilinx", "osu018")
TargetOption = Annotated[
    str,
    typer.Option(
        "--target",
        metavar="NAME,..",
        help="ecp5: LFE5U-85F, placed and routed; xilinx: 7 series, resources alone; osu018: standard cells, without "
        "wires. Several with commas between.",
        callback=filled(f"choose from {', '.join(TARGETS)}, with commas between"),
    ),
]
CountersOption = Annotated[
    int | None,
    number("--counters", "Bits of the event counters: 64, 32 or 0 (none).", "64", limits=Range(0, 64)),
]

app = typer.Typer()


@app.command()
def synth(
    target: TargetOption = "ecp5",
    array: ArraysOption = "4x4",
    model: ModelOption = "digits",
    counters: CountersOption = None,
    place: Annotated[
        bool,
        typer.Option(
            "--place/--no-place", help="Also place and route, or time, where the target can: minutes to an hour."
        ),
    ] = True,
    target_mhz: Annotated[
        float,
        number("--target-mhz", "Clock that placement aims at (MHz)."),
    ] = 80.0,
    speed: Annotated[int, number("--speed", "Speed grade of the device: 6, 7 or 8.", limits=Range(6, 8))] = 8,
    seed: SeedOption = 0,
    liberty: LibertyOption = None,
    out: Annotated[
        Path, folder_to_write("Folder for synth.json; netlists, constraints and reports stay in its runs/.")
    ] = BUILD / "synth",
) -> int:
    """Synthesize builds for a target (Yosys, nextpnr): resources of every part of the machine, and the clock with its
    longest path in source terms."""
    names = parse_words([target], "--target", TARGETS)
    from radit.reports.synth.fpga import Asked
    from radit.reports.synth.schema import FILE
    from radit.reports.synth.synth import run_synth
    from radit.reports.timing.plan import builds_of
    from radit.terminal.synth import show_synthesis

    builds = builds_of([parse_array(text) for text in split_list([array])], None, model, counters)
    with at_work(out, kept="runs"):
        result = run_synth(
            targets=names,
            builds=builds,
            model=model,
            place=place,
            asked=Asked(target_mhz, speed, seed),
            liberty=liberty,
            out=out,
            command=asked_for(),
        )
    show_synthesis(result, console())
    say(f"wrote {out / FILE}")
    return 0
