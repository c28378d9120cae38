"""Gated residual add: RTL against golden on MyHDL, converted Verilog and converted VHDL."""

import pytest
import torch

from radit.accel.units.residual import LATENCY, residual_unit
from radit.model.formats import GATE_BITS, INT8_BITS, SHIFT_BITS, X_BITS
from radit.model.ops.residual import residual_add
from radit.model.ops.rounding import round_shift
from tests.units.bench import Bench, Vectors, flag, mixed, number, pack, run_everywhere, unpack, word

CASES = [  # x, branch, gate, gate_shift: ties, both limits, the largest product, the largest shift
    (0, 1, 1, 1),
    (0, -1, 1, 1),
    (5, 3, -1, 1),
    (0, -3, 2, 2),
    (32767, 1, 1, 1),
    (-32768, -3, 1, 1),
    (32767, 127, 32767, 1),
    (-32768, 127, -32768, 1),
    (-1, -127, -32768, 22),
    (100, 127, 32767, 63),
    (100, -127, 32767, 63),
]


def make_bench(lanes):
    ports = dict(
        src_valid=flag(),
        x=word(lanes * X_BITS),
        branch=word(lanes * INT8_BITS),
        use_branch=flag(),
        gate=number(GATE_BITS),
        gate_shift=word(SHIFT_BITS),
        dst_valid=flag(),
        dst=word(lanes * X_BITS),
        saturated=flag(),
    )
    return Bench(residual_unit, ports, lanes=lanes)


def draw(rng, lanes, count):
    """(x, branch, use_branch, gate, gate_shift) per word: the cases above in turn, then random ones."""
    words = [([x] * lanes, [b] * lanes, True, g, s) for x, b, g, s in CASES]
    gates = mixed(rng, GATE_BITS, count)
    for gate in gates:
        shift = int(rng.integers(1, 64)) if rng.random() < 0.3 else int(rng.integers(4, 16))
        branch = [max(-127, value) for value in mixed(rng, INT8_BITS, lanes)]
        words.append((mixed(rng, X_BITS, lanes), branch, bool(rng.random() < 0.8), gate, shift))
    return words


def golden(x, branch, use_branch, gate, gate_shift):
    """The new x of a word and whether a lane was clamped."""
    x = torch.tensor(x)
    if not use_branch:
        return x.tolist(), False
    branch, gate = torch.tensor(branch), torch.tensor(gate)
    result = residual_add(x, branch, gate, gate_shift)
    exact = x + round_shift(branch * gate, gate_shift)
    return result.tolist(), bool((exact != result).any())


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, gaps, rng):
    bench = make_bench(lanes)
    drawn = draw(rng, lanes, 150)
    names = ("use_branch", "gate", "gate_shift")
    words = [
        dict(x=pack(x, X_BITS), branch=pack(branch, INT8_BITS)) | dict(zip(names, rest, strict=True))
        for x, branch, *rest in drawn
    ]
    vectors = Vectors(bench, words, gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [(unpack(dst, X_BITS, lanes), bool(over)) for dst, over in vectors.results("dst", "saturated")]
    assert found == [golden(*values) for values in drawn]
    assert {over for _, over in found} == {False, True}
    run_everywhere(bench)
