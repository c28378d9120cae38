"""Finished points of `radit frontier` gone wrong are measured again, or whole."""

from dataclasses import replace

import numpy as np
import pytest

from radit.accel.control.registers import COUNTERS
from radit.model.files import write_arrays
from radit.reports.frontier.measure import Measured
from tests.mutants import examples, flipped, mutated_arrays


def test_points(tmp_path, rng):
    path, whole = tmp_path / "abc.npz", 0
    counts = np.array([5, 6, 7])
    Measured(np.zeros((3, 1, 8, 8), np.float32), counts, counts, dict.fromkeys(COUNTERS, 1), 0).save(path)
    data = path.read_bytes()
    with np.load(path) as file:
        good = dict(file)
    for number in range(examples(300)):
        if number % 3 == 0:
            path.write_bytes(flipped(data, rng))
        else:
            write_arrays(path, mutated_arrays(good, rng), compressed=False)
        found = Measured.load(path)
        if found is not None:
            whole += 1
            assert found.images.shape == (len(found.cycles), 1, 8, 8) or found.images.ndim == 4
            assert np.isfinite(found.images).all() and found.counters.keys() >= COUNTERS.keys()
    assert 0 < whole < examples(300) / 2


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.full((3, 1, 8, 8), np.nan, np.float32)},
        {"images": np.zeros((3, 1, 8, 8))},
        {"images": np.zeros((3, 8, 8), np.float32)},
        {"images": np.zeros((0, 1, 8, 8), np.float32)},
        {"cycles": np.array([5, 6])},
        {"macs": np.array([5, 6, 0])},
        {"macs": np.array([5.0, 6.0, 7.0])},
        {"counters": {"cycles": 1}},
        {"counters": dict.fromkeys(COUNTERS, -1)},
        {"saturations": -1},
    ],
)
def test_points_are_measured_again_also_where_their_hash_is_right(tmp_path, change):
    counts = np.array([5, 6, 7])
    good = Measured(np.zeros((3, 1, 8, 8), np.float32), counts, counts, dict.fromkeys(COUNTERS, 1), 0)
    good.save(tmp_path / "abc.npz")
    assert Measured.load(tmp_path / "abc.npz").is_whole
    replace(good, **change).save(tmp_path / "abc.npz")
    assert Measured.load(tmp_path / "abc.npz") is None
