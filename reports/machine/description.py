"""A machine in one TOML file: array, external memory, clock, node, energies. ``reports/machines/`` has the named ones.

```toml
name = "paper"
array = "64x64"                # rows x columns of int8 MAC cells; "64x64x2": with cells of two products
clock_mhz = 500                # MHz
node_nm = 28                   # nm; that of the energy table
energy_table = "default"       # or a .toml file, relative to this one
reuse_sram_kib = 512           # KiB on chip for history and cache of results; by default the energy table's

[memory]                       # external
latency = 100                  # cycles from a command to its first word
bandwidth = 32                 # bytes per cycle that all ports share; inf: a word in every cycle at every port
stall = 0                      # random pauses of each port, probability per cycle
seed = 1                       # of those pauses, in a co-simulation

[build]                        # parameters of `BuildConfig` (accel/config.py); what is left out follows from the model
max_tokens = 256
```

``base = "paper"`` starts from a named machine, so that a file states what differs. ``array`` and ``memory`` are never
left out otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.model.errors import UserError, shown
from radit.model.plain_text import one_line
from radit.model.ranges import RANGES, Range
from radit.model.reading import misfit, path_text, read_toml
from radit.reports.cycles.bus import behind_axi
from radit.reports.cycles.memory import MemoryModel
from radit.reports.energy.energy_table import DEFAULT_TABLE, EnergyTable, Name, load_table
from radit.reports.machine.array_text import WANTED, parse_array

MACHINES = Path(__file__).parents[1] / "machines"
REMEDY = "give an existing .toml file, and correct that place"
SIDES = ("rows", "cols", "products")  # of a build, which `array` states
BUILD_FIELDS = tuple(each.name for each in fields(BuildConfig) if each.name not in SIDES)
MOST_BUILT = (1 << 16) - 1  # of a build's parameter: what registers count to


def within(limits: Range) -> AfterValidator:
    """Return the check of a field of a file: a number of a range."""

    def check(value: Any) -> Any:
        try:
            return limits.of(value)
        except ValueError:
            raise ValueError(f"give {limits.wanted}") from None

    return AfterValidator(check)


def _array(text: str) -> str:
    try:
        parse_array(text)
    except UserError:
        raise ValueError(WANTED) from None
    return text


ArrayShape = Annotated[str, AfterValidator(_array)]
"""A MAC array as options name it."""


def _built(given: dict[str, int]) -> dict[str, int]:
    for name in given:
        if name not in BUILD_FIELDS:
            if name in SIDES:
                raise ValueError(f"entry {name} belongs to the array: state it in field array, such as 16x16x2")
            raise ValueError(f"entry {one_line(name)} is unknown: use {', '.join(BUILD_FIELDS)}")
    return given


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DescribedMemory(_Described):
    """External memory; latency in cycles, bandwidth in bytes per cycle, stall a probability per cycle."""

    latency: Annotated[int, within(RANGES["latency"])]
    bandwidth: Annotated[float, within(RANGES["bandwidth"])]
    stall: Annotated[float, within(RANGES["stall"])] = 0.0
    seed: Annotated[int, within(RANGES["memory_seed"])] = 1

    @property
    def limit(self) -> float | None:
        """Bytes per cycle; None: unlimited."""
        return None if self.bandwidth == math.inf else self.bandwidth

    @property
    def timing(self) -> MemoryModel:
        """As the cycle model takes it."""
        return MemoryModel(self.latency, self.limit, self.stall)

    def behind(self, axi: int) -> MemoryModel:
        """The same behind the AXI wrapper with so many data bits."""
        return behind_axi(self.latency, self.stall, BusConfig(data_bits=axi), self.limit)


class MachineDescription(_Described):
    """A whole machine; `load_machine` reads one.

    Fields:
        name: None: one that options alone describe.
        array: "RxC", int8 MAC cells, or "RxCx2" with cells of two products.
        clock_mhz: MHz.
        node_nm: nm, that of the energy table.
        energy_table: a name in reports/tables, or the path of a TOML file.
        reuse_sram_kib: KiB on chip for history and cache of results; None: what the energy table says.
        build: parameters of `BuildConfig` that do not follow from the model.
        given_beside: options that have replaced a field, as text.
    """

    name: Name | None = None
    array: ArrayShape
    clock_mhz: Annotated[float, within(RANGES["clock_mhz"])] = 500.0
    node_nm: Annotated[float, Field(gt=0, le=1000)] = 28.0
    energy_table: Name = DEFAULT_TABLE.stem
    reuse_sram_kib: Annotated[int, within(RANGES["reuse_sram"])] | None = None
    memory: DescribedMemory
    build: Annotated[dict[str, Annotated[int, Field(ge=1, le=MOST_BUILT)]], AfterValidator(_built)] = {}
    given_beside: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the array, and the products of a cell where there are two."""
        return parse_array(self.array)

    @property
    def title(self) -> str | None:
        """The name, and what options have changed; None: no named machine."""
        if self.name is None or not self.given_beside:
            return self.name
        return f"{self.name} with {', '.join(self.given_beside)}"

    @property
    def table_path(self) -> Path:
        """File of the energy table."""
        named = DEFAULT_TABLE.parent / f"{self.energy_table}.toml"
        return (
            named if Path(self.energy_table).name == self.energy_table and named.is_file() else Path(self.energy_table)
        )

    @property
    def table(self) -> EnergyTable:
        """The energy table, with this machine's memory for what is reused.

        Raises:
            UserError: it cannot be read, or is of another node.
        """
        found = load_table(self.table_path)
        if found.node_nm != self.node_nm:
            raise UserError(
                f"machine {one_line(self.name or '')} field node_nm is {self.node_nm:g}, but energy table "
                f"{one_line(found.name)} is for {found.node_nm:g} nm: give a table of that node in field energy_table, "
                f"or node_nm = {found.node_nm:g}."
            )
        return found.with_reuse_sram(self.reuse_sram_kib)

    def changed(self, **given: Any) -> MachineDescription:
        """The same with some fields replaced, those of the memory by their own names; values are known to be good."""
        memory = {name: value for name, value in given.items() if name in DescribedMemory.model_fields}
        own = {name: value for name, value in given.items() if name not in memory}
        beside = (*self.given_beside, *(f"{name} {_short(value)}" for name, value in given.items()))
        update = own | {"memory": self.memory.model_copy(update=memory), "given_beside": beside}
        return self.model_copy(update=update)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def named_machines() -> list[str]:
    """Names of the machines that are here."""
    return sorted(path.stem for path in MACHINES.glob("*.toml"))


def load_machine(machine: str, field: str = "machine", folder: Path = Path()) -> MachineDescription:
    """Read and check a machine.

    Args:
        machine: a name, or the path of a TOML file.
        field: what a complaint calls it.
        folder: that relative paths start from.

    Raises:
        UserError: there is no such machine, the file is not TOML, a field is missing, unknown or out of range, or the
            energy table is bad or of another node.
    """
    if machine in named_machines():
        path = MACHINES / f"{machine}.toml"
    elif Path(machine).suffix == ".toml":
        path = folder / machine
    else:
        names = ", ".join(named_machines())
        raise UserError(f"{field} is {shown(machine)}: give {names}, or the path of a .toml file.")
    content = _with_base(read_toml(path, "machine", REMEDY), path)
    if not content.keys().isdisjoint({"given_beside"}):
        raise UserError(f"machine {path_text(path)}: field given_beside is unknown: remove it.")
    content.setdefault("name", path.stem)
    try:
        found = MachineDescription.model_validate(content, strict=True)
    except ValidationError as error:
        raise UserError(f"machine {path_text(path)}: {misfit(error)}.") from None
    if Path(found.energy_table).suffix == ".toml":
        found = found.model_copy(update={"energy_table": str(path.parent / found.energy_table)})
    _ = found.table  # a bad one is refused now
    return found


def _with_base(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """What a file says, laid over the named machine that it starts from."""
    base = content.pop("base", None)
    if base is None:
        return content
    if base not in named_machines():
        said = shown(base) if isinstance(base, str) else one_line(base)
        raise UserError(f"machine {path_text(path)} field base is {said}: give {', '.join(named_machines())}.")
    below: dict[str, Any] = read_toml(MACHINES / f"{base}.toml", "machine", REMEDY)
    below.pop("name", None)
    for name, value in content.items():
        under = below.get(name)
        below[name] = under | value if isinstance(under, dict) and isinstance(value, dict) else value
    return below


Given = Callable[[str], bool]


def described(
    machine: str | None,
    given: Given,
    *,
    array: str,
    latency: int,
    bandwidth: float,
    stall: float,
    memory_seed: int = 1,
    clock_mhz: float = 500.0,
    reuse_sram: int | None = None,
    option: str = "--machine",
) -> MachineDescription:
    """The machine of a command: that of ``machine`` with the options given beside it, or that of the options alone.

    Args:
        machine: a name, the path of a file, or None.
        given: whether an option of this name was given, rather than left at its default.
        array, latency, bandwidth, stall, memory_seed, clock_mhz, reuse_sram: values of the options, known to be good.
        option: what a complaint calls ``machine``.

    Raises:
        UserError: see `load_machine`.
    """
    if machine is None:
        memory = DescribedMemory(latency=latency, bandwidth=bandwidth, stall=stall, seed=memory_seed)
        return MachineDescription(array=array, clock_mhz=clock_mhz, memory=memory, reuse_sram_kib=reuse_sram)
    values = {
        "array": ("array", array), "latency": ("latency", latency), "bandwidth": ("bandwidth", bandwidth),
        "stall": ("stall", stall), "clock_mhz": ("clock_mhz", clock_mhz), "reuse_sram": ("reuse_sram_kib", reuse_sram),
        "memory_seed": ("seed", memory_seed),
    }  # fmt: skip
    return load_machine(machine, option).changed(**{name: value for key, (name, value) in values.items() if given(key)})
