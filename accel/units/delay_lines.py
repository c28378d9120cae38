"""Delay lines: what keeps a value in step with the words of a pipeline.

| block | ``dst`` or the chain's next element takes its source |
|---|---|
| ``register``, ``delay_chain``, ``delay`` | at every clock edge |
| ``gated_register``, ``gated_chain``, ``gated_delay`` | at clock edges at which the stage works |

A chain is a list of signals, each of which takes the one before it: a pipeline's valid bits, or a value whose every
stage is wanted. ``delay`` and ``gated_delay`` make the stages between ``src`` and ``dst`` themselves. No arithmetic,
no reset, one word per cycle; latency is the number of registers.
"""

from myhdl import Signal, always, block


@block
def register(clk, src, dst):
    """``dst`` is ``src`` of one clock edge ago."""

    @always(clk.posedge)
    def load():
        dst.next = src

    return load


@block
def gated_register(clk, enable, src, dst):
    """A register that takes ``src`` only when ``enable`` is high."""

    @always(clk.posedge)
    def load():
        if enable:
            dst.next = src

    return load


@block
def delay_chain(clk, chain):
    """``chain[k + 1]`` is ``chain[k]`` one cycle later: the valid bits of a pipeline's stages."""
    return [register(clk, chain[k], chain[k + 1]) for k in range(len(chain) - 1)]


@block
def gated_chain(clk, valids, chain):
    """``chain[k + 1]`` takes over ``chain[k]`` when ``valids[k]`` is high: a value beside a pipeline's words."""
    return [gated_register(clk, valids[k], chain[k], chain[k + 1]) for k in range(len(chain) - 1)]


@block
def delay(clk, src, dst, cycles):
    """``dst`` is ``src`` of ``cycles`` (at least 1) clock edges ago."""
    return delay_chain(clk, [src, *(Signal(src.val) for _ in range(cycles - 1)), dst])


@block
def gated_delay(clk, valids, src, dst):
    """``src`` travels beside the words of a pipeline whose stage k works when ``valids[k]`` is high."""
    return gated_chain(clk, valids, [src, *(Signal(src.val) for _ in valids[1:]), dst])
