"""Splitting and joining words: every bit keeps its place, signed lanes keep their sign."""

import pytest
from myhdl import always, block

from radit.accel.interfaces.signals import signed
from radit.accel.interfaces.signals import word as unsigned
from radit.accel.units.lanes import pack as pack_lanes
from radit.accel.units.lanes import signal_list, unpack
from tests.units.bench import Bench, Vectors, flag, mixed, pack, run_everywhere, word
from tests.units.bench import unpack as split

BITS, WIDE = 8, 10


@block
def widen(clk, src_valid, src, dst_valid, kept, wider, sign_kept, sign_wider, lanes):
    """Both kinds of lanes through a clocked process, at their own and at a larger width."""
    LANES = lanes
    plain = signal_list(unsigned, BITS, lanes)
    twos = signal_list(signed, BITS, lanes)
    plain_same = signal_list(unsigned, BITS, lanes)
    plain_wide = signal_list(unsigned, WIDE, lanes)
    twos_same = signal_list(signed, BITS, lanes)
    twos_wide = signal_list(signed, WIDE, lanes)
    splits = unpack(src, plain, signed=False), unpack(src, twos, signed=True)
    joins = [
        pack_lanes(plain_same, kept),
        pack_lanes(plain_wide, wider),
        pack_lanes(twos_same, sign_kept),
        pack_lanes(twos_wide, sign_wider),
    ]

    @always(clk.posedge)
    def move():
        dst_valid.next = src_valid
        if src_valid:
            for i in range(LANES):
                plain_same[i].next = plain[i]
                plain_wide[i].next = plain[i]
                twos_same[i].next = twos[i]
                twos_wide[i].next = twos[i]

    return splits, joins, move


@pytest.mark.parametrize("lanes", [4, 16])
def test_words_keep_their_lanes(lanes, rng):
    outputs = dict(kept=BITS, wider=WIDE, sign_kept=BITS, sign_wider=WIDE)
    ports = dict(src_valid=flag(), src=word(lanes * BITS), dst_valid=flag())
    bench = Bench(widen, ports | {name: word(lanes * bits) for name, bits in outputs.items()}, lanes=lanes)
    rows = [mixed(rng, BITS, lanes) for _ in range(60)]
    vectors = Vectors(bench, [dict(src=pack(row, BITS)) for row in rows], gaps=0.3)
    bench.simulate(vectors)
    results = vectors.results(*outputs)
    assert len(results) == len(rows)
    for row, (kept, wider, sign_kept, sign_wider) in zip(rows, results, strict=True):
        assert kept == sign_kept == pack(row, BITS)
        assert split(wider, WIDE, lanes) == [value & 255 for value in row]
        assert split(sign_wider, WIDE, lanes) == row
    run_everywhere(bench)
