"""Texts such as "radit:threshold=0.3:schedule=1.2/0.9": a name and settings of a dataclass's fields, read and written.

How a value is read and written follows from its field's annotation:

| annotation | text |
|---|---|
| bool, int, float | True, 3, 0.25 |
| tuple[float, ...] | knots: 1.2/0.9/0.6 |
| an enumeration of words, Literal | one of the words |
| None | None |
| several of these | the first that fits |

A field's range holds for its number, and for every knot.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from radit.model.errors import UserError, shown
from radit.model.ranges import Range

MOST_KNOTS = 1000  # one per diffusion step
ANY_WHOLE = Range(-(2**63), 2**63 - 1)
ANY = Range(-sys.float_info.max, sys.float_info.max, whole=False)
WANTED: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    tuple: "knots such as 1.2/0.9/0.6",
    str: "a text",
    type(None): "None",
}


def split_text(text: str) -> tuple[str, list[str]]:
    """Return the name and the settings of "name:field=value:field=value"."""
    name, *settings = text.split(":")
    return name, settings


def read_settings(
    settings: Iterable[str],
    kind: type,
    noun: str,
    names: Iterable[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> dict[str, Any]:
    """Return the values of settings such as "threshold=0.3", by field.

    Args:
        settings: texts "field=value".
        kind: dataclass whose fields they are.
        noun: what is set, for the sentence, such as "--policy".
        names: fields that a text may set; None: all.
        ranges: of fields that are numbers or knots; the others may be any.

    Raises:
        UserError: a field is unknown or set twice, or a value does not fit its field.
    """
    hints = get_type_hints(kind)
    known = {name: hints[name] for name in names or [each.name for each in fields(kind)]}
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if name not in known or not equals:
            raise UserError(f"{noun} setting is {shown(setting)}: give one of {', '.join(known)} and =VALUE.")
        if name in values:
            raise UserError(f"{noun} setting {name} is given twice: give it once.")
        values[name] = _value(value, _choices(known[name]), (ranges or {}).get(name), f"{noun} setting {name}")
    return values


def _value(text: str, choices: tuple[Any, ...], limits: Range | None, field: str) -> Any:
    """The value of a text as the first of the choices that fits.

    Raises:
        UserError: none does.
    """
    for choice in choices:
        try:
            return _read(text, choice, limits)
        except ValueError:
            continue
    wanted = " or ".join(", ".join(_words(choice)) or _wanted(_plain(choice), limits) for choice in choices)
    raise UserError(f"{field} is {shown(text)}: give {wanted}.")


def write_text(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a name and the values of its fields."""
    return ":".join([name, *(f"{field}={write_value(value)}" for field, value in values.items())])


def write_value(value: Any) -> str:
    """Return a value as `read_settings` reads it."""
    return "/".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def _choices(hint: Any) -> tuple[Any, ...]:
    """The parts of a union, None last; else the annotation itself."""
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return tuple(sorted(parts, key=lambda part: part is type(None)))


def _plain(choice: Any) -> Any:
    """The class of an annotation without its parameters."""
    return get_origin(choice) or choice


def _words(choice: Any) -> tuple[str, ...]:
    """The words of an enumeration or Literal; none of other annotations."""
    if get_origin(choice) is Literal:
        return get_args(choice)
    return tuple(choice) if isinstance(choice, type) and issubclass(choice, StrEnum) else ()


def _wanted(kind: Any, limits: Range | None) -> str:
    """What a value of a kind is, for a sentence."""
    if limits is None or kind not in (int, float, tuple):
        return WANTED[kind]
    if kind is tuple:
        return f"{WANTED[tuple]}, up to {MOST_KNOTS}, each {limits.wanted}"
    return limits.wanted


def _read(text: str, choice: Any, limits: Range | None) -> Any:
    """The value of a text, or a ValueError."""
    if words := _words(choice):
        found = words[words.index(text)]
        return choice(found) if isinstance(choice, type) else found
    if choice is bool:
        return ("False", "True").index(text) > 0
    if choice is type(None):
        return (None,)[("None",).index(text)]
    if choice is int:
        return (limits or ANY_WHOLE).read(text)
    if choice is float:
        return (limits or ANY).read(text)
    if _plain(choice) is not tuple:
        return choice(text)
    knots = text.split("/", MOST_KNOTS)
    if len(knots) > MOST_KNOTS:
        raise ValueError(len(knots))
    return tuple((limits or ANY).read(part) for part in knots)
