"""accel/control/cycle_accounts.py: a cycle is booked to the first reason of the documented order, and shown there."""

from itertools import chain

import numpy as np
from myhdl import always, always_comb, block

from radit.accel.config import BuildConfig
from radit.accel.control.cycle_accounts import Activity, classify_cycle, cycle_accounts
from radit.accel.control.registers import ACCOUNT_BITS, PHASES, account_of
from radit.accel.interfaces.signals import flag, word
from tests.units.bench import Bench, run_everywhere

CAUSING = [name for name in vars(Activity()) if name not in ("engine_phase", "computing")]
PHASE_BITS = 3
COUNT_BITS = 8


@block
def activity_bit(causes, bit, index):
    """One of the flags."""
    INDEX = index

    @always_comb
    def take():
        bit.next = causes[INDEX]

    return take


@block
def booked(clk, computing, phase, causes, account):
    """``classify_cycle`` with flat ports, its answer one cycle later."""
    activity, now = Activity(), word(ACCOUNT_BITS)
    activity.computing, activity.engine_phase = computing, phase
    bits = [activity_bit(causes, getattr(activity, name), i) for i, name in enumerate(CAUSING)]
    unit = classify_cycle(activity=activity, account=now, config=BuildConfig(max_text=1))

    @always(clk.posedge)
    def keep():
        account.next = now

    return bits, unit, keep


def cause_of(active: set[str]) -> str:
    """In the order of the table."""
    if "issues" in active:
        return "array"
    if active & {"held", "crowded"}:
        return "drain"
    if active & {"starved", "lacks_prompt"}:
        return "weights"
    if active & {"awaits_softmax", "streams"}:
        return "vector"
    if active & {"lacks_words", "loads"} or {"settles", "fills"} <= active:
        return "operands"
    if "normalizes" in active:
        return "vector"
    return "drain" if active & {"settles", "writes"} else "controller"


def test_every_cycle_has_its_account(rng):
    ports = dict(computing=flag(), phase=word(PHASE_BITS), causes=word(len(CAUSING)), account=word(ACCOUNT_BITS))
    bench = Bench(booked, ports)
    bits = [1 << i for i in range(len(CAUSING))]
    several = rng.integers(0, 1 << len(CAUSING), 200).tolist()
    causes = [0, *(a | b for a in bits for b in bits), *several]  # also few at a time, for the last of the order
    sent = [(int(rng.integers(2)), int(rng.integers(1, len(PHASES))), c) for c in causes]

    def drive():
        for bench.computing.next, bench.phase.next, bench.causes.next in chain(sent, sent[-1:]):
            yield bench.clk.posedge

    bench.simulate(drive)
    expected = [
        account_of(PHASES[phase] if computing else "pass", cause_of({n for i, n in enumerate(CAUSING) if c >> i & 1}))
        for computing, phase, c in sent
    ]
    assert bench.trace["account"][1 : len(expected) + 1] == expected
    run_everywhere(bench)


def test_accounts_count_while_running(rng):
    """One more in every cycle of ``running``, a cycle after it, none after ``clear``; shown a cycle after its
    ``position``."""
    ports = dict(clear=flag(), running=flag(), account=word(ACCOUNT_BITS), position=word(ACCOUNT_BITS))
    bench = Bench(cycle_accounts, {**ports, "shown": word(COUNT_BITS)})
    accounts = rng.integers(0, 1 << ACCOUNT_BITS, 8)
    counts, expected = np.zeros(1 << ACCOUNT_BITS, int), []

    def drive():
        booked = None
        for cycle in range(400):
            clear, running = cycle in (0, 200), bool(rng.random() < 0.7)
            account, position = int(rng.choice(accounts)), int(rng.choice(accounts))
            bench.clear.next, bench.running.next = clear, running
            bench.account.next, bench.position.next = account, position
            expected.append(int(counts[position]))
            if clear:
                counts[:] = 0
            elif booked is not None:
                counts[booked] += 1
            booked = account if running and not clear else None
            yield bench.clk.posedge

    bench.simulate(drive)
    assert bench.trace["shown"][101:391] == expected[100:390] and max(expected) > 10
    run_everywhere(bench)
