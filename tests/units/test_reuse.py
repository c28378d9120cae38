"""Forecast of a reused branch, or stream: RTL against golden on MyHDL, converted Verilog and converted VHDL."""

import pytest
import torch

from radit.accel.units.reuse import LATENCY, reuse_unit
from radit.model.formats import GAIN_BITS, INT8_BITS, SLOPE_BITS, SLOPE_CUT, SLOPE_FRAC, STREAK_BITS, X_BITS
from radit.model.ops.reuse import BRANCH, SLOPE_MAX, STREAM, coefficient, reuse
from tests.units.bench import Bench, Vectors, flag, mixed, pack, run_everywhere, unpack, word

ONE = 1 << SLOPE_FRAC
CASES = [  # F, F', slope: ties of both signs, both limits and the values beside them, the largest product
    (0, -1, ONE // 2),
    (0, 1, ONE // 2),
    (5, 4, ONE // 2 - 1),
    (5, 6, ONE // 2 + 1),
    (127, 126, ONE // 2 - 1),
    (127, 126, ONE // 2),
    (-127, -126, ONE // 2),
    (-127, -126, ONE // 2 + 1),
    (64, 1, ONE),
    (64, 0, ONE),
    (-64, -1, ONE),
    (-64, 0, ONE),
    (127, -127, SLOPE_MAX),
    (-127, 127, SLOPE_MAX),
    (127, 127, SLOPE_MAX),
    (-127, 127, 1),
    (127, -127, 0),
    (-127, 127, 0),
]
TOP = STREAM[1]
STREAMS = [*CASES, (TOP, TOP - 1, ONE // 2 - 1), (TOP, TOP - 1, ONE // 2), (-TOP - 1, -TOP, ONE // 2)]
STREAMS += [(-TOP - 1, -TOP, ONE // 2 + 1), (TOP, -TOP - 1, SLOPE_MAX), (-TOP - 1, TOP, SLOPE_MAX), (TOP, -TOP - 1, 0)]
WIDTHS = {False: INT8_BITS, True: X_BITS}


def make_bench(lanes):
    width = lanes * X_BITS
    ports = dict(src_valid=flag(), latest=word(width), previous=word(width), slope=word(SLOPE_BITS), is_stream=flag())
    results = dict(dst_valid=flag(), stream=word(width), branch=word(lanes * INT8_BITS))
    return Bench(reuse_unit, ports | results, lanes=lanes)


def draw(rng, lanes, count, is_stream):
    """(F, F', slope) per word: the cases above in turn, then random ones."""
    words = [([latest] * lanes, [before] * lanes, slope) for latest, before, slope in (STREAMS if is_stream else CASES)]
    lowest = -(1 << (X_BITS - 1)) if is_stream else -127
    for slope in mixed(rng, SLOPE_BITS, count, signed=False):
        latest, before = ([max(lowest, value) for value in mixed(rng, WIDTHS[is_stream], lanes)] for _ in range(2))
        words.append((latest, before, slope if rng.random() < 0.7 else int(rng.choice([0, ONE // 3, ONE]))))
    return words


def golden(latest, before, slope, is_stream):
    limits = STREAM if is_stream else BRANCH
    return reuse(torch.tensor(latest)[None], torch.tensor(before)[None], torch.tensor(slope), limits)[0].tolist()


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lanes", [4, 16])
@pytest.mark.parametrize("is_stream", [False, True], ids=["branch", "stream"])
def test_matches_golden(lanes, gaps, is_stream, rng):
    bench, drawn, bits = make_bench(lanes), draw(rng, lanes, 150, is_stream), WIDTHS[is_stream]
    words = [
        dict(latest=pack(latest, bits), previous=pack(before, bits), slope=slope, is_stream=is_stream)
        for latest, before, slope in drawn
    ]
    vectors = Vectors(bench, words, gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [unpack(value, bits, lanes) for (value,) in vectors.results("stream" if is_stream else "branch")]
    assert found == [golden(*values, is_stream) for values in drawn]
    assert all(word == latest for word, (latest, _, slope) in zip(found, drawn, strict=True) if not slope)
    assert any(
        (STREAM if is_stream else BRANCH)[1] in word and latest != word
        for word, (latest, _, _) in zip(found, drawn, strict=True)
    )
    run_everywhere(bench)


def test_coefficient_is_the_share_of_the_way_within_its_last_bit():
    """gain * k / gap, cut, with an inverse that is half a bit off at most; saturated just below 8."""
    steps, gap = torch.meshgrid(torch.arange(1, 1 << STREAK_BITS), torch.arange(1, 1 << STREAK_BITS), indexing="ij")
    for gain in (1, 64, 128, (1 << GAIN_BITS) - 1):
        found = coefficient(steps, gap, gain).double()
        exact = (gain / (1 << (GAIN_BITS - 1)) * steps.double() / gap * ONE).clamp(max=SLOPE_MAX)
        off = steps * gain / (1 << (SLOPE_CUT + 1))
        assert ((found - exact).abs() <= 1 + off).all() and found.max() <= SLOPE_MAX
    assert not coefficient(steps, torch.zeros_like(gap), 128).any() and not coefficient(steps, gap, 0).any()
    assert coefficient(torch.tensor(2), torch.tensor(2), 128) == ONE
