"""Write the waveform that ``radit timing --activity`` reads: a small model on the 4x4 build of the digits model, two
timesteps dense and two that skip.

``python -m tools.activity FILE.vcd``. Every word is compared with the reference, as in the tests.
"""

import sys
from pathlib import Path

from radit.cosim.engines import Setup
from radit.cosim.support.sizes import build_for, dims_of
from radit.reports.project.project import config_of
from tests.system.cosimulate import MOST_CYCLES, SKIPPING, Shape, cosimulate, make_task

SHAPE = Shape(tokens=16, hidden=16, heads=2, mlp=64, depth=1, scales=False)


def main(path: Path) -> None:
    """Run and compare."""
    build = build_for(dims_of(config_of("digits"), 2), 4, 4)
    outcome = cosimulate(
        "verilator", build, make_task(SHAPE), SKIPPING, setup=Setup(waves=path, max_cycles=MOST_CYCLES)
    )
    outcome.assert_exact()
    print(f"wrote {path}: {sum(outcome.cycles)} cycles, array busy in {outcome.counters['array_cycles']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
