"""Docstrings as the documentation site's generator reads them: an extension of griffe, named in mkdocs.yml.

Our sections ``Fields:`` and ``Class attributes:`` are its ``Attributes:``; where we say the same of several names, it
wants an entry for each.
"""

import re
from typing import Any

import griffe

FIELDS = re.compile(r"^( *)(?:Fields|Class attributes):$", re.MULTILINE)
SECTION = re.compile(r"^( *)(?:Args|Attributes):\n(?:\1 +\S.*\n?)+", re.MULTILINE)
SHARED = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +\S.*)*)$", re.MULTILINE)  # names, then text and its other lines


def readable(text: str) -> str:
    """A docstring with the generator's names of sections and one name per entry."""
    return SECTION.sub(lambda section: SHARED.sub(_one_each, section[0]), FIELDS.sub(r"\1Attributes:", text))


def _one_each(entry: re.Match) -> str:
    indent, names, text = entry.groups()
    return "\n".join(f"{indent}{name}: {text}" for name in names.split(", "))


class HouseDocstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of a module, class, function or attribute that was just read."""
        if obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)
