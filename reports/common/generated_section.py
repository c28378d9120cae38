"""Generated parts of Markdown files: what stands between two comment markers."""

from __future__ import annotations

from radit.model.errors import UserError


def put_between(text: str, markers: tuple[str, str], part: str, name: str) -> str:
    """The text of a file called ``name`` with another part between its markers.

    Raises:
        UserError: there is not exactly one pair of the markers.
    """
    begin, end = markers
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise UserError(f"{name} lacks one pair of the markers {begin} and {end}: put them around the table.")
    head, tail = text.split(begin)[0], text.split(end)[1]
    return f"{head}{begin}\n{part}\n{end}{tail}"
