"""What schemas of files are made of: numbers whose sums, products and ratios stay numbers, and a strict base."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from radit.model.ranges import LEAST

MOST_COUNT = 10**24  # beyond all that a counter of 64 bits can add up to
MOST = 1e60  # of amounts that are not zero


def _of_a_size(value: float) -> float:
    if value and not LEAST <= abs(value) <= MOST:
        raise ValueError(f"give 0 or a value from {LEAST:g} to {MOST:g}")
    return value


_Sized = AfterValidator(_of_a_size)
Number = Annotated[float, Field(allow_inf_nan=False), _Sized]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False), _Sized]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), _Sized]
Share = Annotated[float, Field(ge=0, le=1), _Sized]
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
Whole = Annotated[int, Field(ge=-MOST_COUNT, le=MOST_COUNT)]


class Part(BaseModel):
    """A model whose fields are all known."""

    model_config = ConfigDict(extra="forbid")
