"""Modulation and quantization: RTL against golden on MyHDL, converted Verilog and converted VHDL."""

import pytest
import torch

from radit.accel.units.modulate import LATENCY, modulate_unit
from radit.model.formats import ACT_BITS, INT8_BITS, LN_BITS, MOD_BITS, SHIFT_BITS
from radit.model.ops.modulate import modulate, quantize
from radit.model.ops.rounding import round_shift
from tests.units.bench import Bench, Vectors, flag, mixed, number, pack, run_everywhere, unpack, word

CASES = [  # y, scale, shift, mod_shift: ties, int8 and 16-bit limits, the largest product, the largest shift
    (1, 1, 0, 1),
    (-1, 1, 0, 1),
    (3, -1, 32, 1),
    (0, 0, 31, 1),
    (0, 0, -32, 1),
    (0, 0, -33, 1),
    *((0, 0, 127 * 64 + offset, 4) for offset in (-33, -32, 31, 32)),
    *((0, 0, -127 * 64 + offset, 4) for offset in (-33, -32, 31, 32)),
    (-32768, -32768, 32767, 1),
    (-32768, -32768, -32768, 15),
    (-32768, 32767, -32768, 1),
    (32767, 32767, 0, 63),
    (-32767, 32767, 0, 63),
]


def make_bench(lanes):
    ports = dict(
        src_valid=flag(),
        y=word(lanes * LN_BITS),
        scale=number(MOD_BITS),
        shift=number(MOD_BITS),
        mod_shift=word(SHIFT_BITS),
        dst_valid=flag(),
        act=word(lanes * ACT_BITS),
        quantized=word(lanes * INT8_BITS),
        saturated=flag(),
    )
    return Bench(modulate_unit, ports, lanes=lanes)


def draw(rng, lanes, count):
    """(y, scale, shift, mod_shift) per word: the cases above in turn, then random ones."""
    words = [([y] * lanes, *rest) for y, *rest in CASES]
    for scale, shift in zip(mixed(rng, MOD_BITS, count), mixed(rng, MOD_BITS, count), strict=True):
        mod_shift = int(rng.integers(1, 64)) if rng.random() < 0.3 else int(rng.integers(8, 20))
        words.append((mixed(rng, LN_BITS, lanes), scale, shift, mod_shift))
    return words


def golden(y, scale, shift, mod_shift):
    y, scale, shift = torch.tensor(y), torch.tensor(scale), torch.tensor(shift)
    act = modulate(y, scale, shift, mod_shift)
    exact = round_shift(y * scale, mod_shift) + shift
    return act.tolist(), quantize(act).tolist(), bool((exact != act).any())


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, gaps, rng):
    bench = make_bench(lanes)
    drawn = draw(rng, lanes, 150)
    words = [dict(y=pack(y, LN_BITS), scale=scale, shift=s, mod_shift=m) for y, scale, s, m in drawn]
    vectors = Vectors(bench, words, gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    results = vectors.results("act", "quantized", "saturated")
    found = [(unpack(a, ACT_BITS, lanes), unpack(q, INT8_BITS, lanes), bool(over)) for a, q, over in results]
    assert found == [golden(*values) for values in drawn]
    assert {over for *_, over in found} == {False, True}
    run_everywhere(bench)
