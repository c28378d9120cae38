"""A second source of energy coefficients, `reports/tables/second-source.toml`, beside the entries of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from radit.model.errors import UserError
from radit.model.reading import misfit, path_text, read_toml
from radit.reports.crosscheck.schema import EnergyEntry
from radit.reports.energy.energy_table import EnergyTable, Name, Positive, Range, Source, Text

SECOND_SOURCE = Path(__file__).parents[1] / "tables" / "second-source.toml"
REMEDY = "restore it"


class SecondValue(BaseModel):
    """One value of the second source.

    Fields:
        entry: a primitive or a ratio of the table; or "sram", a read of a memory of ``capacity_kib`` and
            ``width_bits``.
        value: pJ at the table's node, or a ratio.
        same_data: it rests on the same measurements as the table's entry, with another's scaling.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: Name
    value: Positive
    source: Source
    tool: Text
    same_data: bool = False
    capacity_kib: Positive | None = None
    width_bits: Positive | None = None

    def range_in(self, table: EnergyTable) -> Range:
        """What a table says of the same."""
        if self.capacity_kib is not None and self.width_bits is not None:
            return table.sram_bit_pj(self.capacity_kib, self.width_bits) * self.width_bits
        if self.entry in table.ratio:
            return table.ratio[self.entry].range
        return table.energy_pj(self.entry)

    @property
    def text(self) -> str:
        """The entry in words."""
        if self.capacity_kib is None:
            return self.entry
        return f"SRAM {self.capacity_kib:g} KiB x {self.width_bits:g} bit"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    node_nm: Positive
    value: Annotated[list[SecondValue], Field(min_length=1)]


def compared(table: EnergyTable) -> list[EnergyEntry]:
    """Every value of the second source beside the table's entry.

    Raises:
        UserError: the second source is damaged, or of another node than the table.
    """
    try:
        second = _Values.model_validate(read_toml(SECOND_SOURCE, "second source", REMEDY), strict=True)
    except ValidationError as error:
        raise UserError(f"second source {path_text(SECOND_SOURCE)}: {misfit(error)}.") from None
    if second.node_nm != table.node_nm:
        raise UserError(
            f"energy table {table.name} is for {table.node_nm:g} nm, the second source for {second.node_nm:g} nm: give "
            "a table of that node."
        )
    return [_beside(one, one.range_in(table)) for one in second.value]


def _beside(one: SecondValue, own: Range) -> EnergyEntry:
    return EnergyEntry(
        entry=one.text,
        unit="ratio" if one.entry == "sram_write" else "pJ",
        low=own.low,
        nominal=own.nominal,
        high=own.high,
        second=one.value,
        tool=one.tool,
        source=one.source,
        same_data=one.same_data,
    )
