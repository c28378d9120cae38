"""For pytest on a copy of the sources: no VHDL, which would double the time and says what the Verilog says."""

from pathlib import Path

import radit.accel.top
from tests.units.bench import Bench


def pytest_configure(config) -> None:
    """Make sure that the copy is tested."""
    tree = Path(config.rootpath)
    assert Path(radit.accel.top.__file__).is_relative_to(tree), f"{radit.accel.top.__file__} is not in {tree}"
    Bench.check_vhdl = lambda self: {}
