"""The forecast's place: RTL against golden."""

import pytest
import torch

from accel.units.reuse import LATENCY, reuse_unit
from model.formats import INT8_BITS
from model.ops.reuse import reuse
from tests.units.bench import Bench, Vectors, flag, mixed, pack, run_everywhere, unpack, word


@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, rng):
    width = lanes * INT8_BITS
    bench = Bench(reuse_unit, dict(src_valid=flag(), cached=word(width), dst_valid=flag(), branch=word(width)))
    tokens = [mixed(rng, INT8_BITS, lanes) for _ in range(100)]
    vectors = Vectors(bench, [dict(cached=pack(t, INT8_BITS)) for t in tokens], gaps=0.3)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [unpack(value, INT8_BITS, lanes) for (value,) in vectors.results("branch")]
    assert found == reuse(torch.tensor(tokens)).tolist()
    run_everywhere(bench)
