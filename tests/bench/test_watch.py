"""Timing a simulator by what it says: where the clock starts and stops, and what is said when it comes not so far."""

import sys
from pathlib import Path

import pytest

from radit.accel.config import BuildConfig
from radit.cosim.speed.vectors import Vectors
from radit.cosim.speed.watch import Command, ReplayError, watch

CYCLES, START = 100, 40
VECTORS = Vectors(BuildConfig(rows=4, cols=4), {"aresetn": [1] * CYCLES}, START)
SAY = "import time; say = lambda at, wrong=0: print(f'AT {at} {10 * at} {wrong}', flush=True)\n"


def play(program: str, limit: float = 5.0):
    heard = []
    played = watch(Command((sys.executable, "-c", SAY + program), Path.cwd()), VECTORS, limit, heard.append)
    return played, heard


def test_the_cycles_from_the_start_on_are_timed():
    played, heard = play("say(0); time.sleep(3); say(48); time.sleep(1); say(96); say(100)")
    assert heard == [0, 48, 96, 100]
    assert (played.cycles, played.compared, played.different, played.first) == (52, 1000, 0, "")
    assert 0.5 <= played.seconds < 3 and played.load_seconds < 30


def test_it_stops_at_the_limit():
    played, heard = play("say(0)\nfor i in range(40, 100): say(i); time.sleep(0.1)", limit=0.25)
    assert 0.25 <= played.seconds < 5 and played.cycles < 60 and heard[-1] == 40 + played.cycles


def test_differences_are_counted_and_the_first_is_kept():
    played, _ = play("say(48); print('cycle 7: busy = 1'); print('cycle 8: busy = 0'); say(100, 2)")
    assert played.different == 2 and played.first == "cycle 7: busy = 1"


@pytest.mark.parametrize(
    "program, reason",
    [
        ("say(0); print('no memory'); raise SystemExit(3)", "(?s)status 3 after 0 of 100 cycles.*no memory"),
        ("say(48); say(64)", "status 0 after 64 of 100 cycles"),
        ("say(100)", "status 0 after 100 of 100"),
        ("print('nothing')", "after 0 of 100"),
    ],
)
def test_one_that_stops_early_is_explained(program, reason):
    with pytest.raises(ReplayError, match=reason):
        play(program)


@pytest.mark.parametrize("program", ["for i in range(30): say(i); time.sleep(0.1)", "say(16); time.sleep(60)"])
def test_one_that_is_too_slow_is_ended_with_a_remedy(monkeypatch, program):
    monkeypatch.setattr("radit.cosim.speed.watch.LEAD_IN_SECONDS", 1.0)
    monkeypatch.setattr("radit.cosim.speed.watch.LOAD_SECONDS", 1.0)
    remedy = "played [0-9]+ cycles.*starts to work in cycle 40: give more than --seconds 0.05"
    with pytest.raises(ReplayError, match=remedy):
        play(program, limit=0.05)
