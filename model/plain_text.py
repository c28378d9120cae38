"""Texts of other people in our sentences: file names, model names, settings, what other programs said."""

from __future__ import annotations

import unicodedata

MOST_SHOWN = 120  # characters of a value that a sentence repeats


def visible(text: str) -> str:
    """Return a text in one line without anything that steers a terminal.

    Line ends, escape codes, marks that turn the direction of writing, lone surrogates and the like become their escapes
    in Python: a line end shows as backslash and n.
    """
    if text.isprintable():
        return text
    return "".join(char if _is_shown(char) else char.encode("unicode_escape").decode("ascii") for char in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"  # spaces of any width


def one_line(value: object, most: int = MOST_SHOWN) -> str:
    """Return a value as a sentence repeats it: visible, and cut in the middle above `most` characters."""
    text = str(value)
    return visible(text if len(text) <= most else f"{text[: most // 2]}..{text[-most // 4 :]}")


def quoted(value: object) -> str:
    """Return a value in one line and in quotes; see `one_line`."""
    return f"'{one_line(value)}'"
