"""Texts of settings: every kind of field is read as it is written, and a bad value is named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

import pytest
from hypothesis import given, strategies

from radit.model.errors import UserError
from radit.model.ranges import Range
from radit.model.settings_text import read_settings, split_text, write_text

FLOATS = ("size", "curve", "limit")


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
        ("count", "Thing setting is 'count': give one of count"),
        ("", "Thing setting is '': give one of count"),
        ("count=1.5", "Thing setting count is '1.5': give a whole number."),
        ("size=", "Thing setting size is '': give a number."),
        ("fast=yes", "Thing setting fast is 'yes': give True or False."),
        ("place=side", "Thing setting place is 'side': give front, back."),
        ("curve=1/x", "Thing setting curve is '1/x': give linear, cosine or knots such as 1.2/0.9/0.6."),
        ("curve=1//2", "Thing setting curve is '1//2': give linear, cosine or knots"),
        ("count=" + "9" * 5000, f"Thing setting count is '{'9' * 60}' .. (5,000 characters): give a whole number."),
        ("size=1\x1b[2J", r"Thing setting size is '1\x1b[2J': give a number."),
        ("size=nan", "Thing setting size is 'nan': give a number."),
        ("size=inf", "Thing setting size is 'inf': give a number."),
        ("size=1_0", "Thing setting size is '1_0': give a number."),
        ("limit=none", "Thing setting limit is 'none': give a number or None."),
    ],
)
def test_bad_settings_are_one_sentence(setting: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_settings([setting], Thing, "Thing")
    assert str(caught.value).startswith(words.rstrip(".")) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "setting, words",
    [
        ("count=4", "count is '4': give a whole number from 0 to 3."),
        ("size=-1", "size is '-1': give a number above -1, up to 2."),
        ("curve=1/3", "curve is '1/3': give linear, cosine or knots such as 1.2/0.9/0.6, up to 1000, each a number"),
        ("curve=" + "/".join("1" * 1001), "curve is '1/1/1"),
        ("limit=3", "limit is '3': give a number above -1, up to 2 or None."),
    ],
)
def test_a_field_has_its_range(setting: str, words: str) -> None:
    size = Range(-1, 2, whole=False, above=True)
    with pytest.raises(UserError, match=re.escape(words)):
        read_settings([setting], Thing, "Thing", ranges={"count": Range(0, 3), **dict.fromkeys(FLOATS, size)})


def test_a_field_is_set_once() -> None:
    with pytest.raises(UserError, match="Thing setting size is given twice: give it once"):
        read_settings(["size=1", "size=1"], Thing, "Thing")


@given(strategies.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for setting in (text, *(f"{field}={text}" for field in ("count", "size", "fast", "place", "curve", "limit"))):
        try:
            found = read_settings([setting], Thing, "Thing")
        except UserError as error:
            assert str(error).isprintable() and len(str(error)) < 300
        else:
            name, settings = split_text(write_text("thing", found))
            assert read_settings(settings, Thing, "Thing") == found


def test_a_text_may_be_kept_from_a_field() -> None:
    with pytest.raises(UserError, match="'size=1': give one of count and"):
        read_settings(["size=1"], Thing, "Thing", names=["count"])
