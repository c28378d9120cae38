"""Texts such as "radit:threshold=0.3:schedule=1.2/0.9": a name and settings of a dataclass's fields, read and written.

How a value is read and written follows from its field's annotation:

| annotation | text |
|---|---|
| bool, int, float | True, 3, 0.25 |
| tuple[float, ...] | knots: 1.2/0.9/0.6 |
| an enumeration of words, Literal | one of the words |
| None | None |
| several of these | the first that fits |
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from radit.model.errors import UserError

WANTED: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    tuple: "knots such as 1.2/0.9/0.6",
    type(None): "None",
}


def split_text(text: str) -> tuple[str, list[str]]:
    """Return the name and the settings of "name:field=value:field=value"."""
    name, *settings = text.split(":")
    return name, settings


def read_settings(settings: Iterable[str], kind: type, noun: str, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the values of settings such as "threshold=0.3", by field.

    Args:
        settings: texts "field=value".
        kind: dataclass whose fields they are.
        noun: what is set, for the sentence, such as "--policy".
        names: fields that a text may set; None: all.

    Raises:
        UserError: a field is unknown, or a value does not fit its field.
    """
    hints = get_type_hints(kind)
    known = {name: hints[name] for name in names or [each.name for each in fields(kind)]}
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            raise UserError(f"{noun} setting is '{setting}': give one of {', '.join(known)} and =VALUE.")
        for choice in _choices(known[name]):
            try:
                values[name] = _read(value, choice)
                break
            except ValueError:
                continue
        else:
            wanted = " or ".join(
                ", ".join(_words(choice)) or WANTED[_plain(choice)] for choice in _choices(known[name])
            )
            raise UserError(f"{noun} setting {name} is '{value}': give {wanted}.")
    return values


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


def _read(text: str, choice: Any) -> Any:
    """The value of a text, or a ValueError."""
    if words := _words(choice):
        found = words[words.index(text)]
        return choice(found) if isinstance(choice, type) else found
    if choice is bool:
        return ("False", "True").index(text) > 0
    if choice is type(None):
        return (None,)[("None",).index(text)]
    if _plain(choice) is tuple:
        return tuple(float(part) for part in text.split("/"))
    return choice(text)
