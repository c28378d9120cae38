"""Ranges of numbers: texts and arguments are read strictly, and refused in one sentence that names the range."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies

from radit.model.dit.schedule import DIFFUSION_STEPS
from radit.model.errors import UserError, shown
from radit.model.ranges import LEAST, RANGES, Range, checked, checked_or_none

WHOLE = Range(-5, 100)
SHARE = Range(0, 1, whole=False)
ABOVE = Range(1, 6, whole=False, above=True)
ENDLESS = Range(0.01, 10, whole=False, endless=True)


@pytest.mark.parametrize("text", ["5", "-5", "0", "100", "007"])
def test_whole_numbers(text: str) -> None:
    assert WHOLE.read(text) == int(text)


@pytest.mark.parametrize("text", ["0", "1", "0.5", ".5", "1.", "1e-3", "5E-1", "1e-400", "-0"])
def test_numbers(text: str) -> None:
    found = SHARE.read(text)
    assert found == float(text) and math.copysign(1, found) == 1


NO_NUMBER = ["", " ", "5 ", " 5", "+5", "1_0", "0x16", "\uff15", "\u0663", "five", "5\n", "5\0", "--5", "inf", "nan"]
NO_WHOLE = ["5.", "5.0", "1e1", "-6", "101", "9" * 5000, f"-{'9' * 5000}"]
NO_SHARE = [".", "e1", "1e", "+0.5", "0_1", "0x1", "-inf", "Infinity", "NaN", "1.0001", "-1e-9", "1e999"]
NO_WHOLE_VALUE = [True, 5.0, "5", None, [5], np.float32(5), np.bool_(True), 5j, 10**5000, 101, Fraction(5)]
NO_SHARE_VALUE = [True, "0.5", None, np.bool_(True), math.nan, math.inf, 10**400, -(10**400), np.float64(2)]


@pytest.mark.parametrize("text", [*NO_NUMBER, *NO_WHOLE])
def test_texts_that_are_no_whole_number_of_the_range(text: str) -> None:
    with pytest.raises(UserError, match=r"--count is .*: give a whole number from -5 to 100\.$"):
        WHOLE.parse("--count", text)


@pytest.mark.parametrize("text", [*NO_NUMBER, *NO_SHARE])
def test_texts_that_are_no_number_of_the_range(text: str) -> None:
    with pytest.raises(UserError, match=r"--share is .*: give a number from 0 to 1\.$"):
        SHARE.parse("--share", text)


def test_amounts_too_small_for_a_result_are_zero() -> None:
    """The schemas of results hold 0 or more than 1e-60: whatever an option takes can be written."""
    assert [SHARE.read(text) for text in ("5e-324", "1e-61", "-1e-61", "2e-60")] == [0.0, 0.0, 0.0, 2e-60]
    with pytest.raises(UserError, match="x is '1e-61'"):
        Range(0.0, 1.0, whole=False, above=True).parse("x", "1e-61")


def test_limits() -> None:
    assert ABOVE.read("1.001") == 1.001 and ABOVE.read("6") == 6.0
    with pytest.raises(UserError, match="x is '1': give a number above 1, up to 6"):
        ABOVE.parse("x", "1")
    assert ENDLESS.read("inf") == math.inf and ENDLESS.of(math.inf) == math.inf
    for text in ("nan", "-inf", "11", "Inf", "1e400"):
        with pytest.raises(UserError, match="give a number from 0.01 to 10, or inf"):
            ENDLESS.parse("x", text)


@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5)])
def test_numbers_of_python(value: object) -> None:
    found = WHOLE.check("count", value)
    assert found == 5 and type(found) is int
    found = Range(0, 9, whole=False).check("size", value)
    assert found == 5.0 and type(found) is float


@pytest.mark.parametrize("value", NO_WHOLE_VALUE, ids=shown)
def test_what_is_no_whole_number_of_python(value: object) -> None:
    with pytest.raises(UserError, match="count is .*: give a whole number from -5 to 100") as caught:
        WHOLE.check("count", value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", NO_SHARE_VALUE, ids=shown)
def test_what_is_no_number_of_python(value: object) -> None:
    with pytest.raises(UserError, match="share is .*: give a number from 0 to 1"):
        SHARE.check("share", value)


def test_arguments() -> None:
    assert checked(steps=5) == 5 and checked(steps=5, cfg=2) == (5, 2.0)
    assert checked_or_none(timesteps=None) is None and checked_or_none(blocks=3, timesteps=None) == (3, None)
    with pytest.raises(UserError, match="^steps is None: give a whole number from 1 to 1000.$"):
        checked(steps=None)
    with pytest.raises(UserError, match="^blocks is 2.5: give"):
        checked_or_none(blocks=2.5)


def test_every_range_is_finite_and_of_what_is_known() -> None:
    assert all(-math.inf < known.low < known.high < math.inf for known in RANGES.values())
    assert RANGES["steps"].high == DIFFUSION_STEPS


NEARLY = strategies.from_regex(r"[-+0-9eE._x ]{1,8}", fullmatch=True)


@given(strategies.text() | NEARLY | strategies.integers().map(str))
def test_what_is_read_is_what_python_reads(text: str) -> None:
    for known in (WHOLE, SHARE, ABOVE, ENDLESS, *RANGES.values()):
        try:
            found = known.read(text)
        except ValueError:
            continue
        wanted = int(text) if known.whole else float(text)
        assert found == (wanted if abs(wanted) >= LEAST else 0) and known.of(found) == found


@given(strategies.text(min_size=1) | strategies.integers() | strategies.floats() | strategies.lists(strategies.text()))
def test_values_are_shown_on_one_short_line(value: object) -> None:
    assert shown(value).isprintable() if isinstance(value, str) else "\n" not in shown(value)
    assert len(shown(value)) < 700


def test_shown() -> None:
    assert shown("") == "''" and shown("a\nb") == r"'a\nb'" and shown(3) == "3" and shown(np.float64(0.5)) == "0.5"
    assert shown("\x1b[31m\udc80") == r"'\x1b[31m\udc80'" and shown("é") == "'é'"
    assert shown("x" * 61) == f"'{'x' * 60}' .. (61 characters)"
    assert shown(10**5000) == "a whole number of about 5,000 digits" and shown([10**5000]) == "of type list"
    assert shown(np.zeros((2, 2))) == "[[0. 0.] [0. 0.]]"
