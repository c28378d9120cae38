"""Invocations: every command with good and cheap options, a few of which take hostile values, some files mutated.

The commands and their options are those of the application. An option that `ROLE_OF` does not name has the role of its
type; one of another type fails.
"""

from __future__ import annotations

import random
import types
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import typer

from radit.cli import app
from radit.model.dit.sampler_names import SOLVERS, SPACINGS
from tests.fuzz.pools import SUFFIXES, hostile

SHARE = {"cosim": 3, "demo": 2, "export": 2, "bench": 1, "project": 4, "area": 2, "report": 4, "train": 4, "quality": 2,
         "calibrate": 2, "frontier": 2, "ablate": 2, "differences": 2, "explore": 2, "crosscheck": 2,
         "timing": 1, "synth": 1, "embed": 2, "pack": 2, "drive": 2}  # fmt: skip
CHEAP: Mapping[str, Mapping[str, str]] = {
    "demo": {"model": "tiny.safetensors", "images": "1", "steps": "3", "array": "4x4", "out": "out"},
    "cosim": {"model": "tiny.safetensors", "array": "4x4", "steps": "2", "policy": "radit", "out": "out"},
    "export": {"array": "4x4", "out": "out"},
    "pack": {"model": "tiny.safetensors", "out": "out.radit", "array": "4x4", "steps": "2"},
    "drive": {"model": "tiny.safetensors", "array": "4x4", "axi": "64", "steps": "2", "policy": "radit"},
    "bench": {"array": "4x4", "model": "tiny.safetensors", "engines": "verilator", "seconds": "0.01", "out": "out"},
    "project": {"model": "tiny.safetensors", "array": "4x4", "steps": "3", "out": "out"},
    "explore": {"space": "space.toml", "jobs": "1", "out": "explored"},
    "crosscheck": {"model": "tiny.safetensors", "array": "4x4", "out": "out"},
    "area": {"array": "4x4", "model": "tiny.safetensors", "liberty": "cells.lib", "check": "", "out": "out"},
    "timing": {"array": "4x4", "model": "tiny.safetensors", "liberty": "cells.lib", "out": "out"},
    "synth": {"array": "4x4", "model": "tiny.safetensors", "target": "osu018", "liberty": "cells.lib", "place": "",
              "out": "out"},
    "report": {"run": "run"},
    "train": {"model": "digits", "steps": "2", "batch_size": "2", "out": "out.safetensors"},
    "embed": {"text": "a cat", "pipeline": "pipeline", "tokens": "4", "out": "out.safetensors"},
    "quality": {"model": "tiny.safetensors", "samples": "2", "steps": "2"},
    "calibrate": {"target": "error=1", "model": "tiny.safetensors", "images": "1", "steps": "3", "jobs": "1",
                  "threshold_only": "", "radit": "radit:threshold=0.5", "out": "out.policy.json"},
    "frontier": {"model": "tiny.safetensors", "samples": "2", "steps": "3", "sampler": "unipc", "spacing": "quadratic",
                 "policies": "fora:interval=2", "history": "", "jobs": "1", "out": "frontier"},
    "ablate": {"model": "tiny.safetensors", "samples": "2", "steps": "4", "variants": "codes:gain=0",
               "reductions": "1.1", "jobs": "1", "out": "ablation"},
    "differences": {"model": "tiny.safetensors", "samples": "2", "steps": "2", "array": "4x4", "bandwidth": "32",
                    "jobs": "1", "out": "out"},
}  # fmt: skip
OTHER = {  # good values that cost little, by option; of all commands, or of one
    "steps": ("1", "2", "4"), "seed": ("0", "7", str(2**32 - 1)), "cfg": ("1", "2.5", "100"), "images": ("1", "2"),
    "latency": ("0", "7"), "bandwidth": ("inf", "9.9", "64"), "stall": ("0.3",), "memory_seed": ("0", "5"),
    "blocks": ("1", "2"), "timesteps": ("1",), "samples": ("2", "3"), "policy": ("dense", "dense,radit", "forecast"),
    "skip_rate": ("0", "0.5", "1"), "clock_mhz": ("0.001", "1e5"), "trace": ("run", "used"), "run": ("used",),
    "table": ("default", "table.toml"), "readme": ("README.md",), "data": ("clips",), "out": ("used", "sp ace/x"),
    "counters": ("0", "32"), "units": ("ccu", "ccu,dtsm"), "activity": ("cells.lib",),
    "synth.target": ("osu018",), "target_mhz": ("1", "62.5"), "speed": ("6", "8"),
    "liberty": ("cells.lib",), "jobs": ("1",), "policies": ("radit", "taylorseer"), "variants": ("codes:order=2",),
    "target": ("speedup=1.01", "error=10"), "start": ("forecast:threshold=0.9",), "radit": ("radit:threshold=0.5",),
    "seconds": ("0.02",), "motion": ("digits=2:bounce=False",), "batch_size": ("1", "8"),
    "calibrate.seed": ("1000",), "train.model": ("moving-digits",), "train.out": ("new/out.safetensors",),
    "embed.out": ("new/x.safetensors",), "pack.out": ("new/x.radit",),
    "pack.policy": ("dense", "forecast"), "text": ("a small cat", "[/red]"), "negative": ("blurred",), "tokens": ("1",),
    "calibrate.out": ("new/x.json",), "ablate.steps": ("4",), "project.array": ("16x16", "64x64", "4x128"),
    "sampler": SOLVERS, "spacing": SPACINGS, "labels": ("0", "1,0"), "guided_channels": ("1",),
    "project.machine": ("edge", "own.toml"), "machine": ("own.toml",),
    "reuse_sram": ("0", "64"), "explore.check": ("0",), "explore.out": ("out",),
    "ablate.reductions": ("1.05",), "language": ("verilog", "vhdl"), "engine": ("verilator",),
    "calibrate.steps": ("3",),
    "model": ("./tiny.safetensors", "tiny.pt"), "array": ("4x4",), "engines": ("verilator",), "reductions": ("1.2",),
    "differences.bandwidth": ("inf", "9.9,64"), "differences.array": ("4x4,8x4",),
    "differences.policy": ("dense", "radit"),
    "crosscheck.model": ("tiny.safetensors", "digits"), "crosscheck.array": ("4x4,8x4",),
    "frontier.out": ("out",), "ablate.out": ("out",), "bench.model": ("tiny.safetensors",),
}  # fmt: skip
ROLE_OF = {
    "out": "write", "run": "read", "trace": "read", "activity": "read", "units": "policies",
    "data": "read", "liberty": "read", "readme": "read",
    "model": "model",
    "table": "table", "array": "array", "policy": "policy", "policies": "policies", "variants": "variants",
    "engines": "engines", "target": "target", "motion": "motion", "start": "start", "radit": "radit",
    "reductions": "reductions", "train.model": "recipe", "bench.model": "models",
    "crosscheck.model": "models", "crosscheck.array": "arrays", "scheduler": "scheduler",
    "frontier.steps": "steps-list",
    "area.array": "arrays", "timing.array": "arrays", "differences.array": "arrays", "differences.steps": "steps-list",
    "differences.bandwidth": "bandwidths", "sampler": "sampler", "spacing": "spacing", "labels": "labels",
    "machine": "machine", "space": "space", "pipeline": "read", "text": "text", "negative": "text", "prompt": "text",
}  # fmt: skip
TYPES = {int: "int", float: "float"}
BESIDE = ("policy.json", "quality.json", "calibration.safetensors")  # what is read beside a checkpoint

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # their own copies, to look at
for _command in COMMANDS.values():
    for _parameter in _command.params:
        if _parameter.name != "help":
            _parameter.callback = None  # checks of values: those of the application are not touched


@dataclass(frozen=True)
class Option:
    """An option or argument of a command.

    Fields:
        name: of its parameter.
        flag: its text; empty: an argument, given by its place.
        role: which values it takes, see `pools.ROLES`; "switch": none.
        flags: of a switch, every text.
    """

    name: str
    flag: str
    role: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Invocation:
    """A command line, and the file of the sandbox that is mutated before it, with the mutation's seed."""

    number: int
    arguments: tuple[str, ...]
    file: str = ""
    seed: str = ""

    @property
    def command(self) -> str:
        return self.arguments[0]


def options_of(command: str) -> dict[str, Option]:
    """A command's options by parameter.

    Raises:
        TypeError: one has a type without values here: give it a role.
    """
    callback = next(one.callback for one in _registered() if one.callback and one.callback.__name__ == command)
    hints, found = get_type_hints(callback), {}
    for parameter in COMMANDS[command].params:
        name, flags = parameter.name, (*parameter.opts, *parameter.secondary_opts)
        flag = flags[0] if flags[0].startswith("-") else ""
        if hints[name] is bool:
            found[name] = Option(name, flag, "switch", flags)
        else:
            found[name] = Option(name, flag, _role(command, name, hints[name]))
    return found


def _registered() -> list[Any]:
    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    return [one for group in groups for one in group.registered_commands]


def _role(command: str, name: str, hint: Any) -> str:
    if role := ROLE_OF.get(f"{command}.{name}", ROLE_OF.get(name)):
        return role
    kind = _plain(hint)
    if kind in TYPES:
        return TYPES[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "choice"
    raise TypeError(f"option {name} of {command} is of type {hint}: give it a role in tests/fuzz/plan.py")


def _plain(hint: Any) -> Any:
    """The type of an optional one."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def invocations(count: int, seed: int) -> list[Invocation]:
    """The first so many; the number and the seed determine each."""
    turns = [command for command in COMMANDS for _ in range(SHARE.get(command, 1))]
    seen: Counter[str] = Counter()
    found = []
    for number in range(count):
        command = turns[number % len(turns)]
        found.append(invocation(number, command, seen[command], seed))
        seen[command] += 1
    return found


def invocation(number: int, command: str, turn: int, seed: int) -> Invocation:
    """One of a command. In every second turn the options get another value one after the other, so that all do."""
    rng = random.Random(f"{seed}/{number}")
    known, values, file = options_of(command), dict(CHEAP[command]), ""
    names = sorted(known)
    if turn % 2 and rng.random() < 0.6:
        file, also = _file(command, rng)
        values |= also
    else:
        due = [] if turn % 2 else [names[turn // 2 % len(names)]]
        for name in [*due, *rng.sample(names, k=rng.choice((0, 0, 1, 1, 2)))]:
            good = _good(command, name, rng) if rng.random() < 0.3 else ""
            values[name] = good or _value(command, known[name], rng)
        if rng.random() < 0.4:
            name = rng.choice(names)
            values[name] = _good(command, name, rng) or values.get(name, "")
    arguments = _arguments(known, values, rng)
    if rng.random() < 0.05:
        arguments = _broken(arguments, rng)
    return Invocation(number, (command, *arguments), file, f"{seed}/{number}" if file else "")


def _value(command: str, option: Option, rng: random.Random) -> str:
    if option.role == "switch":
        return rng.choice(option.flags)
    value = hostile(option.role, rng)
    suffix = SUFFIXES.get(f"{command}.{option.name}")
    return value + suffix if suffix and rng.random() < 0.7 else value


def _good(command: str, name: str, rng: random.Random) -> str:
    return rng.choice(OTHER.get(f"{command}.{name}", OTHER.get(name, ("",))))


def _arguments(known: Mapping[str, Option], values: Mapping[str, str], rng: random.Random) -> list[str]:
    found: list[str] = []
    for name, value in values.items():
        option = known[name]
        if option.role == "switch":
            found.append(value if value.startswith("--") else option.flags[-1])
        elif not option.flag:
            found = [value, *found]
        else:
            found += [f"{option.flag}={value}"] if rng.random() < 0.15 else [option.flag, value]
    return found


def _broken(arguments: list[str], rng: random.Random) -> list[str]:
    """Without a value, with something unknown, twice, or with the help."""
    more = rng.choice(("--none", "--no", "-x", "--out", "--help", "extra", "--model", "--steps", "--", ""))
    at = rng.randrange(len(arguments) + 1)
    return arguments[:at] + [more] + arguments[at:]


def _file(command: str, rng: random.Random) -> tuple[str, dict[str, str]]:
    """A file that the command reads, and the options that make it do so."""
    model = rng.choice((("tiny.safetensors", {}), ("tiny.safetensors", {}), ("tiny.pt", {"model": "tiny.pt"})))
    beside = (f"tiny.{rng.choice(BESIDE)}", {})
    cache = rng.choice(("build/calibration/*", "build/quality/*", "build/rtl/*/*", "build/verilated/*/*"))
    choices: dict[str, list[tuple[str, dict[str, str]]]] = {
        "report": [("run/summary.json", {}), ("run/arrays.npz", {}), ("table.toml", {"table": "table.toml"}),
                   ("README.md", {"readme": "README.md"})],
        "project": [("run/arrays.npz", {"trace": "run"}), ("run/summary.json", {"trace": "run"}), model,
                    ("own.toml", {"machine": "own.toml"})],
        "explore": [("space.toml", {}), ("own.toml", {"machine": "own.toml"}), ("explored/points/*", {})],
        "train": [(f"clips/{name}", {"model": "moving-digits", "data": "clips"})
                  for name in ("a.gif", "b.png", "c.webp", "d.mp4", "frames/3.png")]
                 + [("resumed.training", {"out": "resumed.safetensors", "resume": "--resume"})],
        "embed": [(f"pipeline/{name}", {}) for name in ("tokenizer/*", "text_encoder/*", "text_encoder/*.json")],
        "area": [("cells.lib", {}), model],
        "crosscheck": [model, ("table.toml", {"table": "table.toml"})],
        "cosim": [model, beside, (cache, {}), ("interrupted/state/*", {"out": "interrupted", "resume": "--resume"})],
        "demo": [model, beside, (cache, {})],
        "quality": [model, beside, (cache, {})],
        "calibrate": [model, beside, (cache, {})],
        "bench": [model, (cache, {})],
        "frontier": [model, beside, ("frontier/points/*", {}), ("frontier/points/*", {})],
        "ablate": [model, beside, ("ablation/points/*", {}), ("ablation/points/*", {})],
    }  # fmt: skip
    return rng.choice(choices.get(command, [("README.md", {})]))


def chosen(pattern: str, work: Path, rng: random.Random) -> Path | None:
    """The file of a sandbox that a pattern means; None: there is none."""
    found = [path for path in sorted(work.glob(pattern)) if path.is_file()]
    return rng.choice(found) if found else None
