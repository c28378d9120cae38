"""A design space in one TOML file. ``reports/spaces/`` holds the named ones.

```toml
question = "Which array for DiT-XL/2 at which bandwidth?"
models = ["dit-xl-2"]                  # names or checkpoint files
steps = [20, 50]                       # timesteps: evaluations of the network
cfg = [1.5]                            # guidance scales
samplers = ["unipc, quadratic"]        # solver and spacing, where errors are to be looked up

[[machines]]                           # every combination of the lists, on top of a machine
base = "paper"                         # a name, or a file beside this one
array = ["32x32", "64x64", "64x64x2"]
bandwidth = [16, 32, inf]              # and latency, stall, clock_mhz, reuse_sram_kib

[policies]
dense = true
skip_rates = [0.25, 0.5]               # as `radit project --skip-rate` takes them
forecast = [false, true]               # how what they skip is reused
traces = []                            # folders of recorded runs, whose decisions are taken

[[tables]]                             # what is shown beside the fronts: the best value of each cell
rows = "array"
columns = "bandwidth"
value = "milliseconds"
where = { policy = "dense" }
```

``area`` and ``errors`` name the results of `radit area` and `radit frontier` that areas and errors are taken from; by
default they are those of docs/results, where the project is a checkout.
"""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from radit.model.dit.sampler_names import HEUN, SOLVERS, SPACINGS
from radit.model.errors import UserError, shown
from radit.model.limits import check_memory
from radit.model.ranges import RANGES
from radit.model.reading import misfit, path_text, read_toml
from radit.reports.machine.description import ArrayShape, MachineDescription, load_machine, within

SPACES = Path(__file__).parents[1] / "spaces"
REMEDY = "give an existing .toml file, and correct that place"
MOST_LISTED, MOST_POINTS = 1000, 1_000_000
POINT_BYTES = 8000  # of a point while the results are written
# Fields of machines that lists vary -> options of `radit project`.
SPANS = {name: name for name in ("array", "latency", "bandwidth", "stall", "clock_mhz")}
SPANS["reuse_sram_kib"] = "reuse_sram"


def _sampler(text: str) -> str:
    solver, _, spacing = text.partition(", ")
    if solver not in SOLVERS or spacing not in SPACINGS:
        raise ValueError(f"write a solver ({', '.join(SOLVERS)}), a comma, a blank, a spacing ({', '.join(SPACINGS)})")
    return text


Text = Annotated[str, Field(min_length=1, max_length=1000)]
Listed = Field(min_length=1, max_length=MOST_LISTED)
Some: Any = Field(default=[], max_length=MOST_LISTED)


class _Spanned(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MachineSpan(_Spanned):
    """Machines: every combination of the lists, each in the place of a field of ``base``."""

    base: Text
    array: Annotated[list[ArrayShape], Some]
    latency: Annotated[list[Annotated[int, within(RANGES["latency"])]], Some]
    bandwidth: Annotated[list[Annotated[float, within(RANGES["bandwidth"])]], Some]
    stall: Annotated[list[Annotated[float, within(RANGES["stall"])]], Some]
    clock_mhz: Annotated[list[Annotated[float, within(RANGES["clock_mhz"])]], Some]
    reuse_sram_kib: Annotated[list[Annotated[int, within(RANGES["reuse_sram"])]], Some]

    def changes(self) -> list[dict[str, Any]]:
        """What replaces fields of the base, a machine each."""
        lists = [[(name, value) for value in values] for name in SPANS if (values := getattr(self, name))]
        return [dict(one) for one in itertools.product(*lists)]


class PolicySpan(_Spanned):
    """What is skipped: nothing, even rates with or without forecasts, decisions of recorded runs."""

    dense: bool = True
    skip_rates: Annotated[list[Annotated[float, within(RANGES["skip_rate"])]], Some]
    forecast: Annotated[list[bool], Field(min_length=1, max_length=2)] = [False]
    traces: Annotated[list[Text], Some]

    def decisions(self, folder: Path) -> list[Decided]:
        """All of them; relative folders of runs start from the working directory, as for `radit project`."""
        skipping = [Decided(rate=rate, forecast=way) for way in self.forecast for rate in self.skip_rates]
        traced = [Decided(trace=trace, forecast=way) for way in self.forecast for trace in self.traces]
        return [*([Decided()] if self.dense else []), *skipping, *traced]


class TableWanted(_Spanned):
    """A table of the best values by two fields of the points, of those whose fields are as ``where`` says."""

    rows: Text
    columns: Text
    value: Text
    where: dict[str, str | float | bool] = {}


class Space(_Spanned):
    """A whole space; `load_space` reads one."""

    question: Text
    models: Annotated[list[Text], Listed]
    steps: Annotated[list[Annotated[int, within(RANGES["steps"])]], Listed] = [50]
    cfg: Annotated[list[Annotated[float, within(RANGES["cfg"])]], Listed] = [1.5]
    samplers: Annotated[list[Annotated[str, AfterValidator(_sampler)]], Some]
    machines: Annotated[list[MachineSpan], Listed]
    policies: PolicySpan
    tables: Annotated[list[TableWanted], Some]
    area: Text | None = None
    errors: Text | None = None


@dataclass(frozen=True)
class Decided:
    """What is skipped: nothing, a rate, or what a recorded run skipped; see `radit project`."""

    rate: float | None = None
    forecast: bool = False
    trace: str | None = None

    @property
    def is_dense(self) -> bool:
        """Nothing is skipped."""
        return self.rate is None and self.trace is None

    @property
    def text(self) -> str:
        """In words."""
        if self.trace is not None:
            return f"trace {self.trace}{', forecast' if self.forecast else ''}"
        return "dense" if self.rate is None else f"{'forecast' if self.forecast else 'reuse'} {self.rate:g}"

    @property
    def options(self) -> list[str]:
        """Of `radit project`."""
        found = [] if self.rate is None else ["--skip-rate", repr(self.rate)]
        found += [] if self.trace is None else ["--trace", self.trace]
        return [*found, *(["--forecast"] if self.forecast else [])]


@dataclass(frozen=True)
class SpannedMachine:
    """A machine of a space: the base as commands name it, and the fields that differ."""

    base: str
    changes: tuple[tuple[str, Any], ...]
    described: MachineDescription

    @property
    def options(self) -> list[str]:
        """Of `radit project`."""
        values = {SPANS[name]: value for name, value in self.changes}
        pairs = [(f"--{name.replace('_', '-')}", _written(value)) for name, value in values.items()]
        return ["--machine", self.base, *itertools.chain.from_iterable(pairs)]


def _written(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Design:
    """A point of a space, before anything is known of it."""

    model: str
    cfg: float
    steps: int
    sampler: str | None
    machine: SpannedMachine
    decided: Decided

    @property
    def evaluations(self) -> int:
        """Of the network: heun takes one less where the number of timesteps is even."""
        return self.steps - (self.sampler is not None and self.sampler.startswith(HEUN) and self.steps % 2 == 0)

    @property
    def command(self) -> str:
        """What gives the same numbers."""
        work = ["--model", self.model, "--steps", str(max(1, self.evaluations)), "--cfg", repr(self.cfg)]
        return shlex.join(["radit", "project", *work, *self.machine.options, *self.decided.options])


class LoadedSpace:
    """A space with its name, and its points."""

    def __init__(self, name: str, space: Space, folder: Path) -> None:
        self.name, self.space, self._folder = name, space, folder

    def of_model(self, model: str | None, machine: str | None) -> LoadedSpace:
        """The same with another model, or on top of another machine, in the place of all of its own."""
        update: dict[str, Any] = {} if model is None else {"models": [model]}
        if machine is not None:
            spans = {span.model_copy(update={"base": machine}).model_dump_json(): span for span in self.space.machines}
            update["machines"] = [span.model_copy(update={"base": machine}) for span in spans.values()]
        folder = Path() if machine is not None else self._folder
        return LoadedSpace(self.name, self.space.model_copy(update=update), folder)

    def result(self, name: str, shipped: Path) -> Path | None:
        """The file that areas or errors are taken from; None: there is none."""
        given = getattr(self.space, name)
        if given is not None:
            return self._folder / given
        return shipped if shipped.is_file() else None

    @cached_property
    def machines(self) -> list[SpannedMachine]:
        """Every one once.

        Raises:
            UserError: a base is unknown or bad.
        """
        found: dict[tuple[str, tuple[tuple[str, Any], ...]], SpannedMachine] = {}
        for span in self.space.machines:
            base = load_machine(span.base, "machines.base", self._folder)
            called = span.base if Path(span.base).suffix != ".toml" else str(self._folder / span.base)
            for changes in span.changes():
                key = called, tuple(changes.items())
                found[key] = SpannedMachine(called, key[1], base.changed(**changes))
        return list(found.values())

    @property
    def size(self) -> int:
        """Number of points, at most; no machine is read for it."""
        space = self.space
        machines = sum(
            math.prod(len(values) for name in SPANS if (values := getattr(span, name))) for span in space.machines
        )
        kinds = len(space.policies.decisions(self._folder))
        return len(space.models) * len(space.cfg) * len(space.steps) * max(1, len(space.samplers)) * machines * kinds

    def designs(self) -> Iterator[Design]:
        """All points.

        Raises:
            UserError: a machine is unknown or bad.
        """
        space = self.space
        decisions = space.policies.decisions(self._folder)
        samplers: list[str | None] = [*space.samplers] or [None]
        each = itertools.product(space.models, space.cfg, space.steps, samplers, self.machines, decisions)
        return itertools.starmap(Design, each)

    def check(self) -> None:
        """Refuse a space that is too large, or empty.

        Raises:
            UserError: it is.
        """
        size = self.size
        if not size:
            raise UserError(f"space {self.name} field policies names nothing: set dense, or give skip_rates or traces.")
        if size > MOST_POINTS:
            raise UserError(
                f"space {self.name} has {size:,} points, more than {MOST_POINTS:,}: give shorter lists, or several "
                "spaces."
            )
        check_memory(f"Space {self.name}", {"points": size * POINT_BYTES}, "use a smaller space")


def named_spaces() -> list[str]:
    """Names of the spaces that are here."""
    return sorted(path.stem for path in SPACES.glob("*.toml"))


def load_space(space: str) -> LoadedSpace:
    """Read and check a space: a name, or the path of a TOML file.

    Raises:
        UserError: there is no such space, the file is not TOML, or a field is missing, unknown or out of range.
    """
    if space in named_spaces():
        path = SPACES / f"{space}.toml"
    elif Path(space).suffix == ".toml":
        path = Path(space)
    else:
        raise UserError(f"SPACE is {shown(space)}: give {', '.join(named_spaces())}, or the path of a .toml file.")
    content = read_toml(path, "space", REMEDY)
    try:
        found = Space.model_validate(content, strict=True)
    except ValidationError as error:
        raise UserError(f"space {path_text(path)}: {misfit(error)}.") from None
    return LoadedSpace(path.stem, found, path.parent)
