"""crosscheck.json."""

from __future__ import annotations

from typing import Literal

from radit.model.schema import Count, Part, Positive
from radit.reports.common.schema_parts import Array

FILE = "crosscheck.json"
SCHEMA_VERSION: Literal[1] = 1
ROUNDING = 1e-9  # relative


class GemmCycles(Part):
    """One product of a model's block on an array, all cycles modelled.

    Fields:
        gemms: how many of M x N x K, as a text each.
        folds: tiles of the results.
        busy: cycles in which a fold multiplies: K of each.
        ours, other: cycles of our machine, and of SCALE-Sim's.
    """

    model: str
    array: Array
    product: str
    gemms: list[str]
    folds: Count
    busy: Count
    ours: Count
    other: Count

    @property
    def ratio(self) -> float:
        """The other's cycles over ours."""
        return self.other / self.ours

    @property
    def other_fill(self) -> int:
        """Cycles of the other that fill and drain the array between folds."""
        return self.other - self.busy

    @property
    def own_overhead(self) -> int:
        """Our cycles beside K of each fold: start, padded tokens, what does not hide behind the next tile, barrier."""
        return self.ours - self.busy


class EnergyEntry(Part):
    """An entry of the energy table and what the second source says.

    Fields:
        tool: the second source, in short.
        same_data: it rests on the same measurements as ours, with another's scaling.
    """

    entry: str
    unit: Literal["pJ", "ratio"]
    low: Positive
    nominal: Positive
    high: Positive
    second: Positive
    tool: str
    source: str
    same_data: bool

    @property
    def ratio(self) -> float:
        """The second source over our nominal value."""
        return self.second / self.nominal

    @property
    def is_within(self) -> bool:
        """Whether the second value lies in our range."""
        return self.low * (1 - ROUNDING) <= self.second <= self.high * (1 + ROUNDING)


class CrossCheck(Part):
    """The whole of crosscheck.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    basis: Literal["modelled"] = "modelled"
    simulator: str
    energy_table: str
    cycles: list[GemmCycles]
    energies: list[EnergyEntry]
    created: str
    command: str

    @property
    def passed(self) -> bool:
        """Every value of the second source lies within the range of ours."""
        return all(one.is_within for one in self.energies)
