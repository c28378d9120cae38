"""The progress of a co-simulation: GMAC simulated, GMAC/s, time left."""

from __future__ import annotations

from datetime import timedelta

from rich.progress import ProgressColumn, Task, TaskID, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from radit.model.console import figures, progress_bar

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
    """A progress bar in MACs, there from its first call on; use as a context manager and as the ``progress`` of a run.

    Args:
        description: text before the bar.
    """

    def __init__(self, description: str) -> None:
        done = figures("{task.completed:.1f}/{task.total:.1f} GMAC")
        self._progress = progress_bar(done, TimeElapsedColumn(), Rate(Column(no_wrap=True)), width=20)
        self._description = description
        self._task: TaskID | None = None

    def __enter__(self) -> MacBar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._task is not None:
            self._progress.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show the MACs that are simulated, of those that are not skipped."""
        if self._task is None:
            self._task = self._progress.add_task(self._description, total=total / GIGA)
            self._progress.start()
        self._progress.update(self._task, completed=done / GIGA, total=total / GIGA)
