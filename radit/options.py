"""Options that several commands share: their types, limits and help texts, and how their texts are read."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from radit.machine import parse_array as array_of
from radit.model.dit.sampler_names import (
    DDIM,
    SOLVERS,
    SPACINGS,
    SWEPT_SOLVERS,
    SWEPT_SPACINGS,
    UNIFORM,
    Solver,
    Spacing,
)
from radit.model.errors import UserError, shown
from radit.model.outputs import output_file, output_folder
from radit.model.policy.skip_policy import POLICIES
from radit.model.ranges import RANGES, Range

if TYPE_CHECKING:
    from radit.reports.machine.description import MachineDescription

BUILD = Path("build")
UNLIMITED = float("inf")
LABELS = Range(0, 2**31 - 1)  # the model at hand has fewer
REDUCTIONS = Range(1, 6, whole=False, above=True)  # more than any variant reaches


Word = TypeVar("Word", bound=str)


class Engine(StrEnum):
    myhdl = "myhdl"
    verilator = "verilator"


class Language(StrEnum):
    verilog = "verilog"
    vhdl = "vhdl"
    both = "both"


class Memories(StrEnum):
    inside = "inside"
    apart = "apart"


class BusWidth(StrEnum):
    none = "none"
    narrow = "64"
    double = "128"
    quad = "256"
    wide = "512"


def number(name: str, text: str, default: str | bool = True, limits: Range | None = None) -> Any:
    """An option whose value must be a number of a range; the complaint names it, its value and the range.

    Args:
        text: what the help says.
        default: as the help shows it; True: the value itself.
        limits: the range; None: that of the option's name.
    """
    known = limits or RANGES[argument(name)]

    def read(value: object) -> Any:
        return known.parse(name, value) if isinstance(value, str) else value  # a default is a number

    return _read_by(read, name, known.text, text, default)


def choice(name: str, kind: type[StrEnum] | tuple[str, ...], text: str, default: str | bool = True) -> Any:
    """An option whose value must be one of a few words."""

    def read(value: str | None) -> str | None:
        if value is None:
            return None
        if value not in tuple(kind):
            raise UserError(f"{name} is {shown(value)}: choose {' or '.join(kind)}.")
        return kind(value) if isinstance(kind, type) else value

    return _read_by(read, name, "|".join(kind), text, default)


def _read_by(read: Callable[[Any], Any], name: str, metavar: str, text: str, default: str | bool) -> Any:
    """An option that is read here: what the terminal library says of a bad value names neither value nor remedy."""
    return typer.Option(
        name, metavar=metavar, parser=lambda value: value, callback=read, help=text, show_default=default
    )


def filled(remedy: str) -> Callable[..., Any]:
    """The callback of an option or a list of them that may not be an empty text."""

    def check(param: typer.CallbackParam, value: str | list[str] | None) -> str | list[str] | None:
        for text in [value] if isinstance(value, str) else value or ():
            if not text.strip():
                name = param.opts[0] if param.opts[0].startswith("-") else param.metavar  # of an option, an argument
                raise UserError(f"{name} is {shown(text)}: {remedy}.")
        return value

    return check


def argument(option: str) -> str:
    """Name in Python of an option."""
    return option.removeprefix("--").replace("-", "_")


def folder_to_write(text: str, default: str | bool = True, **names: Iterable[str]) -> Any:
    """Option ``--out`` of a command that fills a folder, checked when it is read; ``names`` as `output_folder` takes
    them."""

    def check(value: str | None) -> Path | None:
        return None if value is None else output_folder(value, "--out", **names)

    return typer.Option("--out", metavar="FOLDER", parser=str, callback=check, help=text, show_default=default)


def file_to_write(name: str, text: str, default: str | bool = True) -> Any:
    """An option that names a file to write, checked when it is read."""

    def check(value: str | None) -> Path | None:
        return None if value is None else output_file(value, name)

    return typer.Option(name, metavar="FILE", parser=str, callback=check, help=text, show_default=default)


def path_to_read(remedy: str) -> dict[str, Any]:
    """How an option that names a file or folder to read is read; the path itself is looked at where it is used."""
    check = filled(remedy)

    def path_of(param: typer.CallbackParam, value: Path | str | None) -> Path | None:
        return None if value is None else Path(check(param, str(value)))

    return {"parser": lambda value: value, "callback": path_of}


ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        help="digits, fashion, prompted-digits or, of clips, moving-digits (trained); cifar10, dit-s-2, dit-b-2, "
        "dit-l-2, dit-xl-2, dit-xl-2-512, pixart-xl-2-256, -512, -1024 or, of clips, latte-xl-2 (seeded weights); a "
        "checkpoint in the naming of DiT, PixArt or Latte (.safetensors, .pt, .ckpt); or a folder of diffusers. What "
        "it does not tell stands behind it: FILE:prediction=noise (docs/models.md).",
        callback=filled("give the name of a model or a checkpoint file"),
    ),
]
ImagesOption = Annotated[int, number("--images", "Images or clips to generate (count).")]
SAMPLER_TEXT = "What makes an image of a predicted noise: DDIM, a solver of diffusers, or DDPM, which adds noise."
SPACING_TEXT = (
    "Timesteps evenly in time, in its square root, in the log-SNR, or of one stride that ends at 0 (the official "
    "ddim50)."
)
STEPS_TEXT = "Timesteps of the sampler: evaluations of the network per image or clip (count)."
OF_MODEL = "as the model's stored policy has it, else {}"
StepsOption = Annotated[int, number("--steps", STEPS_TEXT)]
SamplerOption = Annotated[Solver, choice("--sampler", SOLVERS, SAMPLER_TEXT)]
SpacingOption = Annotated[Spacing, choice("--spacing", SPACINGS, SPACING_TEXT)]
OwnStepsOption = Annotated[int | None, number("--steps", STEPS_TEXT, OF_MODEL.format(50))]
OwnSamplerOption = Annotated[Solver | None, choice("--sampler", SOLVERS, SAMPLER_TEXT, OF_MODEL.format(DDIM))]
OwnSpacingOption = Annotated[Spacing | None, choice("--spacing", SPACINGS, SPACING_TEXT, OF_MODEL.format(UNIFORM))]
SamplersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sampler", metavar="NAME,..", help="Solvers of the dense runs.", show_default=",".join(SWEPT_SOLVERS)
    ),
]
SpacingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--spacing", metavar="NAME,..", help="Spacings of their timesteps.", show_default=",".join(SWEPT_SPACINGS)
    ),
]
CfgOption = Annotated[float, number("--cfg", "Classifier-free guidance scale (factor; 1 is no guidance).")]
GuidedOption = Annotated[
    int | None,
    number(
        "--guided-channels",
        "Guide the first channels only (count), as the official DiT does with three of four.",
        "all",
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option("--labels", metavar="L,..", help="Labels of the images or clips in turn.", show_default="0,1,2,.."),
]
PromptOption = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="TEXT|FILE,..",
        help="What a model with text draws, in turn, or as --labels number it: texts (prompted-digits: 2026,40), or "
        "files of embeddings (radit embed).",
        show_default="what the model draws by itself",
    ),
]
SeedOption = Annotated[int, number("--seed", "Seed of all random numbers (integer).")]
JobsOption = Annotated[int | None, number("--jobs", "Processes (count).", "one per core")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Work on the workers of this Dask cluster, such as tcp://node1:8786 (docs/cluster.md); the results are "
        "the same.",
        callback=filled("give the address of a Dask scheduler, such as tcp://node1:8786"),
        show_default="the cores of this machine",
    ),
]
EngineOption = Annotated[
    Engine, choice("--engine", Engine, "Simulator of the hardware: MyHDL's own, or the compiled Verilog.")
]
ArrayOption = Annotated[
    str,
    typer.Option(
        "--array",
        metavar="RxC",
        help="MAC array, rows x columns (int8 MAC cells), such as 16x16, or 16x16x2 with cells of two products.",
    ),
]
ArraysOption = Annotated[
    str, typer.Option("--array", metavar="RxC,..", help="MAC arrays, rows x columns, with commas between.")
]
LibertyOption = Annotated[
    Path | None,
    typer.Option(
        "--liberty",
        metavar="FILE",
        help="Standard cells to map to (Liberty).",
        **path_to_read("give a Liberty file"),
        show_default="Debian's qflow-tech-osu018 where it is installed, else gates counted in transistors",
    ),
]
CheckOption = Annotated[
    bool, typer.Option("--check/--no-check", help="Also synthesize a 4x4 array whole, to check the sum of its pieces.")
]

MachineOption = Annotated[
    str | None,
    typer.Option(
        "--machine",
        metavar="NAME|FILE",
        help="A whole machine, edge, paper or large, or a TOML file (reports/machine/description.py); options of the "
        "array, the memory and the clock given beside it replace single fields.",
        callback=filled("give edge, paper, large, or the path of a .toml file"),
        show_default="what the other options describe",
    ),
]
ReuseSramOption = Annotated[
    int | None,
    number(
        "--reuse-sram", "On-chip memory for the history and the cache of results (KiB).", "as the energy table has it"
    ),
]
LatencyOption = Annotated[int, number("--latency", "External memory: from a read command to its first word (cycles).")]
BandwidthOption = Annotated[
    float,
    number(
        "--bandwidth",
        "External memory: what all ports share (bytes per cycle; inf: a word in every cycle at every port).",
    ),
]
BandwidthsOption = Annotated[
    str,
    typer.Option(
        "--bandwidth",
        metavar="B,..",
        help="External memory: what all ports share (bytes per cycle, with commas between; inf: a word in every cycle "
        "at every port).",
    ),
]
StallOption = Annotated[
    float, number("--stall", "External memory: random pauses of each port (probability per cycle).")
]
ClockOption = Annotated[float, number("--clock-mhz", "Clock of the accelerator (MHz).")]
MemorySeedOption = Annotated[int, number("--memory-seed", "Seed of those pauses (integer).")]


def parse_array(text: str) -> tuple[int, ...]:
    """Rows and columns of 'RxC', and the products of 'RxCx2'."""
    return array_of(text, "--array")


def memory_of(latency: int, bandwidth: float, stall: float, **seed: int) -> dict[str, Any]:
    """The external memory, as co-simulation (`Request`) and cycle model (`MemoryModel`) take it."""
    limit = None if bandwidth == UNLIMITED else bandwidth  # None: unlimited
    return {"latency": latency, "bandwidth": limit, "stall": stall, **seed}


def machine_of(context: typer.Context, machine: str | None, **values: Any) -> "MachineDescription":
    """The machine of a command: a named one with the options that were given beside it, or that of the options alone.

    Args:
        values: of the command's options, as `described` takes them.
    """
    from radit.reports.machine.description import described

    parse_array(values["array"])
    return described(machine, partial(_given, context), **values)


def given_options(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those of a command's options that were given."""
    return [name for name in names if _given(context, name)]


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option was given, rather than left at its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def split_list(values: Iterable[str]) -> list[str]:
    """'one,two' or repeated options -> the parts in the order given, each once."""
    return list(dict.fromkeys(part.strip() for value in values for part in value.split(",")))


def parse_words(values: list[str] | None, option: str, known: tuple[Word, ...]) -> tuple[Word, ...]:
    """'one,two' or repeated options -> those of the known words, in the order given, each once; all where none is."""
    found = split_list(values or known)
    for word in found:
        if word not in known:
            raise UserError(f"{option} is {shown(word)}: choose {' or '.join(known)}, or several with commas between.")
    return tuple(known[known.index(word)] for word in found)  # type: ignore[arg-type]


def parse_policies(values: list[str]) -> list[str]:
    """'dense,radit:threshold=0.3' or repeated options -> policies in the order given, each once."""
    texts = split_list(values)
    names = [text.partition(":")[0] for text in texts]
    for name in names:
        if name not in POLICIES:
            raise UserError(
                f"--policy is {shown(name)}: choose {', '.join(POLICIES)}, or several of them with commas between."
            )
        if names.count(name) > 1:
            raise UserError(f"--policy names {name} more than once: give it once, with one choice of settings.")
    return texts


def parse_steps(text: str) -> list[int]:
    """'8,12' -> the numbers in the order given, each once."""
    return _parse_numbers(text, "--steps", RANGES["steps"], "8,12")


def parse_bandwidths(text: str) -> list[float | None]:
    """'32,64' -> the numbers in the order given, each once; None for inf."""
    found = _parse_numbers(text, "--bandwidth", RANGES["bandwidth"], "32,64")
    return [None if each == UNLIMITED else each for each in found]


def parse_labels(text: str | None) -> tuple[int, ...] | None:
    """'3,7,3' -> the labels in the order given, as often as given; None where there is no text."""
    if text is None:
        return None
    try:
        return tuple(int(LABELS.read(part.strip())) for part in text.split(","))
    except ValueError:
        raise UserError(f"--labels is {shown(text)}: give labels with commas between, such as 3,7.") from None


def parse_reductions(text: str) -> list[float]:
    """'2.5,3.33' -> the factors in the order given, each once."""
    return _parse_numbers(text, "--reductions", REDUCTIONS, "2.5,3.33")


def _parse_numbers(text: str, option: str, limits: Range, example: str) -> list[Any]:
    """Numbers with commas between, in the order given, each once."""
    try:
        return list(dict.fromkeys(limits.read(part) for part in split_list([text])))
    except ValueError:
        raise UserError(
            f"{option} is {shown(text)}: give one or several with commas between, each {limits.wanted}, "
            f"such as {example}."
        ) from None
