"""Reciprocal square root: golden against float, RTL against golden everywhere."""

import numpy as np
import pytest
import torch

from radit.accel.units.rsqrt import LATENCY, Q_BITS, rsqrt_unit
from radit.model.formats import RSQRT_BITS, VAR_BITS
from radit.model.ops.rsqrt import rsqrt
from tests.units.bench import Bench, Vectors, flag, run_everywhere, word

ERROR_BOUND = 2.0**-14


def draw(rng, count):
    """Powers of two and their neighbours, perfect squares, and values of every magnitude."""
    limit = (1 << VAR_BITS) - 1
    edges = [1, 2, 3, limit, limit - 1]
    edges += [(1 << k) + offset for k in range(2, VAR_BITS) for offset in (-1, 0, 1)]
    roots = [int(root) ** 2 for root in rng.integers(1, 1 << (VAR_BITS // 2), 20)]
    scale = np.exp2(rng.uniform(0, VAR_BITS, count))
    return edges + roots + [min(limit, max(1, int(value))) for value in scale]


def test_golden_error_is_bounded(rng):
    w = torch.tensor(draw(rng, 200_000))
    mant, q = rsqrt(w)
    found = mant.double() * torch.exp2(-15.0 - q.double())
    error = (found * w.double().sqrt() - 1).abs().max().item()
    assert 2.0**-20 < error < ERROR_BOUND


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_matches_golden(gaps, rng):
    ports = dict(
        src_valid=flag(), w=word(VAR_BITS), dst_valid=flag(), mant=word(RSQRT_BITS), q=word(Q_BITS)
    )  # fmt: skip
    bench = Bench(rsqrt_unit, ports)
    values = draw(rng, 400)
    vectors = Vectors(bench, [dict(w=value) for value in values], gaps=gaps)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    mant, q = rsqrt(torch.tensor(values))
    assert vectors.results("mant", "q") == list(zip(mant.tolist(), q.tolist(), strict=True))
    run_everywhere(bench)
