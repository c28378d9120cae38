"""The converged image as judge: errors, what tips over, how far two pictures are apart."""

from __future__ import annotations

import pytest
import torch

from radit.model.errors import UserError
from radit.model.quality.converged import FEW, TIPPED, caution, paired_errors, picture_distance


def images(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_errors():
    found = paired_errors(images(0.1, 0.2, 0.3, 1.0), images(0.0, 0.0, 0.0, 0.0), distance=2.0)
    assert found.mean == pytest.approx((0.01 + 0.04 + 0.09 + 1.0) / 4)
    assert found.median == pytest.approx(0.04) and found.percentile_95 == pytest.approx(0.09 + 0.85 * 0.91)
    assert found.standard_error == pytest.approx(0.239, abs=1e-3)
    assert found.tipped_over == 0.25 and 0.09 < TIPPED * 2.0 < 1.0


def test_of_one_sample_nothing_is_known_of_the_spread():
    assert paired_errors(images(0.5), images(0.0), 1.0).standard_error == 0.0


def test_distance_is_within_a_label():
    found = images(0.0, 5.0, 1.0, 7.0)
    assert picture_distance(found, torch.tensor([0, 1, 0, 1])) == pytest.approx((1.0 + 4.0) / 2)
    assert picture_distance(found, torch.tensor([0, 1, 2, 2])) == pytest.approx(36.0)
    assert picture_distance(images(0.0, 3.0), torch.tensor([0, 1])) == pytest.approx(9.0)


def test_few_samples_are_told():
    assert caution(FEW) == "" and str(FEW) in caution(FEW - 1)


def test_other_shapes_are_refused():
    with pytest.raises(UserError, match="images have shape"):
        paired_errors(images(0.0, 1.0), images(0.0), 1.0)
