"""Markdown that commands write: tables, and paragraphs of lines that an editor shows whole."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from radit.model.plain_text import one_line, visible

WIDTH = 120  # characters of a line


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: a column of words, then columns of numbers, aligned to the right.

    Raises:
        ValueError: a row has more or fewer cells than the head.
    """
    lines = [_row(heads), f"|---|{'---:|' * (len(heads) - 1)}"]
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"the row {row} has {len(row)} cells under {len(heads)} heads")
        lines.append(_row(row))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {_cell(cell)} |" if cell else " |" for cell in cells)


def _cell(text: str) -> str:
    """A text that ends neither its cell nor its row."""
    return (text if text.isprintable() else one_line(text, len(text))).replace("|", "\\|")


def code(text: str) -> str:
    """A text of somebody else as code: on one line, and neither the end of the code, of a cell nor of a comment."""
    plain = visible(text).replace("<!--", "<! --").replace("-->", "-- >").replace("|", "\\|")
    ticks = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * (ticks + 1)
    return f"{fence} {plain} {fence}" if ticks else f"{fence}{plain}{fence}"


def literal(text: str) -> str:
    """A text with words of somebody else, on one line: no markup of HTML, and not the end of a cell."""
    return visible(text).replace("<", "&lt;").replace("|", "\\|")


def power_text(value: float) -> str:
    """A small number as 2.56e-4."""
    return f"{value:.2e}".replace("e-0", "e-") if value else "0"


def paragraph(text: str) -> str:
    """A text in lines of at most ``WIDTH``; words stay whole."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
