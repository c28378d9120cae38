"""The progress of a co-simulation: GMAC simulated, GMAC/s, time left."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

GIGA = 1e9


class Rate(ProgressColumn):
    """GMAC/s of the last half minute; of the whole run when it is over."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} GMAC/s")


class MacBar:
    """A progress bar in MACs; use as a context manager.

    Args:
        description: text before the bar.
        macs: of everything, if nothing is skipped.
    """

    def __init__(self, description: str, macs: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.1f}/{task.total:.1f} GMAC"),
            Rate(), TimeElapsedColumn(), TimeRemainingColumn(), speed_estimate_period=30.0,
        )  # fmt: skip
        self._left = macs
        self._task = self._progress.add_task(description, total=macs / GIGA)

    def __enter__(self) -> MacBar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def tick(self, simulated: int, skipped: int) -> None:
        """Book MACs that were simulated, and others that are not to come any more."""
        self._left -= simulated + skipped
        self._progress.advance(self._task, simulated / GIGA)
        done = self._progress.tasks[0].completed
        self._progress.update(self._task, total=done + self._left / GIGA)
