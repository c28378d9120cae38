"""accel/control/register_file.py: counters of every width count the same events, as far as they reach."""

from dataclasses import replace

import pytest
from myhdl import always_comb, block

from radit.accel.config import BuildConfig
from radit.accel.control.register_file import Events, counters
from radit.accel.control.registers import COUNTER_ADDRESS, COUNTER_BASE, EVENTS, built_events
from radit.accel.export.convert import convert
from radit.accel.interfaces.signals import flag, word
from radit.cosim.engines import open_engine
from radit.model.errors import UserError
from radit.model.system.processes import in_thread
from tests.units.bench import Bench, run_everywhere

NAMES = list(EVENTS)
ALL = {"max_text": 1, "max_frames": 1}
ACCOUNT, ACCOUNT_BITS = 5, 6


class Port:
    """Address and data of the host's reads; writes as well."""

    def __init__(self, addr, rdata, write=None, wdata=None):
        self.addr, self.rdata, self.write, self.wdata = addr, rdata, write, wdata


class Host:
    """Whether the machine runs, and what it is told."""

    def __init__(self, running, start=None, new_image=None):
        self.running, self.start, self.new_image = running, start, new_image


@block
def event_bit(happens, bit, index):
    """One of the events."""
    INDEX = index

    @always_comb
    def take():
        bit.next = happens[INDEX]

    return take


@block
def counted(clk, clear, running, happens, account, addr, rdata, bits, build):
    """``counters`` with flat ports."""
    events = Events()
    taken = [event_bit(happens, getattr(events, name), NAMES.index(name)) for name in built_events(build)]
    unit = counters(
        clk=clk, clear=clear, reg=Port(addr, rdata), host=Host(running), events=events, account=account,
        counted=rdata, config=replace(build, counters=bits),
    )  # fmt: skip
    return taken, unit


@pytest.mark.parametrize("bits, more", [(32, ALL), (64, ALL), (64, {"max_frames": 1}), (64, {"max_text": 1})])
def test_events_are_read_as_counted(bits, more, rng):
    """Low words; upper words read as 0. Those that a build has not are not looked at."""
    build = BuildConfig(**more)
    ports = dict(clear=flag(), running=flag(), happens=word(len(NAMES)), account=word(ACCOUNT_BITS))
    bench = Bench(counted, {**ports, "addr": word(16), "rdata": word(32)}, bits=bits, build=build)
    sent = [int(rng.integers(0, 1 << len(NAMES), dtype="uint64")) for _ in range(60)]
    found = {}

    def drive():
        for cycle in range(6):
            bench.clear.next = cycle == 3
            yield bench.clk.posedge
        bench.account.next, bench.running.next = ACCOUNT, True
        for bench.happens.next in sent:
            yield bench.clk.posedge
        bench.happens.next, bench.running.next = 0, False
        for _ in range(3):
            yield bench.clk.posedge
        for name in NAMES:
            for half in (0, 1):
                bench.addr.next = COUNTER_ADDRESS[name] + half
                for _ in range(3):
                    yield bench.clk.posedge
                found[name, half] = int(bench.rdata)

    bench.simulate(drive)
    events = {name: sum(value >> i & 1 for value in sent) for i, name in enumerate(NAMES)}
    assert min(events.values()) > 5 and COUNTER_BASE in COUNTER_ADDRESS.values()
    built = built_events(build)
    assert {name: found[name, 0] for name in built} == {name: events[name] for name in built}
    assert not any(found[name, 1] for name in NAMES)
    run_everywhere(bench)


def test_a_build_without_counters_converts(tmp_path):
    text = in_thread(convert, BuildConfig(4, 4, counters=0), "verilog", tmp_path).read_text()
    assert "register_file0_" in text and "counters0_" not in text


def test_a_cosimulation_needs_wide_counters():
    with pytest.raises(UserError, match="counters is 32: a co-simulation compares counters of 64 bits"):
        open_engine("myhdl", BuildConfig(4, 4, counters=32))
    with pytest.raises(UserError, match="counters is 16; use 64 or 32 bits, or 0"):
        BuildConfig(4, 4, counters=16)
