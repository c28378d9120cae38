"""gelu_unit: RTL against golden on MyHDL, converted Verilog and converted VHDL; golden against float."""

import pytest
import torch

from radit.accel.units.gelu import LATENCY, gelu_unit
from radit.model.formats import AFTER_BITS, GELU_FRAC, INT8_BITS, PHI_STEP_BITS, SHIFT_BITS, WIDE_BITS
from radit.model.ops.gelu import gelu, gelu_int8
from tests.units.bench import Bench, Vectors, edge_values, flag, mixed, pack, run_everywhere, unpack, word

MOST = (1 << AFTER_BITS) - 1
HALF = 1 << (AFTER_BITS - 1)
SCALES = [(HALF, 1), (MOST, 1), (MOST, 63), (HALF, 63), (1, 1), (0, 1), (HALF, 9), (HALF, 18), (MOST, 20)]


def make_bench(lanes):
    ports = dict(src_valid=flag(), u=word(lanes * WIDE_BITS), mult=word(AFTER_BITS), shift=word(SHIFT_BITS))
    ports |= dict(dst_valid=flag(), dst=word(lanes * INT8_BITS))
    return Bench(gelu_unit, ports, lanes=lanes)


def draw(rng, lanes, count):
    """(u, mult, shift) per word: edges of u at every scale above, then random ones near and far from zero."""
    last = 255 << PHI_STEP_BITS
    edges = edge_values(WIDE_BITS) + [sign * (last + step) for sign in (1, -1) for step in (-1, 0, 1, 15, 16)]
    edges += edges[: -len(edges) % lanes]
    groups = [edges[i : i + lanes] for i in range(0, len(edges), lanes)]
    words = [(group, mult, shift) for mult, shift in SCALES for group in groups]
    for _ in range(count):
        u = mixed(rng, WIDE_BITS, lanes) if rng.random() < 0.3 else rng.integers(-5000, 5000, lanes).tolist()
        words.append((u, int(rng.integers(HALF // 4, MOST + 1)), int(rng.integers(12, 22))))
    return words


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, gaps, rng):
    bench = make_bench(lanes)
    drawn = draw(rng, lanes, 150)
    vectors = Vectors(bench, [dict(u=pack(u, WIDE_BITS), mult=m, shift=s) for u, m, s in drawn], gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [unpack(dst, INT8_BITS, lanes) for (dst,) in vectors.results("dst")]
    assert found == [gelu_int8(torch.tensor(u), mult, shift).tolist() for u, mult, shift in drawn]
    assert len(found) > 150
    run_everywhere(bench)


def test_every_input_is_close_to_float():
    """All 2**16 inputs against the tanh form: within 1/64, the step of the Phi table times its slope times u."""
    u = torch.arange(-(1 << (WIDE_BITS - 1)), 1 << (WIDE_BITS - 1))
    exact = torch.nn.functional.gelu(u.double() * 2.0**-GELU_FRAC, approximate="tanh")
    error = (gelu(u).double() * 2.0**-GELU_FRAC - exact).abs()
    assert error.max() < 0.005, f"largest error {error.max()}"
    assert error.mean() < 0.0005
