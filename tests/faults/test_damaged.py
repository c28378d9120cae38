"""Every file that commands keep, damaged: they make it again or name it, and results are what they were."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing_program
from tests.faults.sandbox import COMMANDS, Sandbox


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3]),
    "flipped": flip,
    "another kind": lambda path: path.write_text("[]\n"),
}
CACHES = {
    "simulator": ("cosim", "build/verilated/*/radit.so"),
    "record of the simulator": ("cosim", "build/verilated/*/digests.json"),
    "exported Verilog": ("cosim", "build/rtl/*/*.v"),
    "calibration": ("cosim", "build/calibration/*.safetensors"),
    "classifier": ("frontier", "build/quality/*.safetensors"),
    "points": ("frontier", "made/all/points/*.npz"),
    "quality beside the checkpoint": ("demo", "tiny.quality.json"),
    "quality": ("demo", "build/quality/*.json"),
    "pieces": ("area", "made/area/pieces/0*.json"),
}


@pytest.mark.parametrize("name", CACHES)
def test_a_damaged_cache_is_made_again(name: str, sandbox: Sandbox) -> None:
    line, pattern = CACHES[name]
    if line == "area" and missing_program("yosys"):
        pytest.skip("needs yosys: it is not installed")
    command = COMMANDS[line]
    if name == "quality beside the checkpoint":
        sandbox.run(COMMANDS["quality"].words).check(0)
    sandbox.run(command.words).check(0)
    before = sandbox.results(command)
    whole = {path: path.read_bytes() for path in sandbox.folder.glob(pattern)}
    assert whole, pattern
    kinds = DAMAGES if line != "area" else {"flipped": flip}
    for kind, damage in kinds.items():
        for path, data in whole.items():  # the command makes what it uses again, perhaps elsewhere
            path.write_bytes(data)
            damage(path)
        sandbox.run(command.words).check(0)
        assert sandbox.results(command) == before, kind


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_state_of_a_training_is_named(kind: str, sandbox: Sandbox) -> None:
    command = COMMANDS["train"]
    state = sandbox.folder / "made" / "trained.training"
    process = sandbox.started(command.words)
    while not state.exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert state.exists(), "no state was kept"
    DAMAGES[kind](state)
    sandbox.run([*command.words, "--resume"]).refused("trained.training", "delete it and train anew")
    sandbox.run(command.words).check(0)
