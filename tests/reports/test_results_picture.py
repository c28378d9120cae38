"""The README's picture: it says what the kept numbers say, and belongs to their run."""

import io

import numpy as np
import pytest
from PIL import Image

from radit.model.errors import UserError
from radit.reports.results.page import DOCS, README, STORED
from radit.reports.results.picture import PICTURE, described, description, main, picture, strip
from radit.reports.run.arrays import RunArrays, write_arrays
from radit.reports.run.summary import load_summary, write_summary
from tests.reports import made_up


def test_the_readme_shows_the_kept_numbers():
    kept = load_summary(DOCS / STORED / "summary.json").compared()
    assert described(PICTURE) == description(kept), "run python -m radit.reports.results.picture build/demo"
    assert f"({PICTURE.relative_to(README.parent).as_posix()})" in README.read_text()
    assert PICTURE.stat().st_size < 100_000


def test_a_row_per_policy(rng):
    summary, arrays = made_up.summary(rng, forecast=True), made_up.arrays(rng, forecast=True)
    with Image.open(io.BytesIO(picture(summary, arrays))) as three:
        assert f"forecast: {summary.ratios['forecast'].cycles:.2f} times fewer" in three.info["Description"]
        height = three.height
    with Image.open(io.BytesIO(picture(made_up.summary(rng), arrays))) as two:
        assert two.height == pytest.approx(height * 2 / 3, abs=1) and "forecast" not in two.info["Description"]


def test_the_same_bytes_again(rng):
    summary, arrays = made_up.summary(rng), made_up.arrays(rng)
    assert picture(summary, arrays) == picture(summary, arrays)


def test_images_in_a_row():
    images = np.stack([np.full((1, 2, 3), value) for value in (-1.0, 1.0)])
    assert strip(images).tolist() == [[0, 0, 0, 255, 255, 255, 255]] * 2
    assert strip(np.zeros((20, 3, 2, 2))).shape == (2, 10 * 2 + 9, 3)


def test_a_run_is_drawn_beside_its_own_numbers(tmp_path, rng):
    run, stored, target = (tmp_path / name for name in ("run", "stored", "picture.png"))
    summary = made_up.summary(rng)
    for folder in (run, stored):
        write_summary(folder / "summary.json", summary)
    write_arrays(run / "arrays.npz", made_up.arrays(rng))
    main(run, target, stored)
    assert described(target) == description(summary)
    write_summary(stored / "summary.json", made_up.summary(rng))
    with pytest.raises(UserError, match="is another than the one kept"):
        main(run, target, stored)


def test_a_missing_policy_is_named(rng):
    arrays = made_up.arrays(rng)
    alone = RunArrays({"dense": arrays.decisions["dense"]}, {"dense": arrays.images["dense"]})
    with pytest.raises(UserError, match="no images of radit"):
        picture(made_up.summary(rng), alone)
