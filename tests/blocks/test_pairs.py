"""accel/memory/pairs.py: a write reaches one half, a read both."""

import numpy as np
from myhdl import Signal, StopSimulation, always, block, delay, instance

from radit.accel.export.convert import forgotten_signals
from radit.accel.interfaces.memory_ports import ReadPort, WritePort
from radit.accel.memory.pairs import pair_narrow_memory
from radit.model.formats import INT8_BITS

DEPTH, HALF_PERIOD = 24, 5


@block
def played(seen: dict[int, int], order: list[int], values: list[int]):
    """Write ``values`` in this order of addresses, then read the pair of every even address into ``seen``."""
    clk, write, read = Signal(bool(0)), WritePort(INT8_BITS), ReadPort(2 * INT8_BITS)
    memory = pair_narrow_memory(clk=clk, write=write, read=read, depth=DEPTH)

    @always(delay(HALF_PERIOD))
    def tick():
        clk.next = not clk

    @instance
    def play():
        for address in order:
            write.enable.next, write.addr.next, write.data.next = True, address, values[address]
            yield clk.negedge
        write.enable.next = False
        for address in range(0, DEPTH, 2):
            read.enable.next, read.addr.next = True, address
            yield clk.negedge
            seen[address] = int(read.data)
        raise StopSimulation

    return memory, tick, play


def test_pairs_hold_what_was_written_in_any_order(rng):
    values, seen = rng.integers(1, 1 << INT8_BITS, DEPTH).tolist(), {}
    order = np.concatenate([np.arange(1, DEPTH, 2), np.arange(0, DEPTH, 2)]).tolist()  # odd addresses first
    with forgotten_signals():
        played(seen, order, values).run_sim(quiet=1)
    assert seen == {address: values[address] | values[address + 1] << INT8_BITS for address in range(0, DEPTH, 2)}
