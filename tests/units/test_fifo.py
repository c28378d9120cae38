"""stream_fifo: order, level, latency, full throughput and the handshake, for every mix of stalls."""

import numpy as np
import pytest
from myhdl import block

from radit.accel.interfaces.streams import Stream
from radit.accel.units.fifo import LATENCY, stream_fifo
from tests.units.bench import Bench, flag, reset, run_everywhere, word

BITS = 20


@block
def flat_fifo(clk, aresetn, s_tdata, s_tvalid, s_tready, m_tdata, m_tvalid, m_tready, level, depth):
    """stream_fifo with flat ports."""
    src, dst = Stream(BITS), Stream(BITS)
    src.tdata, src.tvalid, src.tready = s_tdata, s_tvalid, s_tready
    dst.tdata, dst.tvalid, dst.tready = m_tdata, m_tvalid, m_tready
    unit = stream_fifo(clk, aresetn, src, dst, level, depth)
    return unit


def run(depth: int, count: int, idle: float, stall: float, seed: int) -> tuple[Bench, list[int]]:
    """Send ``count`` words with source gaps and sink stalls of these probabilities; return what was sent."""
    ports = dict(aresetn=reset(), s_tdata=word(BITS), s_tvalid=flag(), s_tready=flag())
    ports |= dict(m_tdata=word(BITS), m_tvalid=flag(), m_tready=flag(), level=word(depth.bit_length()))
    bench = Bench(flat_fifo, ports, depth=depth)
    rng = np.random.default_rng(seed)
    sent = rng.integers(0, 1 << BITS, count).tolist()
    left = [count]

    def source():
        for cycle in range(4):
            bench.aresetn.next = cycle >= 2
            yield bench.clk.posedge
        for value in sent:
            while rng.random() < idle:
                bench.s_tvalid.next = False
                yield bench.clk.posedge
            bench.s_tdata.next, bench.s_tvalid.next = value, True
            yield bench.clk.posedge
            while not bench.s_tready:
                yield bench.clk.posedge
        bench.s_tvalid.next = False
        while left[0]:
            yield bench.clk.posedge
        for _ in range(4):
            yield bench.clk.posedge

    def sink():
        while True:
            bench.m_tready.next = rng.random() >= stall
            yield bench.clk.posedge
            left[0] -= int(bench.m_tvalid and bench.m_tready)

    bench.simulate(source, sink)
    return bench, sent


def transfers(bench: Bench, side: str) -> list[int]:
    """The cycles in which a word moves."""
    trace = bench.trace
    moves = zip(trace["aresetn"], trace[f"{side}_tvalid"], trace[f"{side}_tready"], strict=True)
    return [cycle for cycle, move in enumerate(moves) if all(move)]


@pytest.mark.parametrize("depth", [2, 16])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.6), (0.3, 0.3)])
def test_order_level_and_handshake(depth, idle, stall):
    bench, sent = run(depth, 200, idle, stall, seed=depth)
    trace, enter, leave = bench.trace, transfers(bench, "s"), transfers(bench, "m")
    assert [trace["s_tdata"][cycle] for cycle in enter] == sent
    assert [trace["m_tdata"][cycle] for cycle in leave] == sent
    inside, entering, leaving, highest = 0, set(enter), set(leave), 0
    for cycle in range(4, bench.cycles):
        assert trace["level"][cycle] == inside
        highest = max(highest, inside)
        if cycle - 1 not in leaving and trace["m_tvalid"][cycle - 1]:
            assert trace["m_tvalid"][cycle] and trace["m_tdata"][cycle] == trace["m_tdata"][cycle - 1]
        inside += (cycle in entering) - (cycle in leaving)
    assert inside == 0 and not trace["m_tvalid"][-1]
    assert highest == depth if stall > idle else highest <= depth
    run_everywhere(bench, vhdl=depth == 16)


def test_latency_and_full_throughput():
    bench, sent = run(16, 100, idle=0.0, stall=0.0, seed=1)
    enter, leave = transfers(bench, "s"), transfers(bench, "m")
    assert enter == list(range(enter[0], enter[0] + len(sent)))
    assert leave == [cycle + LATENCY for cycle in enter]
