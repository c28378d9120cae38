"""Commands of the command line (`radit.py`) that predict and simulate nothing: one design, or a space of them.

Each imports what it needs when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from radit.options import (
    BUILD,
    ArrayOption,
    BandwidthOption,
    CfgOption,
    LatencyOption,
    MachineOption,
    ModelOption,
    ReuseSramOption,
    StallOption,
    StepsOption,
    folder_to_write,
    machine_of,
    number,
    path_to_read,
)
from radit.terminal.console import console, say
from radit.terminal.messages import asked_for

app = typer.Typer()


@app.command()
def project(
    context: typer.Context,
    model: ModelOption = "dit-xl-2",
    machine: MachineOption = None,
    array: ArrayOption = "64x64",
    clock_mhz: Annotated[float, number("--clock-mhz", "Clock (MHz).")] = 500.0,
    steps: StepsOption = 50,
    cfg: CfgOption = 1.5,
    skip_rate: Annotated[
        float | None,
        number(
            "--skip-rate",
            "Also project a run that reuses this share of all sub-blocks after the first timestep (0 to 1), spread "
            "evenly over sub-blocks, contexts and timesteps.",
            "dense alone",
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also project the decisions of this run of radit cosim or radit demo.",
            **path_to_read("give the folder of a run"),
        ),
    ] = None,
    forecast: Annotated[
        bool,
        typer.Option(
            "--forecast/--no-forecast",
            help="Whether reused branches are forecast from the last two computed ones, or taken as they are.",
        ),
    ] = False,
    latency: LatencyOption = 100,
    bandwidth: BandwidthOption = 32.0,
    stall: StallOption = 0.0,
    reuse_sram: ReuseSramOption = None,
    out: Annotated[Path, folder_to_write("Folder for project.json.")] = BUILD / "project",
) -> int:
    """Predict cycles, time, traffic and energy of an image on paper, dense and skipping; nothing is simulated."""
    around = machine_of(
        context, machine, array=array, latency=latency, bandwidth=bandwidth, stall=stall, clock_mhz=clock_mhz,
        reuse_sram=reuse_sram,
    )  # fmt: skip
    from radit.reports.project.project import run_project
    from radit.reports.project.projection import FILE
    from radit.terminal.project import show

    result = run_project(
        model=model,
        machine=around,
        steps=steps,
        cfg=cfg,
        skip_rate=skip_rate,
        trace=trace,
        forecast=forecast,
        out=out,
        command=asked_for(),
    )
    show(result, console())
    say(f"wrote {out / FILE}")
    return 0
