"""Ranges of numbers, each written once: for options of commands, settings in texts, and arguments in Python.

Every range is finite, so that nothing is allocated or counted by a number that nobody can mean. What a model or a
machine cannot hold within a range is refused where it is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from radit.model.errors import UserError, shown

WHOLE = re.compile(r"-?[0-9]{1,40}", re.ASCII)
DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
ENDLESS = "inf"
LEAST = 1e-60  # smaller amounts are 0: their products with others are, too


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Fields:
        whole: integers alone.
        above: `low` itself is not included.
        endless: infinity is included, "inf" in a text; it stands for no limit.
    """

    low: float
    high: float
    whole: bool = True
    above: bool = False
    endless: bool = False

    @property
    def wanted(self) -> str:
        """What to give, for a sentence."""
        low, high = _written(self.low), _written(self.high)
        limits = f"above {low}, up to {high}" if self.above else f"from {low} to {high}"
        return f"a{' whole' if self.whole else ''} number {limits}{f', or {ENDLESS}' if self.endless else ''}"

    @property
    def text(self) -> str:
        """The limits in short, for a help text."""
        return f"{_written(self.low)}..{_written(self.high)}{f'|{ENDLESS}' if self.endless else ''}"

    def read(self, text: str) -> int | float:
        """Return the number that a text is: ASCII digits; with a point or an exponent where it need not be whole.

        Raises:
            ValueError: it is none, or is out of range.
        """
        if self.endless and text == ENDLESS:
            return math.inf
        if not (WHOLE if self.whole else DECIMAL).fullmatch(text):
            raise ValueError(text)
        number = int(text) if self.whole else float(text)
        if math.isinf(number):  # too many digits for a double: a number, but no word for no limit
            raise ValueError(text)
        return self.of(number)

    def of(self, value: object) -> int | float:
        """Return a number of Python or NumPy as an int or a float.

        Raises:
            ValueError: it is none (bools are none), is not whole where it must be, or is out of range.
        """
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            raise ValueError(value)
        if self.whole:
            number: int | float = int(value)  # type: ignore[call-overload]
        else:
            number = _float(value) + 0.0  # no negative zero
            number = 0.0 if abs(number) < LEAST else number
        if self.endless and number == math.inf:
            return number
        if not self.low <= number <= self.high or (self.above and number == self.low):
            raise ValueError(value)
        return number

    def parse(self, field: str, text: str) -> int | float:
        """Return the number that a text is.

        Args:
            field: what is set, for the sentence, such as "--steps".

        Raises:
            UserError: see `read`.
        """
        try:
            return self.read(text)
        except ValueError:
            raise UserError(f"{field} is {shown(text)}: give {self.wanted}.") from None

    def check(self, field: str, value: object) -> Any:
        """Return a number as an int or a float; see `parse`.

        Raises:
            UserError: see `of`.
        """
        try:
            return self.of(value)
        except ValueError:
            raise UserError(f"{field} is {shown(value)}: give {self.wanted}.") from None


def _float(value: Any) -> float:
    """A float, infinite where Python's integer is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _written(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else repr(limit)


SEEDS = Range(0, 2**32 - 1)  # what every random generator takes
IMAGES = Range(1, 1_000_000)  # the integer model makes a few of the smallest per second: weeks
FRACTION = Range(0, 1, whole=False)

# By the name of the argument in Python, and of the option with dashes for underscores.
RANGES: Mapping[str, Range] = {
    "steps": Range(1, 1000),  # the diffusion steps that a model is trained on
    "timesteps": Range(1, 1000),
    "images": IMAGES,
    "samples": Range(2, IMAGES.high),  # a distance of distributions needs two
    "seed": SEEDS,
    "memory_seed": SEEDS,
    "calibration_seed": Range(1000, SEEDS.high),  # smaller ones are for evaluations
    "cfg": Range(1, 100, whole=False),  # 1: no guidance; images of 100 are noise already
    "guided_channels": Range(1, 1024),  # far above every model of today; the model at hand has fewer
    "blocks": Range(1, 1000),  # far above every model of today; the model at hand has fewer
    "jobs": Range(1, 1024),  # processes, each with a model of its own
    "batch_size": Range(1, IMAGES.high),
    "training_steps": Range(1, 100_000_000),  # of the optimizer: months
    "seconds": Range(0.01, 86_400, whole=False),  # a day
    "clock_mhz": Range(0.001, 100_000, whole=False),
    "target_mhz": Range(1, 1000, whole=False),  # beyond any FPGA
    "latency": Range(0, 100_000),  # cycles; slower than any memory
    "bandwidth": Range(0.01, 2**20 - 1, whole=False, endless=True),  # bytes per cycle; in 1/256 it is a word of 28 bits
    "stall": Range(0, 0.99, whole=False),  # at 1 no word would ever come
    "reuse_sram": Range(0, 10**9),  # KiB, as an energy table has it
    "skip_rate": FRACTION,
    "reduction": Range(1, 1000, whole=False, above=True),  # of MACs: one timestep is always computed
    "trials": Range(1, 100),  # of a bisection: a double has fewer bits
}


def checked(**values: object) -> Any:
    """Return arguments as numbers within the ranges of their names: one by itself, several in a tuple.

    Raises:
        UserError: one is no number or out of range.
    """
    found = tuple(RANGES[name].check(name, value) for name, value in values.items())
    return found[0] if len(found) == 1 else found


def checked_or_none(**values: object) -> Any:
    """As `checked`, where None says that an argument is not given."""
    found = tuple(None if value is None else checked(**{name: value}) for name, value in values.items())
    return found[0] if len(found) == 1 else found
