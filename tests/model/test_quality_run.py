"""The stored quality result of the shipped model: current, and within the claims that the README makes."""

import json

import pytest

from radit.model.dit.sampler import Sampler
from radit.model.errors import UserError
from radit.model.policy.policy_file import own_sampler
from radit.model.quality.quality_run import (
    BEHIND,
    Settings,
    run_quality,
    settings_digest,
    stored_or_measured,
    stored_path,
)
from radit.model.source_code import code_digest


def shipped() -> str:
    return settings_digest(Settings("digits").of(own_sampler("digits")))


def test_the_shipped_result_is_current():
    stored = json.loads(stored_path("digits").read_text())
    assert stored["hash"] == shipped(), "run `radit quality --force` and commit the result"
    assert stored["result"]["samples"] >= 1000


def test_the_demo_shows_the_stored_result():
    result = stored_or_measured("digits", own_sampler("digits"), 1.5)
    assert "stored with the checkpoint" in result["origin"]


def test_int8_and_skipping_stay_within_the_noise_of_reseeding():
    result = json.loads(stored_path("digits").read_text())["result"]
    found = result["by_policy"]
    assert abs(found["dense"]["fd"] - found["float"]["fd"]) <= result["fd_noise"]
    assert abs(found["radit"]["fd"] - found["dense"]["fd"]) <= result["fd_noise"]
    assert found["radit"]["mse_to_dense"] < found["fewer_steps"]["mse_to_dense"]


def test_other_settings_are_another_result():
    assert settings_digest(Settings("digits", samples=20).of(own_sampler("digits"))) != shipped()
    assert len(code_digest(*BEHIND)) == 64


def test_a_model_of_other_images_is_refused():
    words = "'dit-s-2' with 4 x 32 x 32 images of 1000 classes: quality is measured on 8 x 8 digits"
    with pytest.raises(UserError, match=words):
        run_quality(model="dit-s-2", samples=2, sampler=Sampler(2), cfg=1.5, seed=0, force=False)
