"""Replays recorded vectors in cocotb: a testbench that touches every port from Python in every cycle.

The simulator loads this module; the environment variable RADIT_VECTORS names the file of the vectors.
"""

import os
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from radit.cosim.speed.vectors import Replay, Vectors

HALF_PERIOD = 5  # time steps


@cocotb.test()
async def play(dut) -> None:
    """All cycles; reports on the way."""

    def write(name):
        handle = getattr(dut, name)

        def put(value: int) -> None:
            handle.value = value

        return put

    def read(name):
        handle = getattr(dut, name)
        return lambda: int(handle.value)

    replay = Replay(Vectors.load(Path(os.environ["RADIT_VECTORS"])), write, read)
    dut.clk.value = 0
    for cycle in range(replay.cycles):
        replay.report(cycle)
        replay.set_inputs(cycle)
        await Timer(HALF_PERIOD, "step")
        replay.compare(cycle)
        dut.clk.value = 1
        await Timer(HALF_PERIOD, "step")
        dut.clk.value = 0
    replay.report(replay.cycles)
