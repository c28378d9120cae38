"""Convert a build to Verilog in a process of its own: elaborate.py FOLDER NAME=JSON ...  writes FOLDER/NAME.v.

Runs on the copy of the sources that PYTHONPATH names. MyHDL reads the source lines of the whole call stack for every
block and process, parses each process anew for each of its instances, and elaborates everything twice. None of that
changes the text of a design elaborated for the first time; a test compares. Here it is left out, which takes a third
of the time.
"""

import gc
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEPTH = 6  # frames that MyHDL looks at


def _stack(context: int = 1) -> list[tuple]:
    """The callers' frames and names, in the places in which ``inspect.stack`` has them."""
    frame, found = sys._getframe(1), []
    while frame and len(found) < DEPTH:
        found.append((frame, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, None, None))
        frame = frame.f_back
    return found


def _once_per_code(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Remember what a function of ``inspect`` says of a function's code."""
    known: dict[Any, Any] = {}

    def answer(function: Any) -> Any:
        code = getattr(function, "__code__", function)
        if code not in known:
            known[code] = work(function)
        return known[code]

    return answer


def _forget_calls(block: Any) -> None:
    """Of all blocks, for the numbers in the names of instances."""
    from myhdl._simulator import _blocks

    for each in _blocks:
        each.calls = 0


def hasten() -> None:
    """Make MyHDL's conversion quick, for a process that converts each build once."""
    from myhdl import _block, _util

    inspect.stack = _stack  # type: ignore[assignment]
    for name in ("getsource", "getsourcelines", "getsourcefile"):
        setattr(inspect, name, _once_per_code(getattr(inspect, name)))
    known: dict[str, str] = {}
    dedent = _util._dedent
    _util._dedent = lambda text: known[text] if text in known else known.setdefault(text, dedent(text))
    _block._Block._clear = _forget_calls
    gc.disable()


def main(arguments: list[str]) -> None:
    """Convert each build; any error ends the process."""
    hasten()
    from radit.accel.config import BuildConfig
    from radit.accel.export import convert

    folder = Path(arguments[0])
    for argument in arguments[1:]:
        name, _, fields = argument.partition("=")
        made = convert.convert(BuildConfig(**json.loads(fields)), "verilog", folder / name)
        made.replace(folder / f"{name}.v")
    print(convert.__file__)


if __name__ == "__main__":
    main(sys.argv[1:])
