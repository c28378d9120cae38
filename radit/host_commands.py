"""Commands of the command line (`radit.py`) that are about a host: packed models, and the accelerator behind AXI.

Each imports what it needs when it runs.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from radit.model.errors import UserError, shown
from radit.model.outputs import output_file
from radit.options import (
    BUILD,
    ArrayOption,
    BusWidth,
    CfgOption,
    GuidedOption,
    ImagesOption,
    LabelsOption,
    LatencyOption,
    MemorySeedOption,
    ModelOption,
    OwnSamplerOption,
    OwnSpacingOption,
    OwnStepsOption,
    PromptOption,
    SeedOption,
    StallOption,
    choice,
    filled,
    number,
    parse_array,
    parse_labels,
    parse_policies,
)
from radit.terminal.console import console, say
from radit.terminal.interruption import at_work

DRIVERS = ("c", "python")
POLICY_HELP = (
    "Compute everything (dense), skip as the paper does (radit), or forecast whole timesteps, as the input changes "
    "(forecast) or by a plan (planned), with settings as radit cosim takes them"
)
TimestepsOption = Annotated[int | None, number("--timesteps", "Only the first of the sampler's steps (count).", "all")]

app = typer.Typer()


def _request(model: str, steps: int | None, sampler: Any, spacing: Any, **settings: Any) -> Any:
    """What is to be run, of the options; the sampler is the model's own where none is given."""
    from radit.cosim.prepare import Request
    from radit.model.policy.policy_file import own_sampler

    way = own_sampler(model, steps, sampler, spacing)
    return Request(model=model, steps=way.steps, solver=way.solver, spacing=way.spacing, engine="verilator", **settings)


def _single(policy: str) -> str:
    """One policy.

    Raises:
        UserError: there are several.
    """
    found = parse_policies([policy])
    if len(found) != 1:
        raise UserError(f"--policy is {shown(policy)}: a file holds one policy, give one.")
    return found[0]


@app.command()
def pack(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            callback=filled("give the name of a model or a checkpoint file"),
            help="Name or checkpoint file, as --model of radit cosim takes it.",
        ),
    ] = "digits",
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", parser=str, callback=lambda value: output_file(value, "OUT"), help="File to write."
        ),
    ] = BUILD / "packed.radit",
    policy: Annotated[str, typer.Option(metavar="NAME[:FIELD=VALUE..]", help=f"{POLICY_HELP}.")] = "radit",
    array: ArrayOption = "16x16",
    steps: OwnStepsOption = None,
    sampler: OwnSamplerOption = None,
    spacing: OwnSpacingOption = None,
    timesteps: TimestepsOption = None,
    images: ImagesOption = 1,
    labels: LabelsOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = 0,
    cfg: CfgOption = 1.5,
    guided_channels: GuidedOption = None,
) -> int:
    """Pack a model, a policy and the conditioning of images into one file for the C and Python drivers.

    The file has all that a host writes into memory and registers, and what it needs to make whole images itself.
    """
    text, drawn = _single(policy), parse_labels(labels)
    shape = parse_array(array)
    request = _request(
        model, steps, sampler, spacing, array=shape, timesteps=timesteps, images=images, labels=drawn, prompt=prompt,
        seed=seed, cfg=cfg, guided_channels=guided_channels,
    )  # fmt: skip
    from radit.cosim.drive.model_file import pack_model
    from radit.cosim.prepare import prepare
    from radit.model.files import write_file
    from radit.terminal.host import show_packed

    prepared = prepare(request)
    packed = pack_model(prepared, prepared.policy(text))
    with at_work(out, is_folder=False):
        write_file(out, packed.to_bytes())
    show_packed(packed, console())
    say(f"wrote {out}")
    return 0


@app.command()
def drive(
    model: ModelOption = "digits",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:FIELD=VALUE..]",
            help=f"{POLICY_HELP}; repeat the option or use commas for several.",
            show_default="dense,radit",
        ),
    ] = None,
    driver: Annotated[str, choice("--driver", DRIVERS, "Driver to use: the C one, or the Python one.")] = "c",
    array: ArrayOption = "16x16",
    axi: Annotated[BusWidth, choice("--axi", BusWidth, "Data bits of the memory bus; none: 64.")] = BusWidth.quad,
    steps: OwnStepsOption = None,
    sampler: OwnSamplerOption = None,
    spacing: OwnSpacingOption = None,
    timesteps: TimestepsOption = None,
    images: ImagesOption = 1,
    labels: LabelsOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = 0,
    cfg: CfgOption = 1.5,
    guided_channels: GuidedOption = None,
    latency: LatencyOption = 100,
    stall: StallOption = 0.0,
    memory_seed: MemorySeedOption = 1,
) -> int:
    """Generate whole images through the simulated accelerator behind AXI, as a host with the C driver does; compare
    every x and every image with the reference, bit for bit, and the cycles of the timesteps with the cycle model.
    """
    policies, drawn = parse_policies(policy or ["dense,radit"]), parse_labels(labels)
    shape = parse_array(array)
    request = _request(
        model, steps, sampler, spacing, array=shape, timesteps=timesteps, images=images, labels=drawn, prompt=prompt,
        seed=seed, cfg=cfg, guided_channels=guided_channels,
    )  # fmt: skip
    from radit.accel.axi.bus_config import BusConfig
    from radit.cosim.drive.compare import drive as drive_images
    from radit.cosim.drive.simulated import BusTiming
    from radit.cosim.engines.open import check_tools
    from radit.cosim.prepare import prepare
    from radit.reports.cycles.bus import behind_axi
    from radit.reports.run.driven import predicted_on_bus
    from radit.terminal.host import show_driven

    check_tools("verilator")
    prepared = prepare(request)
    bus = BusConfig(data_bits=64 if axi is BusWidth.none else int(axi.value))
    timing = BusTiming(latency, stall, memory_seed)
    model_of_bus = behind_axi(latency, stall, bus)
    found, predicted = [], []
    for text in policies:
        chosen = prepared.policy(text)
        for one in drive_images(prepared, chosen, bus, timing, driver):  # type: ignore[arg-type]
            found.append(one)
            predicted.append(predicted_on_bus(prepared, chosen, one, model_of_bus))
    show_driven(found, predicted, model_of_bus, console())
    precise = not any(one.imprecise(model_of_bus) for one in predicted)
    return 0 if precise and all(one.is_equal for one in found) else 1
