"""Work one item ahead of its use, in a thread: what releases Python's lock runs beside the caller."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(items: Generator[Item, None, Result]) -> Generator[Item, None, Result]:
    """The same items and result; each is made while the one before is in use."""

    def make() -> tuple[list[Item], list[Result]]:
        try:
            return [next(items)], []
        except StopIteration as end:
            return [], [end.value]

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(make)
        while True:
            made, result = coming.result()
            if not made:
                return result[0]
            coming = thread.submit(make)
            yield made[0]
