"""The command that hands the accelerator out: HDL of a build, and of a model's run what a simulator needs beside it.

It imports what it needs when it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radit.model.dit.sampler_names import DDIM, UNIFORM
from radit.model.errors import UserError, shown
from radit.options import (
    BUILD,
    ArrayOption,
    BusWidth,
    CfgOption,
    GuidedOption,
    LabelsOption,
    Language,
    MachineOption,
    Memories,
    PromptOption,
    SamplerOption,
    SeedOption,
    SpacingOption,
    StepsOption,
    choice,
    filled,
    folder_to_write,
    given_options,
    machine_of,
    number,
    parse_array,
    parse_labels,
    parse_policies,
)
from radit.terminal.console import say
from radit.terminal.interruption import at_work

if TYPE_CHECKING:
    from radit.accel.config import BuildConfig

OF_RUN = ("blocks", "policy", "steps", "sampler", "spacing", "timesteps", "labels", "prompt", "seed", "cfg",
          "guided_channels")  # fmt: skip

AxiOption = Annotated[
    BusWidth,
    choice("--axi", BusWidth, "Put AXI4 and AXI4-Lite around it: data bits of the memory bus; none: bare streams."),
]
MemoriesOption = Annotated[
    Memories,
    choice("--memories", Memories, "Memories of the Verilog: inside the one module, or instances of radit_ram."),
]

app = typer.Typer()


@app.command()
def export(
    context: typer.Context,
    array: ArrayOption = "16x16",
    machine: MachineOption = None,
    language: Annotated[
        Language, choice("--language", Language, "Hardware description language to write.")
    ] = Language.both,
    axi: AxiOption = BusWidth.none,
    memories: MemoriesOption = Memories.inside,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Size the build for this model, as radit cosim does, and write a bench of its first image.",
            callback=filled("give the name of a model or a checkpoint file"),
            show_default="the sizes of digits, and no bench",
        ),
    ] = None,
    blocks: Annotated[int | None, number("--blocks", "Keep only the model's first blocks (count).", "all")] = None,
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME[:FIELD=VALUE..]",
            help="Policy of the model's run, as radit cosim takes it; one.",
            callback=filled("give one of dense, radit, forecast, planned"),
        ),
    ] = "radit",
    steps: StepsOption = 50,
    sampler: SamplerOption = DDIM,
    spacing: SpacingOption = UNIFORM,
    timesteps: Annotated[
        int | None, number("--timesteps", "Run only the first of the sampler's steps (count).", "all")
    ] = None,
    labels: LabelsOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = 0,
    cfg: CfgOption = 1.5,
    guided_channels: GuidedOption = None,
    out: Annotated[Path, folder_to_write("Folder for the files.")] = BUILD / "rtl",
) -> int:
    """Write the whole accelerator as Verilog and VHDL; with --model of the model's size, with a self-checking bench of
    its first image: memory images, register values, golden outputs (docs/export.md).
    """
    shape, built = asked_build(context, machine, array)
    wanted, drawn = parse_policies([policy]), parse_labels(labels)
    if len(wanted) != 1:
        raise UserError(f"--policy is {shown(policy)}: give one policy, whose run is exported.")
    if model is None:
        refuse_run_options(context)
    form = {"language": language, "axi": axi, "memories": memories, "out": out}
    with at_work(out):
        if model is None:
            files = export_alone(shape, built, form)
        else:
            run = {
                "steps": steps, "images": 1, "seed": seed, "cfg": cfg, "timesteps": timesteps, "blocks": blocks,
                "solver": sampler, "spacing": spacing, "guided_channels": guided_channels, "labels": drawn,
                "prompt": prompt, "engine": "verilator", "array": shape, "built": tuple(built.items()),
            }  # fmt: skip
            files = export_model(model, wanted[0], run, form)
    tell(files)
    return 0


def asked_build(context: typer.Context, machine: str | None, array: str) -> tuple[tuple[int, ...], dict[str, int]]:
    """Sides of the array, and what a machine changes in the build beside them."""
    if machine is None:
        return parse_array(array), {}
    found = machine_of(
        context, machine, array=array, latency=100, bandwidth=32.0, stall=0.0, memory_seed=1, clock_mhz=500.0
    )
    return found.shape, found.build


def refuse_run_options(context: typer.Context) -> None:
    """Refuse options of a run where there is none.

    Raises:
        UserError: one was given.
    """
    for name in given_options(context, OF_RUN):
        option, value = name.replace("_", "-"), shown(context.params[name])
        raise UserError(f"--{option} is {value}, but there is no --model: add the model whose run it is of.")


def export_alone(shape: tuple[int, ...], built: dict[str, int], form: dict[str, Any]) -> list[Path]:
    """The usual build, with what the machine changes in it. form: options of ``write``."""
    from radit.accel.config import BuildConfig
    from radit.accel.export.export_folder import SIDES

    return write(BuildConfig(**dict(zip(SIDES, shape, strict=False)), **built), **form)


def export_model(model: str, policy: str, run: dict[str, Any], form: dict[str, Any]) -> list[Path]:
    """The build of a model; of bare streams also a bench of its run. form: options of ``write``."""
    from radit.cosim.prepare import Request, prepare
    from radit.cosim.testbench.write import write_testbench

    prepared = prepare(Request(model, **run))
    chosen = prepared.policy(policy)
    bench = (lambda folder: write_testbench(folder, prepared, chosen)) if form["axi"] is BusWidth.none else None
    return write(prepared.build, **form, more=bench)


def write(
    build: BuildConfig,
    language: Language,
    axi: BusWidth,
    memories: Memories,
    out: Path,
    more: Callable[[Path], None] | None = None,
) -> list[Path]:
    """The files of a build; ``more`` writes others beside them."""
    from radit.accel.axi.bus_config import BusConfig
    from radit.accel.export.export_folder import export_build

    languages = ("verilog", "vhdl") if language is Language.both else (language.value,)
    bus = None if axi is BusWidth.none else BusConfig(data_bits=int(axi.value))
    return export_build(build, languages, out, bus, more, memories is Memories.apart)


def tell(files: list[Path]) -> None:
    """Each file with its size and what it is."""
    from radit.accel.export.export_folder import describe

    for path in files:
        say(f"{path}  {path.stat().st_size / 1024:,.0f} KiB  {describe(path)}")
