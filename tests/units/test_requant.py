"""requant_unit: RTL against golden on MyHDL, converted Verilog and converted VHDL, per channel and per token."""

import pytest
import torch

from radit.accel.units.requant import LATENCY, requant_unit
from radit.model.formats import ACC_BITS, BIAS_BITS, INT8_BITS, MULT_BITS, SHIFT_BITS, WIDE_BITS
from radit.model.ops.requant import requant, requant_wide
from radit.model.ops.rounding import round_shift
from tests.units.bench import Bench, Vectors, flag, mixed, number, pack, run_everywhere, unpack, word

TOP = (1 << (ACC_BITS - 1)) - 1
CASES = [  # acc, bias, mult, shift: ties, both limits, products far beyond 32 bits, shift 0, 1 and 63
    (1, 0, 1, 1),
    (-1, 0, 1, 1),
    (3, 2, 1, 1),
    (-3, -2, 1, 1),
    (3, 0, 1 << 15, 16),
    (-3, 0, 1 << 15, 16),
    (TOP, TOP, (1 << 16) - 1, 1),
    (-TOP - 1, -TOP - 1, (1 << 16) - 1, 1),
    (TOP, TOP, (1 << 16) - 1, 63),
    (-TOP - 1, -TOP - 1, (1 << 16) - 1, 63),
    (TOP, TOP, (1 << 16) - 1, 41),
    (-TOP - 1, -TOP - 1, (1 << 16) - 1, 33),
    (TOP, -TOP - 1, (1 << 16) - 1, 17),
    (255, 0, 1, 1),
    (-255, 0, 1, 1),
    (0, 0, 0, 1),
    (7, 0, 3, 0),
    (-7, 0, 3, 0),
]


def make_bench(lanes):
    ports = dict(src_valid=flag(), acc=word(lanes * ACC_BITS), bias=number(BIAS_BITS), mult=word(MULT_BITS))
    ports |= dict(shift=word(SHIFT_BITS), per_token=flag())
    ports |= dict(token_mult=word(lanes * MULT_BITS), token_shift=word(lanes * SHIFT_BITS), dst_valid=flag())
    ports |= dict(wide=word(lanes * WIDE_BITS), narrow=word(lanes * INT8_BITS), saturated=word(lanes))
    return Bench(requant_unit, ports, lanes=lanes)


def draw(rng, lanes, count):
    """(acc, bias, mult, shift, per_token, token_mult, token_shift) per word: the cases in turn, then random."""
    words = []
    for acc, bias, mult, shift in CASES:
        words.append(([acc] * lanes, bias, mult, shift, False, [0] * lanes, [1] * lanes))
        words.append(([acc] * lanes, 99, 1, 2, True, [mult] * lanes, [shift] * lanes))
    biases, mults = mixed(rng, BIAS_BITS, count), mixed(rng, MULT_BITS, count, signed=False)
    for bias, mult in zip(biases, mults, strict=True):
        low, high = (1, 64) if rng.random() < 0.3 else (8, 40)
        acc = mixed(rng, ACC_BITS, lanes)
        token_mult = mixed(rng, MULT_BITS, lanes, signed=False)
        shifts = rng.integers(low, high, lanes + 1).tolist()
        words.append((acc, bias, mult, shifts[0], bool(rng.random() < 0.5), token_mult, shifts[1:]))
    return words


def golden(acc, bias, mult, shift, per_token, token_mult, token_shift):
    """Shift 0 acts as 1."""
    shift, token_shift = max(shift, 1), [max(each, 1) for each in token_shift]
    if per_token:
        bias, mult, shift = 0, torch.tensor(token_mult), torch.tensor(token_shift)
    arguments = torch.tensor(acc), bias, mult, shift
    wide = requant_wide(*arguments)
    clamped = wide != round_shift((arguments[0] + bias) * mult, shift)
    return wide.tolist(), requant(*arguments).tolist(), clamped.tolist()


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, gaps, rng):
    bench = make_bench(lanes)
    drawn = draw(rng, lanes, 150)
    words = [
        dict(acc=pack(acc, ACC_BITS), bias=bias, mult=mult, shift=shift, per_token=per_token)
        | dict(token_mult=pack(token_mult, MULT_BITS), token_shift=pack(token_shift, SHIFT_BITS))
        for acc, bias, mult, shift, per_token, token_mult, token_shift in drawn
    ]
    vectors = Vectors(bench, words, gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [
        (
            unpack(wide, WIDE_BITS, lanes),
            unpack(narrow, INT8_BITS, lanes),
            [bool(clamped >> i & 1) for i in range(lanes)],
        )
        for wide, narrow, clamped in vectors.results("wide", "narrow", "saturated")
    ]
    assert found == [golden(*values) for values in drawn]
    assert len(found) == 150 + 2 * len(CASES)
    run_everywhere(bench)
