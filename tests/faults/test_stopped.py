"""kill -9 and Ctrl-C in every long command: earlier results stay, and the same command then succeeds."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.conftest import missing_program
from tests.faults.sandbox import COMMANDS, ENDING, LONG, Sandbox

STOPS = (signal.SIGKILL, signal.SIGINT, signal.SIGKILL)


def skip_without_programs(name: str) -> None:
    if name == "area" and missing_program("yosys"):
        pytest.skip("needs yosys: it is not installed")


@pytest.mark.parametrize("name", LONG)
def test_a_stopped_command_loses_nothing(name: str, sandbox: Sandbox, seed: int) -> None:
    skip_without_programs(name)
    command, moments = COMMANDS[name], random.Random(seed)
    sandbox.stopped(command.words, moments.uniform(0.5, 6.0), signal.SIGKILL)
    whole = sandbox.run(command.words).check(0)
    before = sandbox.results(command)
    assert before
    for number in STOPS:
        sandbox.forget(command)
        moment = moments.uniform(0.2, 0.95) * whole.seconds
        ended = sandbox.stopped(command.words, moment, number)
        where = f"{number.name} after {moment:.2f} of {whole.seconds:.2f} s (seed {seed})"
        if number == signal.SIGINT and ended.status != 0:
            ended.check(130)
            assert [line for line in ended.err.splitlines() if line.startswith("radit: interrupted")], where
            assert ended.seconds < ENDING, where
        after = sandbox.results(command)
        assert {file: after.get(file) for file in before} == before or _only_forgotten(before, after), where
    sandbox.run(command.words).check(0)
    assert sandbox.results(command) == before


def _only_forgotten(before: dict[str, str], after: dict[str, str]) -> bool:
    """Finished parts that were removed to make work may be missing; what is there is as before."""
    return all(after[name] == before[name] for name in after if name in before) and all(
        "/points/" in name or "/pieces/" in name for name in before if name not in after
    )


def test_a_training_goes_on_bit_for_bit(sandbox: Sandbox, seed: int) -> None:
    """Stopped soon after its state was kept, by either signal."""
    command, number = COMMANDS["train"], random.Random(seed).choice([signal.SIGKILL, signal.SIGINT])
    sandbox.run(command.words).check(0)
    before = sandbox.results(command)
    state = sandbox.folder / "made" / "trained.training"
    (sandbox.folder / command.results[0]).unlink()
    process = sandbox.started(command.words)
    while not state.exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate()
    assert state.exists(), "no state was kept"
    sandbox.run([*command.words, "--resume"]).check(0)
    assert sandbox.results(command) == before and not state.exists()


def test_a_co_simulation_goes_on_word_for_word(sandbox: Sandbox) -> None:
    line = "cosim --model digits --array 4x4 --timesteps 2 --policy dense --out made/long"
    process = sandbox.started(line.split())
    record = sandbox.folder / "made" / "long" / "state" / "run.json"
    end = time.monotonic() + 200
    while not record.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    process.kill()
    process.communicate()
    assert record.exists(), "no state was kept"
    ended = sandbox.run([*line.split(), "--resume"]).check(0)
    assert "starting from timestep" in ended.err and "all equal" in ended.out
    assert not record.exists()
