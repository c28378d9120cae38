"""The state of an interrupted run gone wrong: it is taken up whole, or refused in one sentence."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from radit.cosim.run_state import RECORD, SavedRun, Standing
from radit.model.errors import UserError
from radit.model.files import write_arrays
from radit.model.reading import read_json
from radit.model.system.caches import read_sealed, write_sealed
from tests.mutants import examples, flipped, mutated, mutated_arrays

FACTS = {"model": "digits", "steps": 50, "timesteps": None, "bandwidth": 32.0, "build": {"rows": 8}}


class Nothing:
    """An engine without a state of its own."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"state")

    def restore(self, path: Path) -> None:
        pass


def machine() -> SimpleNamespace:
    return SimpleNamespace(cache=np.arange(24, dtype=np.int8).reshape(3, 8), history=np.zeros((2, 4), np.uint8))


def saved(folder: Path) -> dict[str, np.ndarray]:
    """Keep a run; returns its memories."""
    run = SavedRun(folder, FACTS, resume=False)
    run._last = -1e9
    run.save_if_due(Nothing(), machine(), Standing(2, 4, 2, seconds={"engine": 1.0}, timestep_seconds=[0.5, 0.5]))
    assert run.place == "timestep 2, block 2"
    return {"cache": machine().cache, "history": machine().history}


def taken_up(folder: Path) -> Standing | None:
    """What a run goes on from, or None where it is refused."""
    assert isinstance(SavedRun(folder, FACTS, resume=False).place, str)
    try:
        found = SavedRun(folder, FACTS, resume=True).restore(Nothing(), machine())
    except UserError as error:
        assert str(error).isprintable() and len(str(error)) < 1500 and str(folder) in str(error)
        return None
    assert found is not None and min(found.timestep, found.sub_blocks, found.check.words_compared) >= 0
    return found


def test_records(tmp_path, rng):
    saved(tmp_path)
    path, accepted = tmp_path / RECORD, 0
    whole, good = path.read_bytes(), read_sealed(path)
    assert taken_up(tmp_path) == Standing(2, 4, 2, seconds={"engine": 1.0}, timestep_seconds=[0.5, 0.5])
    for number in range(examples(300)):
        wrong = mutated(good, rng)
        if number % 3 == 0 or not isinstance(wrong, dict):
            path.write_bytes(flipped(whole, rng))
        else:
            with contextlib.suppress(ValueError):  # it cannot be written
                write_sealed(path, wrong)  # a hash that is right, of content that is not
        accepted += taken_up(tmp_path) is not None
    assert 0 < accepted < examples(300) / 2
    path.write_text("[]")
    assert read_json(path, "", "") == [] and taken_up(tmp_path) is None


def test_memories(tmp_path, rng):
    good, path, accepted = saved(tmp_path), tmp_path / "1-memories.npz", 0
    whole = path.read_bytes()
    for number in range(examples(300)):
        if number % 3 == 0:
            path.write_bytes(flipped(whole, rng))
        else:
            write_arrays(path, mutated_arrays(good, rng), compressed=False)
        accepted += taken_up(tmp_path) is not None
    assert 0 < accepted < examples(300) / 2
