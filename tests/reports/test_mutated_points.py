"""Finished points of `radit frontier` gone wrong are measured again, or whole."""

import numpy as np

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
