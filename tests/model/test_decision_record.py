"""The record of decisions: its one shape, what is read from it, and that it needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord

ROOT = Path(__file__).parents[2]
KINDS = ["attention", "MLP"]


@pytest.fixture
def record(rng: np.random.Generator) -> DecisionRecord:
    """Three images, four timesteps, two sub-blocks, two contexts."""
    computed = rng.random((3, 4, 2, 2)) < 0.5
    computed[:, 0] = True
    return DecisionRecord(computed)


def test_images_come_apart_and_together(record: DecisionRecord) -> None:
    assert (record.images, record.timesteps, record.sub_blocks, record.contexts) == (3, 4, 2, 2)
    assert DecisionRecord.joined(list(record)) == record != record.as_dense()
    assert record.image(1) == DecisionRecord.of_image(record.computed[1])
    timesteps = [record.computed[:, index] for index in range(4)]
    assert DecisionRecord.of_timesteps(timesteps) == record
    assert DecisionRecord.dense(3, 4, 2, 2) == record.as_dense()


def test_shares_are_of_what_was_not_computed(record: DecisionRecord) -> None:
    reused = ~record.computed
    assert record.reused_share == pytest.approx(reused.mean()) and record.as_dense().reused_share == 0
    assert np.allclose(record.skip_map(), reused.mean(0)) and record.skip_map().shape == (4, 2, 2)
    by_kind = record.reused_by_kind(KINDS)
    assert list(by_kind) == KINDS and np.allclose(by_kind["MLP"], reused[:, :, 1].mean((0, 2)))


def test_macs_are_exact(record: DecisionRecord) -> None:
    each = [3, 10**12 + 1]
    wanted = [sum(int(image[:, s].sum()) * each[s] for s in range(2)) for image in record.computed]
    assert record.macs(each).tolist() == wanted
    assert record.mac_reduction(each) == 3 * 4 * 2 * sum(each) / sum(wanted)


def test_the_first_timestep_is_looked_at_in_every_image(record: DecisionRecord) -> None:
    assert record.starts_dense
    record.computed[2, 0, 1, 1] = False
    assert not record.starts_dense


@pytest.mark.parametrize("computed", [np.ones((4, 2, 2), bool), np.ones((1, 4, 2, 2)), np.ones((0, 4, 2, 2), bool)])
def test_another_shape_or_type_is_refused(computed: np.ndarray) -> None:
    with pytest.raises(UserError, match="give bool .images, timesteps, sub_blocks, contexts"):
        DecisionRecord(computed)


def test_counts_and_cycles_need_no_torch() -> None:
    modules = "model.policy.skip_policy reports.cost.counts reports.cycles.cycle_model reports.run.arrays".split()
    program = f"import sys; sys.modules['torch'] = None; import {', '.join(f'radit.{name}' for name in modules)}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
