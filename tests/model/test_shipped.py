"""The shipped models: files in date; digits: no saturation, int8 near float, skipping better than fewer steps."""

from __future__ import annotations

import pytest
import torch

from radit.model.dit.checkpoint import find_checkpoint, load_model
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.transformer import DiT
from radit.model.integer.calibration import calibration_path, load_calibration, load_or_calibrate
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.policy_file import load_policy
from radit.model.policy.skip_policy import Scope, dense, radit
from radit.model.quality.measures import mse

STEPS, IMAGES = 50, 4
Y = torch.arange(IMAGES)


@pytest.fixture(scope="module")
def dit() -> DiT:
    return load_model("digits")


@pytest.fixture(scope="module")
def integer(dit: DiT) -> IntegerDiT:
    return quantize(dit, load_or_calibrate(dit, find_checkpoint("digits"), Sampler(STEPS)), Sampler(STEPS))


@pytest.mark.parametrize("model", ["digits", "moving-digits"])
def test_the_stored_calibration_and_policies_are_current(model: str):
    """Otherwise every run would calibrate anew: save_calibration(calibration_path(..), calibrate(dit))."""
    path, dit = find_checkpoint(model), load_model(model)
    stored = load_calibration(calibration_path(path))
    assert stored is not None
    used = load_or_calibrate(dit, path, Sampler(STEPS))
    assert used.digest == stored.digest
    policies = load_policy(model, quantize(dit, used, Sampler(STEPS)))
    assert policies is not None and policies.policy.scope is Scope.STREAM


def test_images(dit: DiT, integer: IntegerDiT):
    """A few digits, dense and skipping, against float: squared pixel errors."""
    noise = make_noise(dit.config, IMAGES, seed=9)
    dense_images, record = generate(Reference(integer, dense().tables(integer)), dit, Y, noise)
    assert record.saturations == 0
    assert mse(dense_images, sample(dit, noise, Y, Sampler(STEPS))) < 5e-4
    skipping, record = generate(Reference(integer, radit().tables(integer)), dit, Y, noise)
    assert record.saturations == 0
    assert record.mac_reduction(integer) > 1.85
    half = sample(dit, noise, Y, Sampler(STEPS // 2))
    assert mse(skipping, dense_images) < mse(half, sample(dit, noise, Y, Sampler(STEPS)))
