"""The caches of calibrations, classifiers and quality results, which several processes find empty at once."""

import os
from pathlib import Path

import pytest
import torch

from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler import Sampler
from radit.model.dit.seeded import seeded_dit
from radit.model.integer.calibration import load_or_calibrate
from radit.model.quality import classifier, quality_run
from radit.model.system.caches import content_digest
from tests.together import PROCESSES, WHOLE, leftovers, together


def calibrate(cache: Path) -> str:
    os.chdir(cache)
    torch.set_num_threads(1)
    config = DiTConfig(input_size=4, hidden_size=8, depth=1, num_heads=1, mlp_ratio=1.0, num_classes=2)
    found = load_or_calibrate(seeded_dit(config, 0), None, Sampler(2))
    return WHOLE if found.x.shape == (2,) else repr(found)


def measure_quality(cache: Path) -> str:
    os.chdir(cache)
    settings = quality_run.Settings("digits")
    quality_run.settings_digest = lambda settings: "digest"
    result = {"text": WHOLE, "filling": ["x" * 100] * 100}
    quality_run.measure = lambda settings, workers: {
        "hash": "digest",
        "result_hash": content_digest(result),
        "result": result,
    }
    quality_run.stored_path = lambda model: cache / "missing.json"
    return quality_run.stored_or_measured(settings.model, settings.sampler, settings.cfg)["text"]


def train_classifier(cache: Path) -> str:
    torch.set_num_threads(1)
    path = cache / classifier.CACHE_FILE
    found = classifier.load_or_train(path, classifier.DigitClassifier, lambda: classifier.train_classifier(steps=1))
    return WHOLE if torch.isfinite(found.head.weight).all() else "no weights"


@pytest.mark.parametrize("work", [calibrate, measure_quality, train_classifier])
def test_every_process_gets_a_whole_file(work, tmp_path):
    assert together(work, tmp_path) == [WHOLE] * PROCESSES
    assert leftovers(tmp_path) == []
