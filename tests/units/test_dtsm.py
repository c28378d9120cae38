"""The reuse decision: sequences of decisions on several entries, RTL against golden everywhere."""

import pytest
import torch

from accel.config import bits_for
from accel.units.dtsm import LATENCY, STREAK_STEP_BITS, dtsm_unit
from model.formats import COUNT_BITS, FACTOR_BITS, STREAK_BITS, THRESHOLD_BITS
from model.ops.dtsm import DtsmRegisters, DtsmState, decide
from tests.units.bench import Bench, flag, reset, run_everywhere, word

ENTRIES = 5
REGISTERS = [
    DtsmRegisters(streak_step=16, tight=96, loose=128, max_streak=4),
    DtsmRegisters(streak_step=0, tight=255, loose=1, max_streak=63),
    DtsmRegisters(streak_step=300, tight=128, loose=255, max_streak=2),
    DtsmRegisters(streak_step=40, tight=128, loose=128, max_streak=0),
]


def make_bench():
    ports = dict(aresetn=reset(), start=flag(), index=word(bits_for(ENTRIES)), count=word(COUNT_BITS))
    ports |= dict(total=word(COUNT_BITS), threshold=word(THRESHOLD_BITS), forced=flag())
    ports |= dict(streak_step=word(STREAK_STEP_BITS), tight=word(FACTOR_BITS), loose=word(FACTOR_BITS))
    ports |= dict(max_streak=word(STREAK_BITS), new_image=flag(), done=flag(), reuse=flag())
    return Bench(dtsm_unit, ports, entries=ENTRIES)


def draw(rng, count):
    """Requests (new_image, index, count, total, threshold, forced): walks of slowly and quickly changing counts."""
    requests, level = [], [0] * ENTRIES
    total = (1 << COUNT_BITS) - 1
    for i in range(count):
        if i % 80 == 0:
            level = [0] * ENTRIES
            total = int(rng.choice([256, 5000, 200_000, (1 << COUNT_BITS) - 1]))
        entry = int(rng.integers(0, ENTRIES))
        stride = total // int(rng.choice([4, 30, 300]))
        level[entry] = int(min(total, max(0, level[entry] + rng.integers(-stride // 2, stride + 1))))
        if rng.random() < 0.05:
            level[entry] = int(rng.choice([0, total]))
        share = int(rng.choice([0, 1, 8000, 20_000, 40_000, (1 << THRESHOLD_BITS) - 1]))
        if rng.random() < 0.3:  # at the border: theta * total is close to count << 16
            share = min((1 << THRESHOLD_BITS) - 1, (level[entry] << THRESHOLD_BITS) // total + int(rng.integers(0, 2)))
        requests.append((i % 80 == 0, entry, level[entry], total, share, bool(rng.random() < 0.05)))
    return requests


def golden(requests, regs):
    state = [DtsmState.cleared() for _ in range(ENTRIES)]
    decisions = []
    for new_image, entry, count, total, threshold, forced in requests:
        if new_image:
            state = [DtsmState.cleared() for _ in range(ENTRIES)]
        reuse, state[entry] = decide(state[entry], torch.tensor(count), total, threshold, forced, regs)
        decisions.append(bool(reuse))
    return decisions


def run(requests, regs, pauses):
    """Play the requests; compare decisions and latency with golden; return the bench and the decisions."""
    bench = make_bench()

    def stimulus():
        for cycle in range(12):
            bench.aresetn.next = cycle >= 2
            yield bench.clk.posedge
        for name in ("streak_step", "tight", "loose", "max_streak"):
            bench.ports[name].next = getattr(regs, name)
        for request, pause in zip(requests, pauses, strict=True):
            if request[0]:
                bench.new_image.next = True
                yield bench.clk.posedge
                bench.new_image.next = False
            for name, value in zip(("index", "count", "total", "threshold", "forced"), request[1:], strict=True):
                bench.ports[name].next = value
            bench.start.next = True
            yield bench.clk.posedge
            bench.start.next = False
            for _ in range(LATENCY + pause):
                yield bench.clk.posedge

    trace = bench.simulate(stimulus)
    starts = [i for i, v in enumerate(trace["start"]) if v]
    ends = [i for i, v in enumerate(trace["done"]) if v]
    assert [end - start for start, end in zip(starts, ends, strict=True)] == [LATENCY] * len(requests)
    expected = golden(requests, regs)
    assert [bool(trace["reuse"][end]) for end in ends] == expected
    assert [bool(trace["reuse"][start]) for start in starts[1:]] == expected[:-1]
    return bench, expected


@pytest.mark.parametrize("regs", REGISTERS, ids=lambda r: f"step{r.streak_step}-max{r.max_streak}")
def test_matches_golden(regs, rng):
    requests = draw(rng, 240)
    pauses = rng.integers(0, 4, len(requests)) * (rng.random(len(requests)) < 0.3)
    bench, expected = run(requests, regs, pauses.tolist())
    if regs.max_streak:
        assert 20 < sum(expected) < len(requests) - 20
    run_everywhere(bench)


def test_longest_streak():
    """63 reuses in a row, on two entries in turn, then one computation."""
    requests = [(i == 0, i % 2, 0, 1000, 40_000, False) for i in range(134)]
    bench, expected = run(requests, DtsmRegisters(max_streak=63), [0] * len(requests))
    assert expected == [False] * 2 + [True] * 126 + [False] * 2 + [True] * 4
    run_everywhere(bench)
