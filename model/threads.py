"""torch on one thread: float sums, and with them decisions, must not depend on how many threads share them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Users:
    """How many are inside `one_thread`, and how many threads torch had before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.threads = 1


_users = _Users()


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread, afterwards on as many as before; also a decorator.

    Several Python threads may be inside at a time: the last one to leave restores the number.
    """
    with _users.lock:
        if not _users.inside:
            _users.threads = torch.get_num_threads()
        _users.inside += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _users.lock:
            _users.inside -= 1
            if not _users.inside:
                torch.set_num_threads(_users.threads)
