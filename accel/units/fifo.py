"""First-in, first-out buffer between two streams, RAM based, first word falls through.

Streams are ``radit.accel.interfaces.streams.Stream`` (``tdata``, ``tvalid``, ``tready``): a word moves at the edge at
which both ``tvalid`` and ``tready`` are high. ``src.tready`` is low only when ``depth`` words are inside, and depends
on registers alone; ``dst.tvalid`` never waits for ``dst.tready``, and ``dst.tdata`` is held until the transfer: it is
the memory's own output register, which fetches the next word as the present one leaves.
``level``: words inside, 0 .. depth, the one on ``dst`` included (``depth.bit_length()`` bits).
Latency: ``LATENCY`` cycles from a transfer on ``src`` to ``dst.tvalid`` when empty. Throughput: one word per cycle.
``depth`` is a power of two, at least 2. ``aresetn`` empties the buffer.
"""

from myhdl import Signal, always_comb, always_seq, block, modbv

from radit.accel.interfaces.signals import word
from radit.accel.units.ram import word_ram

LATENCY = 2


@block
def stream_fifo(clk, aresetn, src, dst, level, depth):
    """``dst`` carries the words of ``src`` in order; ``depth`` of them fit."""
    assert depth >= 2 and depth & (depth - 1) == 0, f"FIFO depth is {depth}; use a power of two from 2 on."
    DEPTH = depth
    address_bits = depth.bit_length() - 1
    count = word(depth.bit_length())  # words inside
    stored = word(depth.bit_length())  # of them in the memory, behind the one on dst
    waddr, raddr = [Signal(modbv(0)[address_bits:]) for _ in range(2)]
    shown, ready, accept, leave, fetch = [Signal(bool(0)) for _ in range(5)]
    memory = word_ram(clk, accept, waddr, src.tdata, fetch, raddr, dst.tdata, depth)

    @always_comb
    def decide():
        ready.next = count != DEPTH
        fetch.next = stored != 0 and (dst.tready or not shown)
        leave.next = shown and dst.tready

    @always_comb
    def transfer():
        accept.next = src.tvalid and ready

    @always_comb
    def drive():
        src.tready.next = ready
        dst.tvalid.next = shown
        level.next = count

    @always_seq(clk.posedge, reset=aresetn)
    def update():
        if accept:
            waddr.next = waddr + 1
        if fetch:
            raddr.next = raddr + 1
            shown.next = True
        elif leave:
            shown.next = False
        if accept and not leave:
            count.next = count + 1
        elif leave and not accept:
            count.next = count - 1
        if accept and not fetch:
            stored.next = stored + 1
        elif fetch and not accept:
            stored.next = stored - 1

    return memory, decide, transfer, drive, update
