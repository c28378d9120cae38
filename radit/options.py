"""Options that several commands share: their types, limits and help texts, and how their texts are read."""

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from radit.machine import parse_array as array_of
from radit.model.errors import UserError
from radit.model.policy.skip_policy import POLICIES

BUILD = Path("build")
UNLIMITED = float("inf")
MOST_STEPS, MOST_REDUCTION = 1000, 6


class Engine(StrEnum):
    myhdl = "myhdl"
    verilator = "verilator"


class Language(StrEnum):
    verilog = "verilog"
    vhdl = "vhdl"
    both = "both"


def number(name: str, low: int, high: int | None, text: str, default: str | bool = True) -> Any:
    """An option whose value must lie in low..high; the complaint names it and its value. ``default`` as the help shows
    it."""

    def check(value: float | None) -> float | None:
        if value is not None and not (value >= low and (high is None or value <= high)):
            raise UserError(f"{name} is {value}: give {f'{low} to {high}' if high else f'{low} or more'}.")
        return value

    return typer.Option(name, metavar=f"{low}..{high or ''}", callback=check, help=text, show_default=default)


ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        help="digits or, of clips, moving-digits (trained); dit-s-2, dit-b-2, dit-l-2, dit-xl-2, dit-xl-2-512 or, of "
        "clips, latte-xl-2 (seeded weights); or a checkpoint file in the naming of DiT or Latte (.safetensors or .pt).",
    ),
]
ImagesOption = Annotated[int, number("--images", 1, None, "Images or clips to generate (count).")]
StepsOption = Annotated[int, number("--steps", 1, 1000, "Timesteps of the DDIM sampler per image or clip (count).")]
CfgOption = Annotated[float, number("--cfg", 1, 100, "Classifier-free guidance scale (factor; 1 is no guidance).")]
SeedOption = Annotated[int, number("--seed", 0, 2**32 - 1, "Seed of all random numbers (integer).")]
JobsOption = Annotated[int | None, number("--jobs", 1, None, "Processes (count).", "one per core")]
EngineOption = Annotated[
    Engine, typer.Option("--engine", help="Simulator of the hardware: MyHDL's own, or the compiled Verilog.")
]
ArrayOption = Annotated[
    str, typer.Option("--array", metavar="RxC", help="MAC array, rows x columns (int8 MAC cells), such as 16x16.")
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
        show_default="Debian's qflow-tech-osu018 where it is installed, else gates counted in transistors",
    ),
]
CheckOption = Annotated[
    bool, typer.Option("--check/--no-check", help="Also synthesize a 4x4 array whole, to check the sum of its pieces.")
]

LatencyOption = Annotated[
    int, number("--latency", 0, 100_000, "External memory: from a read command to its first word (cycles).")
]
BandwidthOption = Annotated[
    float,
    number(
        "--bandwidth",
        0.01,
        None,
        "External memory: what all ports share (bytes per cycle; inf: a word in every cycle at every port).",
    ),
]
StallOption = Annotated[
    float, number("--stall", 0, 0.99, "External memory: random pauses of each port (probability per cycle).")
]
MemorySeedOption = Annotated[int, number("--memory-seed", 0, 2**32 - 1, "Seed of those pauses (integer).")]
MaxErrorOption = Annotated[
    float | None,
    number(
        "--max-error",
        0,
        None,
        "Policy forecast of a calibrated model computes where an image's predicted error would exceed this (mse).",
        "no limit",
    ),
]


def parse_array(text: str) -> tuple[int, int]:
    """Rows and columns of 'RxC'."""
    return array_of(text, "--array")


def memory_of(latency: int, bandwidth: float, stall: float, **seed: int) -> dict[str, Any]:
    """The external memory, as co-simulation (`Request`) and cycle model (`MemoryModel`) take it."""
    limit = None if bandwidth == UNLIMITED else bandwidth  # None: unlimited
    return {"latency": latency, "bandwidth": limit, "stall": stall, **seed}


def split_list(values: Iterable[str]) -> list[str]:
    """'one,two' or repeated options -> the parts in the order given, each once."""
    return list(dict.fromkeys(part.strip() for value in values for part in value.split(",")))


def parse_policies(values: list[str]) -> list[str]:
    """'dense,radit:threshold=0.3' or repeated options -> policies in the order given, each once."""
    texts = split_list(values)
    names = [text.partition(":")[0] for text in texts]
    for name in names:
        if name not in POLICIES:
            raise UserError(
                f"--policy is '{name}': choose {', '.join(POLICIES)}, or several of them with commas between."
            )
        if names.count(name) > 1:
            raise UserError(f"--policy names {name} more than once: give it once, with one choice of settings.")
    return texts


def parse_steps(text: str) -> list[int]:
    """'50,20' -> the numbers in the order given, each once."""
    for part in (parts := split_list([text])):
        if not (part.isascii() and part.isdigit() and 1 <= int(part) <= MOST_STEPS):
            raise UserError(f"--steps is '{text}': give whole numbers from 1 to {MOST_STEPS} with commas between.")
    return [int(part) for part in parts]


def parse_reductions(text: str) -> list[float]:
    """'2.5,3.33' -> the factors in the order given, each once."""
    for part in (parts := split_list([text])):
        if not re.fullmatch(r"[0-9]+([.][0-9]+)?", part) or not 1.0 < float(part) <= MOST_REDUCTION:
            raise UserError(
                f"--reductions is '{text}': give factors above 1, up to {MOST_REDUCTION}, such as 2.5,3.33."
            )
    return [float(part) for part in parts]
