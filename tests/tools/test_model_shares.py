"""The table of docs/models.md is what its dimensions say, and its formulas are those of the machine's models."""

from __future__ import annotations

from pathlib import Path

import pytest

from radit.model.dit.config import NAMED_MODELS
from radit.model.weights.other_models import OTHER_MODELS
from tools.model_shares import MODELS, NEW, PRODUCT, RUNS, attention, cross, mlp, rows

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()


def test_the_table_is_current() -> None:
    assert all(f"\n{row} " in PAGE for row in rows())


def test_formulas_are_those_of_the_models_that_run() -> None:
    config = NAMED_MODELS["dit-xl-2"]
    assert (attention(256, 256, 1152), mlp(256, 1152, 4 * 1152)) == config.macs()
    text = NAMED_MODELS["pixart-xl-2-256"]
    assert (attention(256, 256, 1152), cross(256, 120, 1152), mlp(256, 1152, 4 * 1152)) == text.macs()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_shares_add_up(model) -> None:
    shares = [model.share(level) for level in (RUNS, PRODUCT, NEW)]
    assert sum(shares) == pytest.approx(1.0) and model.share(RUNS, PRODUCT) == pytest.approx(1.0 - shares[2])


def test_every_model_of_the_table_is_known_by_its_files() -> None:
    titles = ["PixArt", "Latte", *(each.title.partition(",")[0] for each in OTHER_MODELS)]  # those two run
    assert all(any(model.name.startswith(title) for title in titles) for model in MODELS)
