"""The progress of a co-simulation: GMAC simulated, GMAC/s, time left."""

from __future__ import annotations

from datetime import timedelta

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

GIGA = 1e9


class Rate(ProgressColumn):
    """GMAC/s so far, and at this rate the time left if nothing more is skipped."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.elapsed:
            return Text("")
        rate = task.completed / task.elapsed
        left = timedelta(seconds=round((task.remaining or 0.0) / rate))
        return Text(f"{rate:.2f} GMAC/s, {left} left")


class MacBar:
    """A progress bar in MACs; use as a context manager.

    Args:
        description: text before the bar.
        macs: of everything, if nothing is skipped.
    """

    def __init__(self, description: str, macs: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=20),
            TextColumn("{task.completed:.1f}/{task.total:.1f} GMAC"), TimeElapsedColumn(), Rate(Column(no_wrap=True)),
        )  # fmt: skip
        self._task = self._progress.add_task(description, total=macs / GIGA)
        self._done, self._left = 0, macs

    def __enter__(self) -> MacBar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def tick(self, simulated: int, skipped: int) -> None:
        """Book MACs that were simulated, and others that are not to come any more."""
        self._done += simulated
        self._left -= simulated + skipped
        self._progress.update(self._task, completed=self._done / GIGA, total=(self._done + self._left) / GIGA)
