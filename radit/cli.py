"""The command line: what to run and with which options, nothing else.

Every command imports what it needs when it runs, so that ``--help`` does not wait for torch. Exit status:
0 all is well, 1 something differs that should be equal, 2 bad input (one sentence on stderr says what and why), 141
nobody reads the output any more.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from radit import (
    comparison_commands,
    export_commands,
    host_commands,
    model_commands,
    prediction_commands,
    synthesis_commands,
)
from radit.machine import Memory
from radit.model.dit.sampler_names import DDIM, UNIFORM
from radit.model.errors import UserError, shown
from radit.options import (
    BUILD,
    ArrayOption,
    ArraysOption,
    BandwidthOption,
    CfgOption,
    CheckOption,
    ClockOption,
    Engine,
    EngineOption,
    GuidedOption,
    ImagesOption,
    LabelsOption,
    LatencyOption,
    LibertyOption,
    MachineOption,
    MemorySeedOption,
    ModelOption,
    OwnSamplerOption,
    OwnSpacingOption,
    OwnStepsOption,
    PromptOption,
    SamplerOption,
    SchedulerOption,
    SeedOption,
    SpacingOption,
    StallOption,
    StepsOption,
    file_to_write,
    filled,
    folder_to_write,
    machine_of,
    memory_of,
    number,
    parse_array,
    parse_labels,
    parse_policies,
    path_to_read,
    split_list,
)
from radit.terminal.console import OutputClosed, closed_status, console, encodable, flushed, say, show_help
from radit.terminal.interruption import INTERRUPTED, GuardedCommands, Interrupted, at_work, no_window
from radit.terminal.messages import asked_for, complain, told

MOST_SAID = 300  # characters of what the terminal library says
NO_MEMORY = "can't allocate memory"  # what torch says where Python says MemoryError
SIMULATORS = ("myhdl", "icarus", "verilator", "verilator-2", "cocotb")

app = typer.Typer(
    name="radit",
    cls=GuardedCommands,
    help="RADiT: diffusion transformers on an accelerator that skips what hardly changes between timesteps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(model_commands.app)
app.add_typer(export_commands.app)
app.add_typer(comparison_commands.app)
app.add_typer(prediction_commands.app)
app.add_typer(synthesis_commands.app)
app.add_typer(host_commands.app)


def asked_machine(
    context: typer.Context, machine: str | None, array: str, latency: int, bandwidth: float, stall: float, seed: int,
    clock_mhz: float,
) -> dict[str, Any]:  # fmt: skip
    """What a co-simulation is told of the machine: array, memory and clock of the options, or a whole machine."""
    if machine is None:
        memory = Memory(latency, bandwidth, stall, seed)
        return {"array": parse_array(array), "memory": memory, "clock_mhz": clock_mhz}
    found = machine_of(
        context, machine, array=array, latency=latency, bandwidth=bandwidth, stall=stall, memory_seed=seed,
        clock_mhz=clock_mhz,
    )  # fmt: skip
    return {"machine": found}


@app.command()
def demo(
    context: typer.Context,
    model: ModelOption = "digits",
    images: Annotated[
        int | None, number("--images", "Images or clips to generate (count).", "10, of clips 4, with --prompt one each")
    ] = None,
    steps: OwnStepsOption = None,
    sampler: OwnSamplerOption = None,
    spacing: OwnSpacingOption = None,
    cfg: CfgOption = 1.5,
    guided_channels: GuidedOption = None,
    labels: LabelsOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = 0,
    machine: MachineOption = None,
    array: ArrayOption = "16x16",
    engine: EngineOption = Engine.verilator,
    latency: LatencyOption = 100,
    bandwidth: BandwidthOption = 32.0,
    stall: StallOption = 0.0,
    memory_seed: MemorySeedOption = 1,
    clock_mhz: ClockOption = 500.0,
    out: Annotated[
        Path | None,
        folder_to_write(
            "Folder for summary.json, report.html, images/, rtl/.", "build/demo, of clips build/moving-digits"
        ),
    ] = None,
) -> int:
    """Generate digits, texts, garments, or clips of moving digits, through the hardware, dense, as the paper skips, and
    under the model's own policy; check every word; report cycles, energy, quality.

    Models are digits, prompted-digits, fashion, moving-digits, or a checkpoint file whose samples have their shape.
    """
    drawn = parse_labels(labels)
    around = asked_machine(context, machine, array, latency, bandwidth, stall, memory_seed, clock_mhz)
    from radit.run_commands import run_demo

    equal = run_demo(
        model=model, images=images, steps=steps, sampler=sampler, spacing=spacing, seed=seed, cfg=cfg,
        guided_channels=guided_channels, labels=drawn, prompt=prompt, engine=engine.value, out=out, **around,
    )  # fmt: skip
    return 0 if equal else 1


@app.command()
def cosim(
    context: typer.Context,
    model: ModelOption = "digits",
    blocks: Annotated[int | None, number("--blocks", "Keep only the model's first blocks (count).", "all")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:FIELD=VALUE..]",
            help="Compute everything (dense), skip as the paper does (radit), or forecast whole timesteps, as the "
            "input changes (forecast) or by a plan (planned); repeat the option or use commas for several. Settings "
            "such as radit:threshold=0.3:first_dense=1 replace the policy's own (model/policy/skip_policy.py).",
            show_default="radit",
        ),
    ] = None,
    engine: EngineOption = Engine.verilator,
    machine: MachineOption = None,
    array: ArrayOption = "16x16",
    steps: StepsOption = 50,
    sampler: SamplerOption = DDIM,
    spacing: SpacingOption = UNIFORM,
    timesteps: Annotated[
        int | None, number("--timesteps", "Run only the first of the sampler's steps (count).", "all")
    ] = None,
    images: ImagesOption = 1,
    labels: LabelsOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = 0,
    cfg: CfgOption = 1.5,
    guided_channels: GuidedOption = None,
    latency: LatencyOption = 100,
    bandwidth: BandwidthOption = 32.0,
    stall: StallOption = 0.0,
    memory_seed: MemorySeedOption = 1,
    clock_mhz: ClockOption = 500.0,
    out: Annotated[Path, folder_to_write("Folder for the results.")] = BUILD / "cosim",
    waves: Annotated[bool, typer.Option("--waves", help="Also write a waveform (large: use few steps).")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run from the last block that OUT/state/ keeps (one image under one policy "
            "on verilator, with the same settings).",
        ),
    ] = False,
    scheduler: SchedulerOption = None,
) -> int:
    """Run a model through the simulated hardware and compare every word and decision with the integer reference.

    A run of one image under one policy keeps its state in OUT/state/ while it lasts, so that --resume can continue it.
    """
    policies, drawn = parse_policies(policy or ["radit"]), parse_labels(labels)
    around = asked_machine(context, machine, array, latency, bandwidth, stall, memory_seed, clock_mhz)
    from radit.run_commands import run_cosim

    equal = run_cosim(
        model=model, blocks=blocks, policies=policies, images=images, steps=steps, sampler=sampler,
        spacing=spacing, timesteps=timesteps, seed=seed, cfg=cfg, guided_channels=guided_channels, labels=drawn,
        prompt=prompt, engine=engine.value, out=out, with_waves=waves, resume=resume, scheduler=scheduler, **around,
    )  # fmt: skip
    return 0 if equal else 1


@app.command()
def bench(
    array: ArrayOption = "64x64",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME|FILE",
            help="Models whose first block is run: all engines on the first model's, the Verilator engine on all. "
            "Repeat the option or use commas.",
            show_default="dit-s-2,dit-xl-2",
            callback=filled("give the names of models or checkpoint files"),
        ),
    ] = None,
    engines: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,..", help="What to measure.", show_default=",".join(SIMULATORS)),
    ] = None,
    seconds: Annotated[float, number("--seconds", "Time limit of what is timed, per engine (s).")] = 20.0,
    seed: SeedOption = 0,
    out: Annotated[Path, folder_to_write("Folder for bench.json.")] = BUILD / "bench",
) -> int:
    """Measure how fast each simulator runs the whole accelerator, on the same work and in one run."""
    shape, models = parse_array(array), split_list(model or ["dit-s-2,dit-xl-2"])
    names = split_list(engines or SIMULATORS)
    for name in names:
        if name not in SIMULATORS:
            raise UserError(f"--engines is {shown(name)}: choose from {', '.join(SIMULATORS)}, with commas between.")
    from radit.reports.bench.bench import FILE, run_bench
    from radit.terminal.bench import show_bench

    result = run_bench(
        models=models, array=shape, engines=names, seconds=seconds, seed=seed, out=out, command=asked_for()
    )  # fmt: skip
    show_bench(result, console())
    say(f"wrote {out / FILE}")
    return 0 if result.passed else 1


@app.command()
def area(
    array: ArraysOption = "16x16,64x64",
    model: ModelOption = "digits",
    liberty: LibertyOption = None,
    check: CheckOption = True,
    latency: LatencyOption = 100,
    bandwidth: BandwidthOption = 32.0,
    out: Annotated[Path, folder_to_write("Folder for area.json; finished pieces stay in its pieces/.")] = BUILD
    / "area",
) -> int:
    """Account for what detection costs: cells of every part of the machine (Yosys), and cycles and energy of a run."""
    shapes, memory = [parse_array(text) for text in split_list([array])], memory_of(latency, bandwidth, 0.0)
    from radit.reports.area.area import run_area
    from radit.reports.area.schema import FILE
    from radit.terminal.area import show_area

    with at_work(out, kept="pieces"):
        result = run_area(
            arrays=shapes, model=model, liberty=liberty, check=check, memory=memory, out=out, command=asked_for()
        )  # fmt: skip
    show_area(result, console())
    say(f"wrote {out / FILE}")
    return 0


@app.command()
def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A finished run, with its summary.json.",
            **path_to_read("give the folder of a run"),
        ),
    ] = BUILD / "demo",
    table: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Energy table (TOML; pJ per action with unit, node and source), or default.",
            callback=filled("give default or the path of a .toml file"),
            show_default="that of the run",
        ),
    ] = None,
    readme: Annotated[
        Path | None, file_to_write("--readme", "Also bring the result table of this README up to date.")
    ] = None,
) -> int:
    """Render the report of a finished run again, for instance with another energy table; nothing is simulated."""
    from radit.reports.run.runs import rerun_report

    say(f"wrote {rerun_report(run=run, table=table, readme=readme)}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run a command; bad input becomes one sentence and exit status 2 instead of a traceback."""
    with encodable(), told(), no_window():
        try:
            status = run(arguments)
            flushed()
            return status
        except OutputClosed as error:
            return closed_status(error)


def run(arguments: list[str] | None) -> int:
    """Run a command and return its exit status.

    Raises:
        OutputClosed: stdout takes nothing more.
    """
    try:
        status = app(arguments, prog_name="radit", standalone_mode=False) or 0
        if status == INTERRUPTED:  # while its arguments were read
            raise Interrupted
        return status
    except Interrupted as error:
        stays = f": {error}" if str(error) else ""
        complain(f"interrupted{stays}.")
        return INTERRUPTED
    except SystemExit as error:  # how the terminal library ends where nobody reads its help
        raise OutputClosed from error
    except UserError as error:
        return refuse(str(error.__cause__ if isinstance(error.__cause__, UserError) else error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or NO_MEMORY in str(error):
            return refuse("This machine has no memory left: use a smaller model, fewer images, timesteps or processes.")
        raise
    except typer.TyperException as error:  # an option that does not exist or does not parse
        if not (arguments if arguments is not None else sys.argv[1:]):
            show_help(error.format_message())
            return error.exit_code
        return refuse(usage_sentence(error))


def usage_sentence(error: typer.TyperException) -> str:
    """What the terminal library says of arguments that do not parse, on one line, and where the right ones are."""
    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    said = said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]} .."
    context = getattr(error, "ctx", None)
    return f"{said} (see {context.command_path if context else 'radit COMMAND'} --help)"


def refuse(sentence: str) -> int:
    """Say what is wrong with the input; returns the exit status."""
    complain(sentence)
    return 2


if __name__ == "__main__":
    sys.exit(main())
