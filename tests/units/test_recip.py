"""recip_unit: RTL against golden on MyHDL, converted Verilog and converted VHDL; golden against float."""

import pytest
import torch

from radit.accel.units.recip import LATENCY, recip_unit
from radit.model.formats import MULT_BITS, PROB_SUM_BITS, RECIP_BITS, SHIFT_BITS
from radit.model.ops.recip import recip
from tests.units.bench import Bench, Vectors, flag, mixed, run_everywhere, word

LONGEST = (1 << SHIFT_BITS) - PROB_SUM_BITS  # largest gain_shift for every s


def make_bench():
    ports = dict(src_valid=flag(), s=word(PROB_SUM_BITS), gain=word(MULT_BITS), gain_shift=word(SHIFT_BITS))
    ports |= dict(dst_valid=flag(), mant=word(RECIP_BITS), shift=word(SHIFT_BITS))
    return Bench(recip_unit, ports)


@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_matches_golden(gaps, rng):
    powers = [v for n in range(PROB_SUM_BITS) for v in (1 << n, (2 << n) - 1)]
    values = powers + [max(1, v) for v in mixed(rng, PROB_SUM_BITS, 400, signed=False)]
    gains = mixed(rng, MULT_BITS, len(values), signed=False)
    words = [
        dict(s=s, gain=gain, gain_shift=(1, LONGEST)[i % 2] if i < 80 else int(rng.integers(1, LONGEST + 1)))
        for i, (s, gain) in enumerate(zip(values, gains, strict=True))
    ]
    bench = make_bench()
    vectors = Vectors(bench, words, gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    expected = [recip(torch.tensor(w["s"]), w["gain"], w["gain_shift"]) for w in words]
    found = vectors.results("mant", "shift")
    assert found == [(int(mant), int(shift)) for mant, shift in expected]
    assert len(found) == len(words) > 400
    run_everywhere(bench)


def test_every_sum_is_close_to_float():
    """All 2**20 - 1 values: relative error below 2**-13, with a normalized gain."""
    s = torch.arange(1, 1 << PROB_SUM_BITS)
    for gain in (1 << 15, 50000, (1 << 16) - 1):
        mant, shift = recip(s, gain, 10)
        exact = gain * 2.0**-10 / s.double()
        error = (mant.double() * torch.exp2(-shift.double()) * 1.0 / exact - 1).abs().max()
        assert error < 2.0**-13, f"gain {gain}: relative error {error}"
