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


def quoted(value: object) -> str:
    """Return a value as a sentence repeats it: in quotes, visible, its middle left out where it is long."""
    text = visible(str(value))
    if len(text) > MOST_SHOWN:
        kept = MOST_SHOWN // 2
        text = f"{text[:kept]} .. {len(text) - 2 * kept} characters .. {text[-kept:]}"
    return f"'{text}'"
