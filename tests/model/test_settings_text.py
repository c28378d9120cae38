"""Texts of settings: every kind of field is read as it is written, and a bad value is named."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

import pytest

from radit.model.errors import UserError
from radit.model.settings_text import read_settings, split_text, write_text


class Place(StrEnum):
    FRONT = "front"
    BACK = "back"


@dataclass(frozen=True)
class Thing:
    kind: ClassVar[str] = "thing"
    count: int = 1
    size: float = 0.5
    fast: bool = False
    place: Place = Place.FRONT
    curve: Literal["linear", "cosine"] | tuple[float, ...] = "linear"
    limit: float | None = None


VALUES = [
    {"count": 3, "size": 1e-7, "fast": True, "place": Place.BACK, "curve": (1.0, 0.25), "limit": 2.0},
    {"count": -1, "size": 2.0, "fast": False, "place": Place.FRONT, "curve": "cosine", "limit": None},
]


@pytest.mark.parametrize("values", VALUES)
def test_what_is_written_is_read_again(values: dict) -> None:
    name, settings = split_text(write_text("thing", values))
    found = read_settings(settings, Thing, "Thing")
    assert name == "thing" and found == values
    assert [type(value) for value in found.values()] == [type(value) for value in values.values()]


@pytest.mark.parametrize(
    "setting, words",
    [
        ("counts=1", "Thing setting is 'counts=1': give one of count, size, fast, place, curve, limit and =VALUE."),
        ("kind=thing", "Thing setting is 'kind=thing': give one of count"),
        ("count=1.5", "Thing setting count is '1.5': give a whole number."),
        ("size=", "Thing setting size is '': give a number."),
        ("fast=yes", "Thing setting fast is 'yes': give True or False."),
        ("place=side", "Thing setting place is 'side': give front, back."),
        ("curve=1/x", "Thing setting curve is '1/x': give linear, cosine or knots such as 1.2/0.9/0.6."),
        ("limit=none", "Thing setting limit is 'none': give a number or None."),
    ],
)
def test_bad_settings_are_one_sentence(setting: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_settings([setting], Thing, "Thing")
    assert str(caught.value).startswith(words.rstrip(".")) and str(caught.value).endswith(".")


def test_a_text_may_be_kept_from_a_field() -> None:
    with pytest.raises(UserError, match="'size=1': give one of count and"):
        read_settings(["size=1"], Thing, "Thing", names=["count"])
