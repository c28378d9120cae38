"""The reuse decision: sequences of decisions on several entries, RTL against golden everywhere."""

from dataclasses import dataclass

import pytest
import torch

from radit.accel.config import bits_for
from radit.accel.units.dtsm import LATENCY, STREAK_STEP_BITS, dtsm_unit
from radit.model.formats import (
    COUNT_BITS,
    FACTOR_BITS,
    GAIN_BITS,
    SLOPE_BITS,
    STREAK_BITS,
    THRESHOLD_BITS,
)
from radit.model.ops.dtsm import DtsmRegisters, DtsmState, decide
from radit.model.ops.reuse import coefficient
from tests.units.bench import Bench, flag, reset, run_everywhere, word

ENTRIES = 5
NAMES = ("index", "count", "total", "threshold", "forced", "gain", "follows", "lead")
REGISTERS = [
    DtsmRegisters(streak_step=16, tight=96, loose=128, max_streak=4, slope_max=300),
    DtsmRegisters(streak_step=0, tight=255, loose=1, max_streak=63),
    DtsmRegisters(streak_step=300, tight=128, loose=255, max_streak=2),
    DtsmRegisters(streak_step=40, tight=128, loose=128, max_streak=0),
]


def make_bench():
    ports = dict(aresetn=reset(), start=flag(), index=word(bits_for(ENTRIES)), count=word(COUNT_BITS))
    ports |= dict(total=word(COUNT_BITS), threshold=word(THRESHOLD_BITS), forced=flag(), gain=word(GAIN_BITS))
    ports |= dict(streak_step=word(STREAK_STEP_BITS), tight=word(FACTOR_BITS), loose=word(FACTOR_BITS))
    ports |= dict(max_streak=word(STREAK_BITS), new_image=flag(), done=flag(), reuse=flag())
    ports |= dict(slope=word(SLOPE_BITS), slot=flag(), slope_max=word(SLOPE_BITS), follows=flag(), lead=flag())
    return Bench(dtsm_unit, ports, entries=ENTRIES)


def draw(rng, count):
    """Requests (new_image, *NAMES): counts that change slowly or quickly."""
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
        gain = int(rng.choice([0, 1, 100, 128, (1 << GAIN_BITS) - 1]))
        follows, lead = bool(rng.random() < 0.25), bool(rng.random() < 0.5)
        requests.append(
            (i % 80 == 0, entry, level[entry], total, share, bool(rng.random() < 0.05), gain, follows, lead)
        )
    return requests


@dataclass(frozen=True)
class Decision:
    """What the unit answers."""

    reuse: bool
    slope: int
    slot: bool


def golden(requests, regs):
    state, slots, decisions = [], [], []
    for new_image, entry, count, total, threshold, forced, gain, follows, lead in requests:
        if new_image:
            state, slots = [DtsmState.cleared() for _ in range(ENTRIES)], [True] * ENTRIES
        led = torch.tensor(lead) if follows else None
        reuse, state[entry] = decide(state[entry], torch.tensor(count), total, threshold, forced, regs, led)
        slots[entry] ^= not reuse
        slope = int(coefficient(state[entry].streak, state[entry].gap, gain, regs.slope_max)) if reuse else 0
        decisions.append(Decision(bool(reuse), slope, bool(slots[entry])))
    return decisions


def shown(trace, cycle):
    """The answer on the ports."""
    return Decision(bool(trace["reuse"][cycle]), trace["slope"][cycle], bool(trace["slot"][cycle]))


def run(requests, regs, pauses):
    """Play the requests; compare decisions and latency with golden; return the bench and the decisions."""
    bench = make_bench()

    def stimulus():
        for cycle in range(12):
            bench.aresetn.next = cycle >= 2
            yield bench.clk.posedge
        for name in ("streak_step", "tight", "loose", "max_streak", "slope_max"):
            bench.ports[name].next = getattr(regs, name)
        for request, pause in zip(requests, pauses, strict=True):
            if request[0]:
                bench.new_image.next = True
                yield bench.clk.posedge
                bench.new_image.next = False
            for name, value in zip(NAMES, request[1:], strict=True):
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
    assert [shown(trace, end) for end in ends] == expected
    assert [shown(trace, start) for start in starts[1:]] == expected[:-1]
    return bench, expected


@pytest.mark.parametrize("regs", REGISTERS, ids=lambda r: f"step{r.streak_step}-max{r.max_streak}")
def test_matches_golden(regs, rng):
    requests = draw(rng, 240)
    pauses = rng.integers(0, 4, len(requests)) * (rng.random(len(requests)) < 0.3)
    bench, expected = run(requests, regs, pauses.tolist())
    if regs.max_streak:
        assert 20 < sum(decision.reuse for decision in expected) < len(requests) - 20
        assert sum(decision.slope > 0 for decision in expected) > 10
        assert any(decision.slot for decision in expected)
    run_everywhere(bench)


def test_longest_streak():
    """63 reuses in a row, on two entries in turn, then one computation; without a slope in the first run of reuses."""
    requests = [(i == 0, i % 2, 0, 1000, 40_000, False, 128, False, False) for i in range(134)]
    bench, expected = run(requests, DtsmRegisters(max_streak=63), [0] * len(requests))
    reuses = [decision.reuse for decision in expected]
    assert reuses == [False] * 2 + [True] * 126 + [False] * 2 + [True] * 4
    assert [decision.slope for decision in expected[:130]] == [0] * 130
    assert [decision.slope for decision in expected[130:]] == [128 * 65 >> 11] * 2 + [2 * 128 * 65 >> 11] * 2
    assert [decision.slot for decision in expected] == [False] * 128 + [True] * 6
    run_everywhere(bench)


def test_slope_saturates_after_two_computations_in_a_row():
    """A gap of one timestep, then ever longer streaks: gain * k reaches the largest slope."""
    forced = [i in (0, 1, 40, 41) for i in range(60)]
    requests = [(i == 0, 1, 0, 1000, 40_000, force, 255, False, False) for i, force in enumerate(forced)]
    bench, expected = run(requests, DtsmRegisters(max_streak=63), [0] * len(requests))
    slopes = [decision.slope for decision in expected]
    assert (
        slopes[:2] == [0, 0] and slopes[2:6] == [255 * 2 * k for k in (1, 2, 3, 4)] and slopes[6] == slopes[39] == 2047
    )
    assert slopes[40:42] == [0, 0] and slopes[42] == 255 * 2
    assert [decision.slot for decision in expected] == [False] + [True] * 39 + [False] + [True] * 19
    run_everywhere(bench)
