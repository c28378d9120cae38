"""Text and progress bars on a terminal: the one place that makes consoles of the terminal library.

What is shown is other people's text as often as ours: names of files and models, settings, what programs said. It is
never taken for markup, for names of emoji or for escape codes.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from radit.model.plain_text import visible


class OutputClosed(Exception):
    """What reads the output is gone, or has no room; the cause is an ``OSError``."""


class PlainConsole(Console):
    """A console that shows every text as it is, one line each; lines are as long as they are.

    Args:
        stderr: write there in place of stdout; there, what cannot be written is left out.
    """

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text without anything that steers a terminal."""
        return super().render_str(visible(text), **options | {"markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; see `rich.console.Console.print`.

        Raises:
            OutputClosed: stdout takes nothing more.
        """
        try:
            super().print(*objects, **options)
        except OSError as error:
            if not self.stderr:
                raise OutputClosed from error

    def on_broken_pipe(self) -> None:
        """Leave it to `print`, rather than ending the program."""
        self.quiet = True
        raise BrokenPipeError


class Words(TextColumn):
    """A column with a task's description as it is."""

    def __init__(self) -> None:
        super().__init__("{task.description}", markup=False, table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """The description on one line."""
        return Text(visible(task.description))


def figures(pattern: str) -> TextColumn:
    """A column of a progress bar that a format of ``task`` makes, such as "{task.completed} images"."""
    return TextColumn(pattern, markup=False)


def progress_bar(*columns: ProgressColumn, transient: bool = False, width: int | None = 40) -> Progress:
    """Return a progress bar on stderr, with further columns after its description and bar.

    Where stderr is no terminal it shows nothing. Results on stdout stay apart from it.
    """
    console = PlainConsole(stderr=True)
    return Progress(
        Words(),
        BarColumn(bar_width=width),
        *columns,
        console=console,
        transient=transient,
        redirect_stdout=False,
        disable=not console.is_terminal,
    )
