"""What several result files are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExternalMemory(Part):
    """Latency in cycles, bandwidth in bytes per cycle that all ports share (None: unlimited), and the probability of a
    pause per cycle and port."""

    latency: Count
    bandwidth: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    stall: Share


class Bounds(Part):
    """uJ."""

    low: Amount
    nominal: Amount
    high: Amount


class Array(Part):
    """MAC array, in cells."""

    rows: int
    cols: int
