"""The bench itself: it must find a unit whose conversion differs from its simulation."""

import pytest
from myhdl import ToVerilogWarning, always, block
from myhdl._simulator import _signals

from tests.units.bench import Bench, Vectors, flag, number, word


@block
def cut_product(clk, src_valid, a, b, dst_valid, p):
    """The known trap: the product is cut to the operands' width before the shift."""

    @always(clk.posedge)
    def multiply():
        dst_valid.next = src_valid
        p.next = (a * b) >> 4

    return multiply


@block
def deaf(clk, src_valid, a, dst_valid):
    """A port that nothing reads is a converter's warning."""

    @always(clk.posedge)
    def ignore():
        dst_valid.next = src_valid

    return ignore


@block
def forgetful(clk, src_valid, a, dst_valid, total):
    """A register that nothing initializes stays unknown in hardware, though not in MyHDL."""

    kept = word(8)

    @always(clk.posedge)
    def merge():
        dst_valid.next = src_valid
        if src_valid:
            kept.next = kept | a
        total.next = kept

    return merge


def simulated(unit, outputs, **inputs):
    bench = Bench(unit, dict(src_valid=flag(), dst_valid=flag()) | inputs | outputs)
    vectors = Vectors(bench, [dict.fromkeys(inputs, value) for value in (100, 90, 127)])
    bench.simulate(vectors)
    assert vectors.latency() == 1
    return bench


@pytest.mark.needs("iverilog")
def test_finds_a_wrong_conversion():
    bench = simulated(cut_product, dict(p=number(8 + 4)), a=number(8), b=number(8))
    with pytest.raises(AssertionError, match="differ from MyHDL"):
        bench.check_verilog()


@pytest.mark.needs("iverilog")
def test_warnings_of_the_converter_are_errors():
    with pytest.raises(ToVerilogWarning):
        simulated(deaf, {}, a=word(8)).check_verilog()


@pytest.mark.needs("iverilog")
def test_an_output_that_stays_unknown_fails():
    with pytest.raises(AssertionError, match="never compared"):
        simulated(forgetful, dict(total=word(8)), a=word(8)).check_verilog()


def test_myhdl_forgets_what_a_bench_made(tmp_path):
    """Signals that pile up slow down every later simulation of the process."""
    ports = dict(src_valid=flag(), a=number(8), b=number(8), dst_valid=flag(), p=number(12))
    bench, known = Bench(cut_product, ports), len(_signals)
    bench.simulate(Vectors(bench, [dict(a=1, b=2)]))
    bench.convert("VHDL", tmp_path)
    assert len(_signals) == known
