"""A search for a policy on the terminal: its trials, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import TimeElapsedColumn

from radit.model.console import figures, progress_bar
from radit.model.policy.policy_file import StoredPolicy
from radit.model.tuning.search import Point
from radit.terminal.console import say


@contextmanager
def told_trials() -> Iterator[Callable[[Point | None, int], None]]:
    """A bar of evaluations from the first call on, or a line of each where there is no terminal."""
    progress = progress_bar(figures("{task.completed} of about {task.total} trials"), TimeElapsedColumn())
    bar = progress.add_task("dense images")

    def show_point(point: Point | None, expected: int) -> None:
        if point is None:
            progress.update(bar, total=expected)
            progress.start()
            return
        text = f"MAC reduction {point.mac_reduction:.2f}, mse {point.mse:.2e}"
        if not progress.console.is_terminal:
            say(f"{point.policy.text}: {text}")
        done = progress.tasks[bar].completed + 1
        progress.update(bar, advance=1, description=text, total=max(expected, done))

    try:
        yield show_point
    finally:
        if progress.live.is_started:
            progress.stop()


def show_calibration(stored: StoredPolicy, path: Path, seconds: float) -> None:
    """What came out, on the terminal."""
    achieved = stored.achieved
    say(
        f"{stored.model}: MAC reduction {achieved.mac_reduction:.3f} under the policy, paired mse to the "
        f"{stored.judge} images {achieved.mse:.3g} "
        f"({stored.images} images of seed {stored.seed}, target {stored.target}); evaluate with other seeds"
    )
    kind = "ranges " if stored.judge == "dense" else ""
    for name, one in stored.tried.items():
        say(f"  {kind}{name}: MAC reduction {one.mac_reduction:.3f}, mse {one.mse:.3g}")
    baseline = stored.radit_achieved
    say(f"  {stored.radit.text}: MAC reduction {baseline.mac_reduction:.3f}, mse {baseline.mse:.3g}")
    if stored.judge == "dense" and stored.tried:
        kept = "the widened ranges are kept" if stored.widened else "widening gains nothing beyond chance: not kept"
        say(f"  {kept}")
    say(f"wrote {path} in {seconds:.0f} s")
