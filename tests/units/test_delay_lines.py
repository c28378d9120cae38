"""Delay lines: every value leaves as many edges later as there are registers, and a gated one waits for its gate."""

import pytest
from myhdl import block

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay, delay_chain, gated_delay, gated_register
from tests.units.bench import Bench, Vectors, mixed, run_everywhere

BITS = 8
ONCE, CYCLES = 1, 3


@block
def lines(clk, src_valid, src, dst_valid, beside, once, later, kept, stages):
    """One of each: valid bits of ``stages`` stages, a value beside their words, fixed delays and a held value."""
    valids = [src_valid, *(flag() for _ in range(stages - 1)), dst_valid]
    return (
        delay_chain(clk, valids),
        gated_delay(clk, valids[:-1], src, beside),
        delay(clk, src, once, ONCE),
        delay(clk, src, later, CYCLES),
        gated_register(clk, src_valid, src, kept),
    )


def delayed(values: list[int], cycles: int) -> list[int]:
    return [0] * cycles + values[:-cycles]


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_values_arrive_in_their_cycle(stages, rng):
    ports = dict(src_valid=flag(), src=signed(BITS), dst_valid=flag())
    outputs = {name: signed(BITS) for name in ("beside", "once", "later", "kept")}
    bench = Bench(lines, ports | outputs, stages=stages)
    words = mixed(rng, BITS, 80)
    vectors = Vectors(bench, [dict(src=value) for value in words], gaps=0.4)
    trace = bench.simulate(vectors)
    assert vectors.latency() == stages
    assert [value for (value,) in vectors.results("beside")] == words
    assert trace["once"] == delayed(trace["src"], ONCE)
    assert trace["later"] == delayed(trace["src"], CYCLES)
    held = 0
    for valid, value, kept in zip(trace["src_valid"], trace["src"], trace["kept"], strict=True):
        assert kept == held
        held = value if valid else held
    run_everywhere(bench)


def test_a_resting_stage_does_not_toggle():
    """Between two words the value beside them stands still in every stage."""
    ports = dict(src_valid=flag(), src=word(BITS), dst_valid=flag())
    bench = Bench(lines, ports | {name: word(BITS) for name in ("beside", "once", "later", "kept")}, stages=3)

    def stimulus():
        for cycle in range(40):
            bench.src.next = cycle
            bench.src_valid.next = cycle in (5, 20)
            yield bench.clk.posedge

    trace = bench.simulate(stimulus)
    changes = [k for k in range(1, len(trace["beside"])) if trace["beside"][k] != trace["beside"][k - 1]]
    assert [trace["beside"][k] for k in changes] == [5, 20]
    assert [k for k, valid in enumerate(trace["dst_valid"]) if valid] == changes
