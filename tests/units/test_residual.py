"""Gated residual add, and words that join the one before: RTL against golden on MyHDL, Verilog and VHDL."""

import pytest
import torch

from radit.accel.units.residual import LATENCY, residual_unit
from radit.model.formats import GATE_BITS, INT8_BITS, SHIFT_BITS, X_BITS
from radit.model.ops.residual import difference, residual_add, with_difference
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


def make_bench(lanes, with_offset=False):
    ports = dict(
        src_valid=flag(),
        x=word(lanes * X_BITS),
        branch=word(lanes * INT8_BITS),
        use_branch=flag(),
        joins=flag(),
        subtracts=flag(),
        gate=number(GATE_BITS),
        gate_shift=word(SHIFT_BITS),
        dst_valid=flag(),
        dst=word(lanes * X_BITS),
        saturated=flag(),
        **({"offset": number(X_BITS)} if with_offset else {}),
    )
    return Bench(residual_unit, ports, lanes=lanes)


LIMITS = [-32768, -32767, -1, 0, 1, 32766, 32767]
PAIRS = [(first, second) for first in LIMITS for second in LIMITS]
KINDS = ("use_branch", "joins", "subtracts", "gate", "gate_shift")
OFFSETS = [0, 1, -1, 32767, -32768]


def draw(rng, lanes, count, with_offset):
    """(x, branch, *KINDS, offset) per word: the cases above, with an offset each of these, and pairs at the limits in
    turn, then random ones."""
    offsets = OFFSETS if with_offset else [0]
    words = [([x] * lanes, [b] * lanes, True, False, False, g, s, e) for x, b, g, s in CASES for e in offsets]
    for first, second in PAIRS:
        for subtracts in (False, True):
            words.append(([first] * lanes, [1] * lanes, False, False, subtracts, 1, 1, offsets[-1]))
            words.append(([second] * lanes, [1] * lanes, False, True, subtracts, 1, 1, offsets[-1]))
    gates = mixed(rng, GATE_BITS, count)
    for gate in gates:
        shift = int(rng.integers(1, 64)) if rng.random() < 0.3 else int(rng.integers(4, 16))
        branch = [max(-127, value) for value in mixed(rng, INT8_BITS, lanes)]
        kind = rng.choice(["branch", "none", "joins"], p=[0.5, 0.2, 0.3])
        subtracts = bool(rng.random() < 0.5)
        kinds = kind == "branch", kind == "joins", subtracts
        offset = int(mixed(rng, X_BITS, 1)[0]) if with_offset else 0
        words.append((mixed(rng, X_BITS, lanes), branch, *kinds, gate, shift, offset))
    return words


def golden(words):
    """The new x of every word and whether a lane was clamped; a word may join the one before. Only what is added to a
    branch has an offset."""
    found, before = [], torch.tensor([0])
    for x, branch, use_branch, joins, subtracts, gate, gate_shift, offset in words:
        x, branch, gate = (torch.tensor(part) for part in (x, branch, gate))
        exact = x + round_shift(branch * gate, gate_shift) + offset if use_branch else x
        result = residual_add(x, branch, gate, gate_shift, offset) if use_branch else x
        if joins:
            exact = before - x if subtracts else before + x
            result = difference(before, x) if subtracts else with_difference(x, before)
        found.append((result.tolist(), bool((exact != result).any())))
        before = result
    return found


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lanes, with_offset", [(4, False), (16, False), (4, True)])
def test_matches_golden(lanes, with_offset, gaps, rng):
    bench = make_bench(lanes, with_offset)
    drawn = draw(rng, lanes, 150, with_offset)
    kinds = (*KINDS, "offset") if with_offset else KINDS
    words = [
        dict(x=pack(x, X_BITS), branch=pack(branch, INT8_BITS)) | dict(zip(kinds, rest, strict=False))
        for x, branch, *rest in drawn
    ]
    vectors = Vectors(bench, words, gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [(unpack(dst, X_BITS, lanes), bool(over)) for dst, over in vectors.results("dst", "saturated")]
    assert found == golden(drawn)
    assert {over for _, over in found} == {False, True}
    run_everywhere(bench)
