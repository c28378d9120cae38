"""Energy tables: loading, checking, scaling to the target node, and the composition of actions from primitives.

Every value is a range low / nominal / high. A table that lacks a unit or a source is refused, not completed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.reading import misfit, path_text, read_toml

REMEDY = "give an existing .toml file, and correct that place"
DEFAULT_TABLE = Path(__file__).parents[1] / "tables" / "default.toml"
PRIMITIVES = (
    "mac_int8 mac_held mac_idle_clock multiply_bit2 add_bit register_bit external_bit clock_register control_gate "
    "leakage_gate leakage_bit"
).split()
ACTIONS = (
    "requant_lane residual_lane reuse_lane forecast_lane norm_lane modulate_lane rsqrt_op recip_op exp_lane gelu_lane "
    "ccu_lane dtsm_op host_mac"
).split()
RATIOS = ("host_overhead", "sram_write")

LEAST, MOST = 1e-9, 1e9  # of every value: products of four, times a counter, are numbers
STEEPEST = 4.0  # exponent of an SRAM's energy over its capacity, or its width
MOST_POINTS = 1000

Positive = Annotated[float, Field(ge=LEAST, le=MOST)]


def _tagged(source: str) -> str:
    if not re.search(r"\[[PSCU]\]", source):
        raise ValueError("state the source with a tag [P], [S], [C] or [U]")
    return source


Source = Annotated[str, StringConstraints(min_length=8), AfterValidator(_tagged)]
Text = Annotated[str, StringConstraints(min_length=1)]


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("write it on one line, without control characters")
    return name


Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]


@dataclass(frozen=True)
class Range:
    """A value with its bounds; sums and products keep low with low and high with high."""

    low: float = 0.0
    nominal: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __mul__(self, other: Range | float) -> Range:
        by = other if isinstance(other, Range) else Range(other, other, other)
        return Range(self.low * by.low, self.nominal * by.nominal, self.high * by.high)

    def as_dict(self) -> dict[str, float]:
        return {"low": self.low, "nominal": self.nominal, "high": self.high}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Valued(_Entry):
    per: Text
    source: Source
    low: Positive
    nominal: Positive
    high: Positive

    @model_validator(mode="after")
    def _ordered(self) -> _Valued:
        if not self.low <= self.nominal <= self.high:
            raise ValueError(
                f"low {self.low:g}, nominal {self.nominal:g}, high {self.high:g} do not ascend: put them in order"
            )
        return self

    @property
    def range(self) -> Range:
        return Range(self.low, self.nominal, self.high)


class Primitive(_Valued):
    """Energy of one operation or bit at its own node."""

    unit: Literal["pJ"]
    node_nm: Positive


class Ratio(_Valued):
    """A factor without unit."""

    unit: Literal["ratio"]


class Scaling(_Entry):
    """Energy at the target node over energy at the node that names the entry."""

    unit: Literal["ratio"]
    factor: Positive
    source: Source


class Action(_Entry):
    """Composed energy: ``terms`` primitives of each kind."""

    unit: Literal["pJ"]
    per: Text
    source: Source
    terms: Annotated[dict[str, Positive], Field(min_length=1)]


class SramPoint(Primitive):
    """One access of a memory of this capacity and width."""

    capacity_kib: Positive
    width_bits: Positive


class Sram(_Entry):
    """On-chip memories: points and how to interpolate between them."""

    width_exponent: Annotated[float, Field(ge=0, le=STEEPEST)]
    min_capacity_kib: Positive
    min_width_bits: Positive
    max_width_bits: Positive
    source: Source
    point: Annotated[list[SramPoint], Field(min_length=2, max_length=MOST_POINTS)]

    @model_validator(mode="after")
    def _check_widths(self) -> Sram:
        if self.min_width_bits > self.max_width_bits:
            raise ValueError(
                f"min_width_bits {self.min_width_bits:g} is above max_width_bits {self.max_width_bits:g}: exchange them"
            )
        return self


def _none_or_some(capacity: float) -> float:
    if 0 < capacity < LEAST:
        raise ValueError(f"give 0, or {LEAST:g} or more")
    return capacity


class ReuseSram(_Entry):
    """On-chip memory for the history and the cache of results; what does not fit lives in external memory."""

    unit: Literal["KiB"]
    per: Text
    source: Source
    capacity: Annotated[float, Field(ge=0, le=MOST), AfterValidator(_none_or_some)]


class EnergyTable(_Entry):
    """A whole table; ``load_table`` reads one. Energies are in pJ at ``node_nm``."""

    name: Name
    node_nm: Positive
    scaling: dict[str, Scaling]
    primitive: dict[str, Primitive]
    action: dict[str, Action]
    ratio: dict[str, Ratio]
    sram: Sram
    reuse_sram: ReuseSram

    @model_validator(mode="after")
    def _complete(self) -> EnergyTable:
        for section, wanted in (("primitive", PRIMITIVES), ("action", ACTIONS), ("ratio", RATIOS)):
            for name in sorted(getattr(self, section).keys() ^ set(wanted)):
                verb = "is unknown: remove it" if name not in wanted else "is missing: add it"
                place = f"{section}.{one_line(name)}"
                raise ValueError(f"entry {place} {verb} (reports/tables/default.toml shows all entries)")
        for name, action in self.action.items():
            for term in sorted(action.terms.keys() - self.primitive.keys()):
                raise ValueError(
                    f"entry action.{name} field terms names {one_line(term)}: use one of {', '.join(PRIMITIVES)}"
                )
        for name in self.scaling:
            if not re.fullmatch(r"\d{1,5}(\.\d{1,5})?", name) or name != f"{float(name):g}":
                raise ValueError(f"entry scaling.{one_line(name)} is named after no node: write its nm, such as 40")
        nodes = [(f"primitive.{name}", entry) for name, entry in self.primitive.items()]
        for where, entry in nodes + [(f"sram.point.{i}", point) for i, point in enumerate(self.sram.point)]:
            if f"{entry.node_nm:g}" not in self.scaling:
                raise ValueError(f"entry {where} field node_nm is {entry.node_nm:g}: add a scaling entry for that node")
        for (low, below), (high, above) in pairwise(self._curve):
            if not low < high or abs(math.log(above.nominal / below.nominal)) > STEEPEST * (high - low):
                raise ValueError(
                    f"entry sram.point has {math.exp(low):g} and {math.exp(high):g} KiB at {below.nominal:g} and "
                    f"{above.nominal:g} pJ per bit: give one point of each capacity, no steeper than power {STEEPEST:g}"
                )
        return self

    def with_reuse_sram(self, kib: float | None) -> EnergyTable:
        """The same with so much memory on chip for what is reused, KiB; None: as it is."""
        if kib is None:
            return self
        return self.model_copy(update={"reuse_sram": self.reuse_sram.model_copy(update={"capacity": float(kib)})})

    def _scaled(self, entry: Primitive) -> Range:
        return entry.range * self.scaling[f"{entry.node_nm:g}"].factor

    def energy_pj(self, name: str) -> Range:
        """Energy of one primitive or action, pJ at the target node."""
        if name in self.primitive:
            return self._scaled(self.primitive[name])
        total = Range()
        for term, count in self.action[name].terms.items():
            total = total + self.energy_pj(term) * count
        return total

    @cached_property
    def _curve(self) -> list[tuple[float, Range]]:
        """(log capacity in KiB, pJ per bit at 64-bit width), by capacity."""
        points = sorted(self.sram.point, key=lambda point: point.capacity_kib)
        return [
            (math.log(p.capacity_kib), self._scaled(p) * (self._width_factor(p.width_bits) ** -1 / p.width_bits))
            for p in points
        ]

    def _width_factor(self, width_bits: float) -> float:
        return (64 / width_bits) ** self.sram.width_exponent

    def sram_bit_pj(self, capacity_kib: float, width_bits: float) -> Range:
        """Energy per bit read from an on-chip memory of this capacity and access width, pJ at the target node."""
        width = min(max(width_bits, self.sram.min_width_bits), self.sram.max_width_bits)
        size = math.log(max(capacity_kib, self.sram.min_capacity_kib))
        return _interpolate(self._curve, size) * self._width_factor(width)

    def sources(self) -> list[dict[str, Any]]:
        """All entries for the report: name, unit, per, node in nm, low / nominal / high at the target node, source."""
        rows = []
        for name, entry in [*self.primitive.items(), *self.action.items()]:
            node = entry.node_nm if isinstance(entry, Primitive) else self.node_nm
            rows.append(_row(name, entry, node, self.energy_pj(name)))
        for point in self.sram.point:
            name = f"SRAM {point.capacity_kib:g} KiB x {point.width_bits:g} bit"
            rows.append(_row(name, point, point.node_nm, self._scaled(point)))
        rows += [_row(name, entry, None, entry.range) for name, entry in self.ratio.items()]
        for source_nm, scaling in self.scaling.items():
            head = {"entry": f"scaling from {source_nm} nm", "unit": scaling.unit, "per": "energy"}
            rows.append(head | {"node_nm": float(source_nm), "nominal": scaling.factor, "source": scaling.source})
        rows.append({"entry": "SRAM interpolation", "unit": "", "per": "", "node_nm": None, "source": self.sram.source})
        own = self.reuse_sram
        rows.append(
            {
                "entry": "SRAM for results to reuse",
                "unit": own.unit,
                "per": own.per,
                "node_nm": None,
                "nominal": own.capacity,
                "source": own.source,
            }
        )
        return rows


def _values(value: Range) -> tuple[float, float, float]:
    return value.low, value.nominal, value.high


def _interpolate(curve: list[tuple[float, Range]], x: float) -> Range:
    """Straight line between the neighbours in log-log; beyond the ends, the nominal value's last slope for all."""
    upper = next((i for i in range(1, len(curve) - 1) if curve[i][0] >= x), len(curve) - 1)
    (x0, y0), (x1, y1) = curve[upper - 1], curve[upper]
    share = (x - x0) / (x1 - x0)
    if 0 <= share <= 1:
        return Range(*(a * (b / a) ** share for a, b in zip(_values(y0), _values(y1), strict=True)))
    end, beyond = (y0, share) if share < 0 else (y1, share - 1)
    return end * (y1.nominal / y0.nominal) ** beyond


def _row(name: str, entry: Any, node_nm: float | None, value: Range) -> dict[str, Any]:
    head = {"entry": name, "unit": entry.unit, "per": entry.per, "node_nm": node_nm}
    return head | value.as_dict() | {"source": entry.source}


def load_table(path: Path = DEFAULT_TABLE) -> EnergyTable:
    """Read and check an energy table.

    A table with ``base = "default"`` states what differs from reports/tables/default.toml.

    Raises:
        UserError: the file is missing or not TOML, or an entry is incomplete, unknown or inconsistent.
    """
    content = read_toml(path, "energy table", REMEDY)
    base = content.pop("base", None)
    if base not in (None, DEFAULT_TABLE.stem):
        shown = repr(one_line(base)) if isinstance(base, str) else one_line(base)
        raise UserError(
            f"energy table {path_text(path)} field base is {shown}: give {DEFAULT_TABLE.stem!r}, or leave it out."
        )
    if base is not None:
        content = _laid_over(read_toml(DEFAULT_TABLE, "energy table", REMEDY), content)
    try:
        return EnergyTable.model_validate(content, strict=True)
    except ValidationError as error:
        raise UserError(f"energy table {path_text(path)}: {misfit(error)}.") from None


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Entries of ``above``, field by field, in the place of those of ``below``."""
    merged = dict(below)
    for name, value in above.items():
        is_table = isinstance(value, dict) and isinstance(below.get(name), dict)
        merged[name] = _laid_over(below[name], value) if is_table else value
    return merged
