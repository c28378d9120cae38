"""Wall-clock time by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by stage; the stages of several threads may overlap, each has its own watch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Book the time inside to ``stage``."""
        since = time.perf_counter()
        try:
            yield
        finally:
            self.add({stage: time.perf_counter() - since})

    def add(self, seconds: dict[str, float]) -> None:
        """Take over another watch's seconds."""
        for stage, spent in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
