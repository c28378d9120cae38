"""Commands of the command line (`radit.py`) that predict and simulate nothing: one design, or a space of them.

Each imports what it needs when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from radit.model.ranges import Range
from radit.options import (
    BUILD,
    ArrayOption,
    ArraysOption,
    BandwidthOption,
    BusWidth,
    CfgOption,
    ClockOption,
    JobsOption,
    LatencyOption,
    LibertyOption,
    MachineOption,
    ModelOption,
    ReuseSramOption,
    SchedulerOption,
    SeedOption,
    StallOption,
    StepsOption,
    choice,
    filled,
    folder_to_write,
    machine_of,
    number,
    parse_array,
    path_to_read,
    split_list,
)
from radit.terminal.console import console, say
from radit.terminal.interruption import at_work
from radit.terminal.messages import asked_for

CHECKED = Range(0, 1000)  # points of a thousand that are simulated
CheckedOption = Annotated[
    int,
    number(
        "--check",
        "Also simulate so many of a thousand points, at least one, drawn among those that are small enough, and "
        "compare cycles and counters (count; 0: none).",
        limits=CHECKED,
    ),
]
ForecastOption = Annotated[
    bool,
    typer.Option(
        "--forecast/--no-forecast",
        help="Whether reused branches are forecast from the last two computed ones, or taken as they are.",
    ),
]
AxiOption = Annotated[
    BusWidth, choice("--axi", BusWidth, "Behind the AXI wrapper: data bits of the memory bus; none: bare streams.")
]

app = typer.Typer()


@app.command()
def project(
    context: typer.Context,
    model: ModelOption = "dit-xl-2",
    machine: MachineOption = None,
    array: ArrayOption = "64x64",
    clock_mhz: ClockOption = 500.0,
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
    forecast: ForecastOption = False,
    latency: LatencyOption = 100,
    bandwidth: BandwidthOption = 32.0,
    stall: StallOption = 0.0,
    reuse_sram: ReuseSramOption = None,
    axi: AxiOption = BusWidth.none,
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
        axi=None if axi is BusWidth.none else int(axi.value),
        out=out,
        command=asked_for(),
    )
    show(result, console())
    say(f"wrote {out / FILE}")
    return 0


@app.command()
def explore(
    space: Annotated[
        str,
        typer.Argument(
            metavar="SPACE",
            help="A design space: array-and-bandwidth, when-skipping-pays, result-cache, machines, wide, or a TOML "
            "file (reports/explore/space.py).",
            callback=filled("give the name of a design space or the path of a .toml file"),
        ),
    ] = "array-and-bandwidth",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|FILE",
            help="In the place of the space's models.",
            callback=filled("give the name of a model or a checkpoint file"),
            show_default="those of the space",
        ),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            metavar="NAME|FILE",
            help="Base of the space's machines in the place of its own: edge, paper, large, or a TOML file.",
            callback=filled("give edge, paper, large, or the path of a .toml file"),
            show_default="those of the space",
        ),
    ] = None,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    check: CheckedOption = 0,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None,
        folder_to_write(
            "Folder for explore.json, .csv, .html, .svg, .png; finished points stay in its points/.",
            "build/explore/SPACE",
        ),
    ] = None,
) -> int:
    """Evaluate a design space, models x machines x policies x timesteps, by the cycle and energy models; show tables
    and Pareto fronts, each point with the radit project command that gives its numbers.

    Points that OUT/points/ holds are not evaluated again.
    """
    from radit.model.system.workers import chosen_workers
    from radit.reports.explore.explore import run_explore
    from radit.reports.explore.space import load_space
    from radit.terminal.explore import show_exploration

    loaded = load_space(space).of_model(model, machine)
    folder = out or BUILD / "explore" / loaded.name
    with chosen_workers(scheduler, jobs) as workers, at_work(folder, kept="points"):
        result = run_explore(loaded, workers=workers, check=check, seed=seed, out=folder, command=asked_for())
    show_exploration(result, console())
    say(f"wrote {folder / 'explore.html'}")
    return 0 if result.passed else 1


@app.command()
def crosscheck(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME|FILE",
            help="Models whose first block's products are compared; repeat the option or use commas.",
            show_default="digits,dit-xl-2",
            callback=filled("give the names of models or checkpoint files"),
        ),
    ] = None,
    array: ArraysOption = "16x16,64x64",
    table: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Energy table whose entries are compared (TOML; pJ per action with unit, node and source).",
            callback=filled("give default or the path of a .toml file"),
        ),
    ] = "default",
    out: Annotated[Path, folder_to_write("Folder for crosscheck.json.")] = BUILD / "crosscheck",
) -> int:
    """Set our numbers against others': cycles of dense matrix products against SCALE-Sim, entries of the energy table
    against a second source; show where and why they differ.

    The exit status is 1 where a second energy lies outside the range of its entry.
    """
    models, shapes = split_list(model or ["digits,dit-xl-2"]), [parse_array(text) for text in split_list([array])]
    from radit.reports.crosscheck.crosscheck import run_crosscheck
    from radit.reports.crosscheck.schema import FILE
    from radit.terminal.crosscheck import show_crosscheck

    with at_work(out):
        result = run_crosscheck(models=models, arrays=shapes, table=table, out=out, command=asked_for())
    show_crosscheck(result, console())
    say(f"wrote {out / FILE}")
    return 0 if result.passed else 1


@app.command()
def timing(
    context: typer.Context,
    array: ArraysOption = "4x4",
    machine: MachineOption = None,
    model: ModelOption = "digits",
    counters: Annotated[
        int | None,
        number(
            "--counters",
            "Bits of the event counters: 64, 32 or 0 (none).",
            "64, or those of the machine",
            limits=Range(0, 64),
        ),
    ] = None,
    liberty: LibertyOption = None,
    units: Annotated[
        str | None,
        typer.Option(
            "--units",
            metavar="NAME,..",
            help="Parts of the machine to time, such as ccu,dtsm (reports/area/parts.py).",
            callback=filled("give names of parts of the machine"),
            show_default="all",
        ),
    ] = None,
    activity: Annotated[
        Path | None,
        typer.Option(
            "--activity",
            metavar="FILE",
            help="Also account for power, with the activities of this waveform (.vcd, of radit cosim --waves or "
            "python -m tools.activity) of the same build.",
            **path_to_read("give the .vcd of a run"),
            show_default="no power",
        ),
    ] = None,
    out: Annotated[Path, folder_to_write("Folder for timing.json; netlists stay in its netlists/.")] = BUILD / "timing",
) -> int:
    """Find the critical path of every part of the machine in its netlist (Yosys, OpenSTA), and the clock that it means
    at 28 nm; without wires."""
    from radit.reports.timing.plan import builds_of, parts_named

    texts = split_list([array])
    shapes = [parse_array(text) for text in texts]
    named = None
    if machine is not None:  # its memory has no part in this
        named = machine_of(context, machine, array=texts[0], latency=0, bandwidth=1.0, stall=0.0)
        shapes = [named.shape, *shapes[1:]]
    builds = builds_of(shapes, named, model, counters)
    parts = parts_named(units)
    from radit.reports.timing.schema import FILE
    from radit.reports.timing.timing import run_timing
    from radit.terminal.timing import show_timing

    with at_work(out, kept="netlists"):
        result = run_timing(
            builds=builds, model=model, liberty=liberty, units=parts, activity=activity, out=out, command=asked_for()
        )
    show_timing(result, console())
    say(f"wrote {out / FILE}")
    return 0
