"""A plan: which timesteps each context computes, known before the image.

As a text one letter per timestep: ``B`` both contexts compute, ``L`` that of the label alone, ``N`` that of the null
class alone, ``-`` none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from radit.model.errors import UserError, shown
from radit.model.settings_text import MOST_KNOTS

LETTERS = "-LNB"  # at 1 x label + 2 x null class

Timesteps = tuple[tuple[bool, bool], ...]
"""By timestep: whether the contexts of the label, and of the null class, compute."""


def read_plan(text: str) -> Timesteps:
    """Return what a plan computes.

    Raises:
        UserError: another letter, or too many of them.
    """
    if len(text) > MOST_KNOTS or not set(text) <= set(LETTERS):
        raise UserError(
            f"Policy field plan is {shown(text)}: give one letter per timestep, up to {MOST_KNOTS}: B both contexts, "
            "L the label's, N the null class's, - none."
        )
    numbers = [LETTERS.index(letter) for letter in text]
    return tuple((bool(number % 2), number > 1) for number in numbers)


def write_plan(computed: Iterable[Sequence[bool]]) -> str:
    """Return the text of a plan."""
    return "".join(LETTERS[int(label) + 2 * int(null)] for label, null in computed)
