"""Compress-and-compare: RTL against golden everywhere, and the count of several inputs in a row."""

import pytest
import torch

from radit.accel.units.ccu import COUNT_LATENCY, LATENCY, ccu_unit
from radit.model.formats import ACT_BITS, BOUNDARY_BITS, CODE_BITS, CODE_CUT, CODE_LEVELS, COUNT_BITS
from radit.model.ops.ccu import changed, encode
from tests.units.bench import Bench, Vectors, flag, mixed, pack, reset, run_everywhere, unpack, word

NAMES = [f"b{i}" for i in range(1, CODE_LEVELS + 1)]
BOUNDARIES = [
    [2, 6, 12, 20, 40, 80, 160],
    [1, 1, 2, 2, 512, (1 << BOUNDARY_BITS) - 2, (1 << BOUNDARY_BITS) - 1],
    [5, 5, 5, 5, 5, 5, 5],
]


def make_bench(lanes):
    ports = dict(aresetn=reset(), src_valid=flag(), act=word(lanes * ACT_BITS))
    ports |= {name: word(BOUNDARY_BITS) for name in NAMES}
    ports |= dict(stored=word(lanes * CODE_BITS), clear=flag())
    ports |= dict(dst_valid=flag(), codes=word(lanes * CODE_BITS), count=word(COUNT_BITS))
    return Bench(ccu_unit, ports, lanes=lanes)


def draw(rng, boundaries, lanes, count):
    """Values at, just below and just above the boundaries, and any others; stored codes that often agree."""
    act = torch.tensor([mixed(rng, ACT_BITS, lanes) for _ in range(count)])
    near = [sign * (b << CODE_CUT) + offset for b in boundaries for offset in (-2, -1, 0, 1) for sign in (-1, 1)]
    for row in act[: count // 2]:
        for lane in range(lanes):
            row[lane] = max(-32768, min(32767, near[rng.integers(0, len(near))]))
    codes = encode(act, torch.tensor(boundaries))
    noise = torch.tensor(rng.integers(0, 16, (count, lanes)) * (rng.random((count, lanes)) < 0.4))
    noise[-1] = 1  # the last word shows when the count is final
    return act, codes, codes ^ noise


@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, boundaries, rng):
    bench = make_bench(lanes)
    act, codes, stored = draw(rng, boundaries, lanes, 120)
    fixed = dict(zip(NAMES, boundaries, strict=True))
    words = [
        dict(act=pack(a, ACT_BITS), stored=pack(s, CODE_BITS), clear=i == 0) | fixed
        for i, (a, s) in enumerate(zip(act.tolist(), stored.tolist(), strict=True))
    ]
    vectors = Vectors(bench, words, gaps=0.0)
    bench.simulate(vectors)
    assert vectors.latency() == LATENCY
    found = [unpack(value, CODE_BITS, lanes, signed=False) for (value,) in vectors.results("codes")]
    assert found == codes.tolist()
    last = max(i for i, v in enumerate(bench.trace["src_valid"]) if v)
    assert bench.trace["count"][last + COUNT_LATENCY] == changed(codes, stored).item() > 0
    assert bench.trace["count"][last + COUNT_LATENCY - 1] != bench.trace["count"][last + COUNT_LATENCY]
    run_everywhere(bench)


@pytest.mark.parametrize("clear_with_word", [False, True])
def test_clear_separates_inputs_that_follow_at_once(clear_with_word, rng):
    """Each input's count is right at the moment the next input's first word takes it over."""
    lanes, length, inputs = 4, 9, 6
    bench = make_bench(lanes)
    boundaries = BOUNDARIES[0]
    act, codes, stored = draw(rng, boundaries, lanes, inputs * length)
    counts = [changed(codes[i : i + length], stored[i : i + length]).item() for i in range(0, inputs * length, length)]

    def stimulus():
        for cycle in range(8):
            bench.aresetn.next = cycle >= 2
            yield bench.clk.posedge
        for name, value in zip(NAMES, boundaries, strict=True):
            bench.ports[name].next = value
        for i in range(inputs * length):
            bench.clear.next = i % length == 0
            if i % length == 0 and not clear_with_word:
                bench.src_valid.next = False
                yield bench.clk.posedge
                bench.clear.next = False
            bench.act.next = pack(act[i].tolist(), ACT_BITS)
            bench.stored.next = pack(stored[i].tolist(), CODE_BITS)
            bench.src_valid.next = True
            yield bench.clk.posedge
        bench.src_valid.next = False
        bench.clear.next = False
        for _ in range(8):
            yield bench.clk.posedge

    bench.simulate(stimulus)
    valid = [i for i, v in enumerate(bench.trace["src_valid"]) if v]
    lasts = valid[length - 1 :: length]
    assert [bench.trace["count"][last + COUNT_LATENCY] for last in lasts] == counts
    run_everywhere(bench)
