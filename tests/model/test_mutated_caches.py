"""Files beside a checkpoint gone wrong: what can be made again counts for nothing, and is never half believed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from radit.model.dit.checkpoint import CHECKPOINT_DIR, load_config
from radit.model.errors import UserError
from radit.model.integer.calibration import load_calibration
from radit.model.quality.quality_run import stored_result
from radit.model.quality.quality_schema import Quality
from radit.model.system.caches import content_digest
from radit.model.training.training_state import read_state, write_state
from tests.mutants import examples, flipped, mutated, mutated_arrays

STEPS = 50


def test_quality_results(tmp_path, rng):
    """Those with a hash that is right are believed only as far as they fit the schema."""
    path, good = tmp_path / "digits.quality.json", json.loads((CHECKPOINT_DIR / "digits.quality.json").read_text())
    believed = 0
    for number in range(examples(300)):
        wrong = mutated(good, rng)
        if number % 2 and isinstance(wrong, dict):
            wrong["result_hash"] = content_digest(wrong.get("result"))
        data = json.dumps(wrong).encode()
        path.write_bytes(flipped(data, rng) if number % 5 == 0 else data)
        found = stored_result(path)
        if found is not None:
            assert Quality(**found["result"]).samples >= 0
            believed += 1
    assert 0 < believed < examples(300)


def test_calibrations(tmp_path, rng):
    path, config = tmp_path / "a.safetensors", load_config("digits")
    shipped = CHECKPOINT_DIR / "digits.calibration.safetensors"
    assert load_calibration(shipped).fits(config, STEPS)
    whole, good, believed = shipped.read_bytes(), load_file(shipped), 0
    for number in range(examples(60)):
        if number % 2:
            path.write_bytes(flipped(whole, rng))
        else:
            wrong = {name: array for name, array in mutated_arrays(good, rng).items() if array.dtype.kind != "U"}
            save_file({name: np.ascontiguousarray(array) for name, array in wrong.items()}, path)
        found = load_calibration(path)
        if found is not None and found.fits(config, STEPS):
            believed += 1
            assert all(torch.isfinite(getattr(found, name)).all() for name in ("act", "x", "branch"))
    assert believed < examples(60) / 2
    assert not load_calibration(shipped).fits(config, STEPS - 1)


def test_training_states(tmp_path, rng):
    path, key = tmp_path / "model.training", {"seed": 1}
    write_state(path, key, {"model": {"weight": torch.zeros(3)}, "step": 5})
    whole = path.read_bytes()
    assert read_state(path, key)["step"] == 5
    for _ in range(examples(300)):
        path.write_bytes(flipped(whole, rng))
        try:
            assert read_state(path, key)["step"] == 5
        except UserError as error:
            assert path.name in str(error) and str(error).isprintable()
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        read_state(path, key)
