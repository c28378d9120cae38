"""Replays recorded vectors in MyHDL's simulator: ``python -m radit.cosim.speed.play_myhdl VECTORS``.

A process of its own, because MyHDL inspects the whole call stack for every block and keeps all it ever elaborated.
"""

import sys
from pathlib import Path

from myhdl import Simulation, delay, instance

from radit.accel.interfaces.top_ports import TopPorts
from radit.accel.top import radit_top
from radit.cosim.speed.vectors import Replay, Vectors


def play(vectors: Vectors) -> None:
    """All cycles; reports on the way."""
    ports = TopPorts(vectors.config)
    signals = ports.signals()
    top = radit_top(vectors.config, **ports.arguments())

    def write(name):
        def put(value: int) -> None:
            signals[name].next = value

        return put

    replay = Replay(vectors, write, lambda name: lambda: int(signals[name]))

    @instance
    def testbench():
        for cycle in range(replay.cycles):
            replay.report(cycle)
            replay.set_inputs(cycle)
            yield delay(1)
            replay.compare(cycle)
            ports.clk.next = 1
            yield delay(1)
            ports.clk.next = 0
        replay.report(replay.cycles)

    Simulation(top, testbench).run(quiet=1)


if __name__ == "__main__":
    play(Vectors.load(Path(sys.argv[1])))
