"""One item ahead: the same items and result, made beside their use, and errors come through."""

import threading

import pytest

from radit.cosim.support.ahead import one_ahead


def collect(items):
    """Items and result of a generator."""
    seen = []
    while True:
        try:
            seen.append(next(items))
        except StopIteration as end:
            return seen, end.value


def squares(count):
    """A few items, then a result."""
    for i in range(count):
        yield i * i
    return "done"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_items_and_result_are_the_same(count):
    assert collect(one_ahead(squares(count))) == collect(squares(count)) == ([i * i for i in range(count)], "done")


def test_the_next_item_is_made_in_a_thread_while_one_is_in_use():
    made, makers = [threading.Event() for _ in range(3)], []

    def items():
        for event in made:
            makers.append(threading.current_thread())
            event.set()
            yield

    ahead = one_ahead(items())
    next(ahead)
    assert made[1].wait(timeout=10), "the second item waits for its use"
    assert not made[2].is_set(), "more than one ahead"
    assert threading.current_thread() not in makers
    assert collect(ahead) == ([None, None], None)


def test_errors_come_through():
    def failing():
        yield 1
        raise ValueError("broken")

    ahead = one_ahead(failing())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
