"""What several result files are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from radit.accel.config import MOST_PRODUCTS, BuildConfig
from radit.model.schema import Amount, Count, Number, Part, Positive, Share

ROUNDING = 1e-9  # of sums and ratios that are computed again, relative
MOST_SIDE = 1024  # of an array, cells


def alike(one: float, other: float, tolerance: float = ROUNDING) -> bool:
    """Whether two numbers are the same but for rounding."""
    return abs(one - other) <= tolerance * max(abs(one), abs(other))


class ExternalMemory(Part):
    """Latency in cycles, bandwidth in bytes per cycle that all ports share (None: unlimited), and the probability of a
    pause per cycle and port."""

    latency: Count
    bandwidth: Positive | None
    stall: Share


class Bounds(Part):
    """uJ."""

    low: Amount
    nominal: Amount
    high: Amount

    @model_validator(mode="after")
    def _check_order(self) -> Bounds:
        ordered = (self.low, self.nominal, self.high)
        if any(low > high and not alike(low, high) for low, high in zip(ordered, ordered[1:], strict=False)):
            raise ValueError(f"low {self.low:g}, nominal {self.nominal:g}, high {self.high:g} do not ascend")
        return self


class Array(Part):
    """MAC array, in cells.

    Fields:
        products: of a cell and cycle.
    """

    rows: Annotated[int, Field(ge=1, le=MOST_SIDE)]
    cols: Annotated[int, Field(ge=1, le=MOST_SIDE)]
    products: Annotated[int, Field(ge=1, le=MOST_PRODUCTS)] = 1

    @classmethod
    def of(cls, build: BuildConfig) -> Array:
        """The array of a build."""
        return cls(rows=build.rows, cols=build.cols, products=build.products)

    @property
    def sides(self) -> tuple[int, int, int]:
        """Rows, columns, products."""
        return self.rows, self.cols, self.products

    @property
    def multipliers(self) -> int:
        """MACs of a cycle."""
        return self.rows * self.cols * self.products

    @property
    def shape(self) -> str:
        """As options name it."""
        return "x".join(map(str, self.sides if self.products > 1 else self.sides[:2]))


__all__ = ["Amount", "Array", "Bounds", "Count", "ExternalMemory", "Number", "Part", "Positive", "Share", "alike"]
